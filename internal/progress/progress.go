// Package progress carries a function in a context, which a call that handles many
// tokens calls after each of them. So whoever waits for the call can show how far it is,
// and no method of a store needs another argument.
package progress

import "context"

type key struct{}

// With returns a context whose calls report each token by calling step, possibly from
// several goroutines at the same time.
func With(ctx context.Context, step func()) context.Context {
	return context.WithValue(ctx, key{}, step)
}

// Step reports that a token was handled.
func Step(ctx context.Context) {
	if step, ok := ctx.Value(key{}).(func()); ok {
		step()
	}
}
