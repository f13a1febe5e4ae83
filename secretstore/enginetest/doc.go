// Package enginetest has suites that run the engine of package secretstore over any
// driver, and [Suite], with which an adapter's author runs all of them.
//
// A [Suite] takes everything that the suites need to know about an adapter once. It
// runs the promises of a driver, the contract of a store and linearizability (in
// package conformance), and the three suites of this package.
//
//   - [Schedules] runs all interleavings of two operations,
//   - [Crash] interrupts every operation at every call,
//   - [Model] compares random operations with a program that keeps its tokens in
//     a slice.
//
// Each of them can also be called separately.
package enginetest
