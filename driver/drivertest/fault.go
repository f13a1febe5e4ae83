package drivertest

import (
	"context"
	"fmt"
	"time"

	"example.com/tokenstore/driver"
)

// Outcome is what an injected fault does to a call.
type Outcome struct {
	// Err is what the caller gets; nil: there is no fault.
	Err error
	// Done says that the call is carried out before it fails: the reply is
	// lost. If it is not set, nothing happens at the service.
	Done bool
}

// The faults that a service or a network makes. Their errors are those that
// an adapter would return.
var (
	// Throttled: the service refuses the call.
	Throttled = Outcome{Err: fmt.Errorf("%w (injected)", driver.ErrThrottled)}
	// Denied: the service refuses the call for good.
	Denied = Outcome{Err: fmt.Errorf("%w (injected)", driver.ErrDenied)}
	// Unreached: the call does not reach the service.
	Unreached = Outcome{Err: fmt.Errorf("%w (injected, before the call)", driver.ErrUnavailable)}
	// LoseReply: the call is carried out, and the caller is told that the
	// service is unavailable.
	LoseReply = Outcome{Err: fmt.Errorf("%w (injected, reply lost)", driver.ErrUnavailable), Done: true}
)

// Inject returns secrets whose calls fail as fault says. It is asked once per
// call, in the order of their numbers if the calls are made one after the
// other, and must be safe for concurrent use if they are not.
func Inject(secrets driver.Secrets, fault func(Call) Outcome) driver.Secrets {
	return Intercept(secrets, func(ctx context.Context, call Call, do func(context.Context) error) error {
		outcome := fault(call)
		if outcome.Err == nil {
			return do(ctx)
		}
		if outcome.Done {
			// Whatever the service said, the caller does not learn it.
			_ = do(ctx)
		}
		return outcome.Err
	})
}

// FailCall returns a fault function for [Inject] that gives the n-th call the
// outcome and lets the others pass.
func FailCall(n int, outcome Outcome) func(Call) Outcome {
	return func(call Call) Outcome {
		if call.Number == n {
			return outcome
		}
		return Outcome{}
	}
}

// FailFrom returns a fault function for [Inject] under which the n-th call has
// the outcome and every later call does not reach the service: the process is
// gone. With [Unreached] it dies before the n-th call, with [LoseReply] after it.
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

// FailMethod returns a fault function for [Inject] that gives every call of the
// method the outcome.
func FailMethod(method Method, outcome Outcome) func(Call) Outcome {
	return func(call Call) Outcome {
		if call.Method == method {
			return outcome
		}
		return Outcome{}
	}
}

// Delay returns secrets that sleep before each call for as long as duration
// says. An error of sleep, such as that of a cancelled context, is returned
// and the call is not made. The sleep of a test advances a clock of its own.
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
