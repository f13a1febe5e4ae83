// Package faults tests the adapters under what only a network and an operating
// system can do: connections that are reset before a request or after it, lost,
// late and slow messages, servers that are killed and started again, and
// processes that are killed at any moment.
//
// Each test starts a fleet: processes of the test's own binary, with several
// clients in each, which save, find and delete tokens until they are told to
// stop. They tell every call before they make it and when it has returned. At
// the end everything that had returned must be stored, and be found by each of
// its keys; what was under way has happened wholly or not at all; and the
// repair has nothing to do but to remove hints that lead nowhere.
package faults
