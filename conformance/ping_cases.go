// Whether a store answers: an optional ability.

package conformance

import (
	"context"

	"example.com/tokenstore"
)

const rulePing = "Ping returns nil if the store can be read and holds something; if only that is missing, the error matches ErrNotFound"

// pingCases test Ping.
func pingCases() []Case { return []Case{{Name: "ping", Rule: rulePing, run: ping}} }

func ping(t *trial) {
	p, ok := tokenstore.As[tokenstore.Pinger](t.store.store)
	if !ok {
		t.lacks("the store has no Ping")
	}
	answers := func(ctx context.Context) error {
		return repeated(func() error { return p.Ping(ctx) }, throttled)
	}
	if err := answers(t.ctx); err != nil {
		t.store.checkErr(t.ctx, "ping", err)
		t.matchesKind("ping a new store", err, tokenstore.ErrNotFound)
	}
	t.seed(r1)
	t.must("ping", answers(t.ctx))
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	t.matchesKind("ping with an ended context", answers(ctx), context.Canceled)
	t.holds(r1)
}
