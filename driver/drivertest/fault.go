// Injected faults: every call can fail before or after it takes effect, as it can on a
// network.

package drivertest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/tokenstore/driver"
)

// Outcome is what an injected fault does to a call.
type Outcome struct {
	// Err is the error that the caller gets; nil means no fault.
	Err error
	// Done reports that the call takes effect before it fails: its reply is lost. If
	// Done is not set, nothing happens at the service.
	Done bool
}

// The faults of a service or a network. Their errors are those that an adapter would
// return.
var (
	// Throttled: the service rejects the call, for now.
	Throttled = Outcome{Err: fmt.Errorf("%w (injected)", driver.ErrThrottled)}
	// Denied: the service rejects the call permanently.
	Denied = Outcome{Err: fmt.Errorf("%w (injected)", driver.ErrDenied)}
	// Unreached: the call never reaches the service.
	Unreached = Outcome{Err: fmt.Errorf("%w (injected, before the call)", driver.ErrUnavailable)}
	// LoseReply: the call takes effect, but the caller gets an error that says the
	// service is unavailable.
	LoseReply = Outcome{Err: fmt.Errorf("%w (injected, reply lost)", driver.ErrUnavailable), Done: true}
)

// Inject returns secrets whose calls fail as fault says. Inject calls fault once per
// call, and never twice at once, so that fault needs no lock for what it remembers.
// It must not itself call the secrets that Inject returned.
func Inject(secrets driver.Secrets, fault func(Call) Outcome) driver.Secrets {
	var mu sync.Mutex
	alone := func(call Call) Outcome {
		mu.Lock()
		defer mu.Unlock()
		return fault(call)
	}
	return Intercept(secrets, func(ctx context.Context, call Call, do func(context.Context) error) error {
		outcome := alone(call)
		if outcome.Err == nil {
			return do(ctx)
		}
		if outcome.Done {
			// The reply is lost, whatever it was.
			_ = do(ctx)
		}
		return outcome.Err
	})
}

// FailCall returns a fault function for [Inject] that gives the n-th call the outcome
// and does not touch the others.
func FailCall(n int, outcome Outcome) func(Call) Outcome {
	return func(call Call) Outcome {
		if call.Number == n {
			return outcome
		}
		return Outcome{}
	}
}

// FailFrom returns a fault function for [Inject] with which the n-th call has the
// outcome and no later call reaches the service: the process has died. With
// [Unreached] it dies before the n-th call, with [LoseReply] after it.
func FailFrom(n int, outcome Outcome) func(Call) Outcome {
	return func(call Call) Outcome {
		switch {
		case call.Number < n:
			return Outcome{}
		case call.Number == n:
			return outcome
		}
		return Outcome{Err: outcome.Err}
	}
}

// FailMethod returns a fault function for [Inject] that gives the outcome to every call
// of the method.
func FailMethod(method Method, outcome Outcome) func(Call) Outcome {
	return func(call Call) Outcome {
		if call.Method == method {
			return outcome
		}
		return Outcome{}
	}
}

// Delay returns secrets that sleep before each call for the time that duration
// returns. If sleep fails, for example because the context was cancelled, its error is
// returned and the call is not made. Tests pass the Sleep of their own [Clock].
func Delay(secrets driver.Secrets, duration func(Call) time.Duration, sleep func(context.Context, time.Duration) error) driver.Secrets {
	return Intercept(secrets, func(ctx context.Context, call Call, do func(context.Context) error) error {
		if d := duration(call); d > 0 {
			if err := sleep(ctx, d); err != nil {
				return err
			}
		}
		return do(ctx)
	})
}
