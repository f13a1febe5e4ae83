// Package enginetest has suites that run the engine of package secretstore over any
// driver, and one value with which an adapter's author runs everything.
//
// [Suite] takes what the suites need to know about an adapter once, and runs all of
// them: the promises of a driver, the contract of a store and linearizability (in
// package conformance), and the three suites of this package.
//
//   - [Schedules] goes through the interleavings of two operations,
//   - [Crash] interrupts every operation at every call,
//   - [Model] compares random operations with a program that keeps its tokens in
//     a slice.
//
// Each of them can be called alone, too.
package enginetest
