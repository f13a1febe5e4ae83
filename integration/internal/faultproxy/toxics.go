// Faults of single messages. toxiproxy's own toxics treat all messages of a connection
// alike, or close it after a time, so a connection that is kept alive for many requests
// fails either at once or never.

package faultproxy

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// The names of the toxics.
const (
	cutToxic    = "cut"
	silentToxic = "silent"
	lateToxic   = "late"
)

// register registers the toxics with toxiproxy.
var register = sync.OnceFunc(func() {
	toxics.Register(cutToxic, new(cut))
	toxics.Register(silentToxic, new(silent))
	toxics.Register(lateToxic, new(late))
})

// cut closes the connection instead of passing a message on.
type cut struct {
	Chance float64 `json:"chance"`
}

// Pipe implements toxics.Toxic.
func (c *cut) Pipe(stub *toxics.ToxicStub) {
	pass(stub, c.Chance, func() bool { return false })
}

// silent stops passing anything on, and closes the connection later.
type silent struct {
	Chance       float64 `json:"chance"`
	Milliseconds int64   `json:"milliseconds"`
}

// Pipe implements toxics.Toxic.
func (s *silent) Pipe(stub *toxics.ToxicStub) {
	pass(stub, s.Chance, func() bool {
		wait(stub, s.Milliseconds)
		return false
	})
}

// late holds a message and those after it, and delivers them later.
type late struct {
	Chance       float64 `json:"chance"`
	Milliseconds int64   `json:"milliseconds"`
}

// Pipe implements toxics.Toxic.
func (l *late) Pipe(stub *toxics.ToxicStub) {
	pass(stub, l.Chance, func() bool {
		wait(stub, l.Milliseconds)
		return true
	})
}

// pass passes messages on. With the given chance it calls hit first, and closes the
// connection if that reports false.
func pass(stub *toxics.ToxicStub, chance float64, hit func() bool) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			if rand.Float64() < chance && !hit() { // #nosec G404 -- no secret depends on it.
				stub.Close()
				drain(stub)
				return
			}
			stub.Output <- chunk
		}
	}
}

// drain discards the rest, so that nothing waits for this toxic forever.
func drain(stub *toxics.ToxicStub) {
	for chunk := range stub.Input {
		if chunk == nil {
			return
		}
	}
}

func wait(stub *toxics.ToxicStub, milliseconds int64) {
	select {
	case <-stub.Interrupt:
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
	}
}
