// Package refresh tests the token source as a fleet uses it: processes of the test's own
// binary, with many goroutines each, on one store, that all need a token which has expired.
// The accounts server is in the test itself, which sees every redemption, and kills or
// stops a process at the moment that matters.
package refresh
