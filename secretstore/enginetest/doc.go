// Package enginetest runs the engine of package secretstore over a driver, and
// has the one value with which an adapter's author runs everything.
//
// [Suite] takes what the suites have to know about an adapter once, and runs all
// of them: the promises of a driver and the contract of a store (both of package
// conformance), and the three suites of the engine that are here.
//
//   - [Schedules] goes through the interleavings of two operations,
//   - [Crash] interrupts every operation at every call,
//   - [Model] compares random operations with a program that keeps its tokens in
//     a slice.
//
// Each of them can be called alone, too.
package enginetest
