package faultproxy

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// The toxics that toxiproxy does not have: its own do the same to every message
// of a connection, or close it after a time, so that a connection which is kept
// alive for many requests either fails at once or never.
const (
	cutToxic    = "cut"
	silentToxic = "silent"
	lateToxic   = "late"
)

// register tells toxiproxy about the toxics.
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

// silent passes nothing on any more, and closes the connection later.
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

// late holds a message, and what follows it, and then delivers it.
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

// pass passes messages on. By chance it asks hit first, and closes the
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

// drain takes what still comes, so that nobody waits for this toxic for ever.
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
