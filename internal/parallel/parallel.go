// Package parallel runs a bounded number of calls at a time, so that reading many
// secrets is fast without flooding the service.
package parallel

import "context"

// Each calls do for 0 to n-1, at most limit at a time, and returns the first error,
// after which it cancels the context of the other calls. With a limit below 2 it
// makes one call after the other.
func Each(ctx context.Context, n, limit int, do func(ctx context.Context, i int) error) error {
	workers := min(limit, n)
	if workers <= 1 {
		for i := range n {
			if err := do(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	next := make(chan int)
	done := make(chan struct{}, workers)
	for range workers {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		}()
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	for range workers {
		<-done
	}
	if err := parent.Err(); err != nil {
		return err
	}
	return context.Cause(ctx)
}
