package drivertest

import (
	"context"
	"sync"

	"example.com/tokenstore/driver"
)

// Gate makes every call wait for permission, so that a test decides in which
// order the calls of several processes are carried out. Each call announces
// itself on Arrivals and stands still until one of the methods of its [Arrival]
// is called.
//
// If each process has one call under way at a time, a test that receives the
// next arrival or the end of every process before it lets one go replays the
// same choices to the same end:
//
//	gate := drivertest.NewGate()
//	for _, name := range processes {
//		go run(gate.Wrap(name, secrets))
//	}
//	a := <-gate.Arrivals()
//	a.Allow() // returns when the call was carried out
type Gate struct {
	arrivals chan *Arrival
}

// NewGate returns a gate.
func NewGate() *Gate { return &Gate{arrivals: make(chan *Arrival)} }

// Arrivals is where calls announce themselves. It is never closed.
func (g *Gate) Arrivals() <-chan *Arrival { return g.arrivals }

// Arrival is a call that waits at a gate.
type Arrival struct {
	Call
	// Process is the name that was given to Wrap.
	Process string

	once  sync.Once
	order chan Outcome  // how to go on; it takes one
	done  chan struct{} // closed when the call is over for the service
}

// Allow lets the call go and returns when it was carried out.
func (a *Arrival) Allow() { a.decide(Outcome{}) }

// Deny makes the call return err without carrying it out.
func (a *Arrival) Deny(err error) { a.decide(Outcome{Err: err}) }

// LoseReply carries the call out and makes it return err.
func (a *Arrival) LoseReply(err error) { a.decide(Outcome{Err: err, Done: true}) }

// decide gives the order and waits until it was followed. A second order is
// ignored.
func (a *Arrival) decide(o Outcome) {
	a.once.Do(func() { a.order <- o })
	<-a.done
}

// Wrap returns secrets whose calls wait at the gate, under the name of a
// process. A call whose context ends while it waits is not carried out and
// returns the context's error.
//
// A list waits once and is then read to its end, so that what its caller does
// with each name is not part of the call.
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
