//go:build !unix

package main

import "time"

var started = time.Now()

// cpuTime returns the time since the start, for systems where nothing better is at hand.
func cpuTime() time.Duration { return time.Since(started) }
