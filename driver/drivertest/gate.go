// The order of calls in the hands of the test, so that it can try every interleaving of
// several processes and replay each.

package drivertest

import (
	"context"
	"sync"

	"example.com/tokenstore/driver"
)

// Gate makes every call wait for permission, so that a test decides in which order the
// calls of several processes run. Each call announces itself on Arrivals and waits
// until one of the methods of its [Arrival] is called.
//
// Runs are reproducible if each process makes one call at a time, and if the test lets
// a call go only after every process has arrived at its next call or ended: then the
// same choices lead to the same result.
//
//	gate := drivertest.NewGate()
//	for _, name := range processes {
//		go run(gate.Wrap(name, secrets))
//	}
//	a := <-gate.Arrivals()
//	a.Allow() // returns when the call has been made
type Gate struct {
	arrivals chan *Arrival
}

// NewGate returns a gate.
func NewGate() *Gate { return &Gate{arrivals: make(chan *Arrival)} }

// Arrivals returns the channel on which calls announce themselves. It is never closed.
func (g *Gate) Arrivals() <-chan *Arrival { return g.arrivals }

// Arrival is a call that waits at a gate.
type Arrival struct {
	Call
	// Process is the name that was given to Wrap.
	Process string

	once  sync.Once
	order chan Outcome  // how to go on; holds one
	done  chan struct{} // closed when the call is over for the service
}

// Allow lets the call run and returns when it has finished.
func (a *Arrival) Allow() { a.decide(Outcome{}) }

// Deny makes the call return err without having any effect.
func (a *Arrival) Deny(err error) { a.decide(Outcome{Err: err}) }

// LoseReply lets the call take effect and makes it return err.
func (a *Arrival) LoseReply(err error) { a.decide(Outcome{Err: err, Done: true}) }

// decide gives the order and waits until it has been followed. A second order is
// ignored.
func (a *Arrival) decide(o Outcome) {
	a.once.Do(func() { a.order <- o })
	<-a.done
}

// Wrap returns secrets whose calls wait at the gate under the name of a process. If a
// call's context ends while it waits, the call is not made and returns the context's
// error.
//
// A list waits once and is then read to its end, so that what its caller does with
// each name is not part of the call.
func (g *Gate) Wrap(process string, secrets driver.Secrets) driver.Secrets {
	return offer(secrets, &interceptor{
		inner: abilitiesOf(secrets),
		around: func(ctx context.Context, call Call, do func(context.Context) error) error {
			return g.pass(ctx, process, call, do)
		},
		wholeLists: true,
	})
}

func (g *Gate) pass(ctx context.Context, process string, call Call, do func(context.Context) error) error {
	a := &Arrival{Call: call, Process: process, order: make(chan Outcome, 1), done: make(chan struct{})}
	defer close(a.done)
	select {
	case g.arrivals <- a:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case o := <-a.order:
		if o.Err == nil {
			return do(ctx)
		}
		if o.Done {
			_ = do(ctx)
		}
		return o.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}
