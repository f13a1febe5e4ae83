// Package pause sleeps, but no longer than the caller's context lasts.
package pause

import (
	"context"
	"time"
)

// For sleeps for d. If the context ends first, it returns the context's error.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
