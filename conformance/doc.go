// Package conformance tests a token store against the contract of package
// tokenstore. A store's author runs it in one test:
//
//	func TestConformance(t *testing.T) {
//		conformance.Store(t, func(t testing.TB) tokenstore.Store { return mystore.New(t.TempDir()) },
//			conformance.WithReopen(reopen), conformance.WithForeign(plant))
//	}
//
// Every failure names its case and quotes the rule that the store breaks. The
// same cases run without package testing: see [Run]. [Cases] lists them.
//
// # Cases
//
// The cases with numbers are those of the contract: F for find, S for save, D for
// delete, I for find by ID, L for list, O for opening again. The others have
// descriptive names. Every case checks every call as well: errors match a sentinel and
// hold no credential, results are complete, in UTC and to the millisecond, and whenever
// a case looks at the rows, each of them must be found by each of its keys.
//
// # Cases that a store cannot pass
//
// Nothing is skipped silently. The cases of an optional ability that the store does not have,
// such as tokenstore.Swapper, appear in the results as [Missing]; they run for a store in a
// wrapper if that implements tokenstore.Unwrapper. Declare any other case that a store cannot
// pass with [WithMissing] and the reason; it then appears as [Missing], too. It still runs: it
// is a failure if a case that was declared missing passes, or if the store does not refuse
// properly (with an error that matches ErrInvalidToken or ErrTooLarge, and nothing stored).
//
// # Several processes
//
// [Processes] and [Kill] test a store on disk: they start the test's own binary again, as
// workers on one store, and as a writer that is killed at random moments.
//
// All values in the tests are fakes. Every fake credential contains a marker, and the
// suites search errors and logs for that marker.
package conformance
