// The clock under this package's name, so that its users need no import of drivertest.

package gcpsmtest

import "example.com/tokenstore/driver/drivertest"

// Clock is a clock that tests move.
type Clock = drivertest.Clock

// NewClock returns a clock that starts in 2026.
func NewClock() *Clock { return drivertest.NewClock() }
