// Package conformance tests a token store against the contract of package
// tokenstore. Who writes a store runs it with one line:
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
// The cases with numbers are those of the contract: F for find, S for save, D
// for delete, I for find by ID, L for list, O for opening again. The others
// have names that say what they are about. In every case every call is watched
// too: errors match a sentinel and hold no credential, results are whole, in
// UTC and to the millisecond, and whenever a case looks at the rows, each of
// them must be found by each of its keys.
//
// # What a store cannot do
//
// Nothing is skipped silently. A case that a store cannot pass is declared with
// [WithMissing], with the reason; it then appears in the results as [Missing].
// It is run all the same: a case that was declared missing and passes is a
// failure, and so is a refusal that is not a proper one (an error that matches
// ErrInvalidToken or ErrTooLarge, with nothing stored).
//
// # Several processes
//
// [Processes] and [Kill] test a store that lies on disk: they start the test's
// own binary again, as workers on one store, and as a writer that is killed at
// random moments.
//
// All values in the tests are fakes. Every fake credential contains one marker,
// and that marker is what is looked for in errors and logs.
package conformance
