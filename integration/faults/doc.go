// Package faults tests the adapters under faults that only a network and an operating
// system produce: connections reset before or after a request, lost, late and slow
// messages, servers killed and restarted, and processes killed at any time.
//
// Each test starts a fleet: processes of the test's own binary, with several clients
// each, which save, find and delete tokens until told to stop. They report every call
// before they make it and when it has returned. At the end, everything that returned
// must be stored and found by each of its keys; each call in progress must have been
// applied completely or not at all; and the repair must find nothing to do but to
// remove orphaned hints.
package faults
