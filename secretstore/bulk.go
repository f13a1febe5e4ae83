// The pace of bulk operations: all those of a store share one limiter, which keeps them
// below the rate of the service's writes. Single saves and deletions do not wait for it.

package secretstore

import (
	"context"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pace"
)

// bulkKey marks the context of a bulk operation. It is a context's value because the index
// makes some of the writes.
type bulkKey struct{}

// bulk returns the context for the calls of a bulk operation.
func bulk(ctx context.Context) context.Context { return context.WithValue(ctx, bulkKey{}, true) }

// paced delays the writes of bulk operations, and repeats the ones that were throttled.
type paced struct {
	driver.Secrets
	limiter        *pace.Limiter
	create, update float64 // what a write costs
	wall           func() time.Time
}

// newPaced returns secrets whose bulk writes keep the service's limits.
func newPaced(secrets driver.Secrets, c settings, wall func() time.Time) *paced {
	p := &paced{Secrets: secrets, create: 1, update: 1, wall: wall}
	var rate float64
	if limited, ok := driver.As[driver.Limited](secrets); ok {
		limits := limited.Limits()
		if limits.CreatesPerSecond > 0 && limits.UpdatesPerSecond > 0 {
			rate, p.update = limits.CreatesPerSecond, limits.CreatesPerSecond/limits.UpdatesPerSecond
		}
	}
	p.limiter = pace.New(rate, c.now, c.sleep)
	return p
}

// Unwrap gives access to the abilities that are not paced.
func (p *paced) Unwrap() driver.Secrets { return p.Secrets }

func (p *paced) Put(ctx context.Context, secret driver.Secret) (revision string, err error) {
	cost := p.update
	if secret.Revision == "" {
		cost = p.create
	}
	err = p.do(ctx, cost, func() error {
		revision, err = p.Secrets.Put(ctx, secret)
		return err
	})
	return revision, err
}

func (p *paced) Delete(ctx context.Context, name, revision string) error {
	return p.do(ctx, p.create, func() error { return p.Secrets.Delete(ctx, name, revision) })
}

// do makes a write in its turn. If the turn comes so late that what the write rests on may be
// out of date, it is a conflict.
func (p *paced) do(ctx context.Context, cost float64, write func() error) error {
	begun := p.wall()
	return p.inTurn(ctx, cost, func() error {
		if p.wall().Sub(begun) > maxAge {
			return errAgain
		}
		return write()
	})
}

// inTurn makes a write at once or, for a bulk operation, in its turn.
func (p *paced) inTurn(ctx context.Context, cost float64, write func() error) error {
	if ctx.Value(bulkKey{}) == nil {
		return write()
	}
	return p.limiter.Do(ctx, cost, write)
}

// most returns how many tokens a bulk operation handles together: so few that the writes
// of all of them take less than maxAge.
func (s *Store) most() int {
	limited, ok := driver.As[driver.Limited](s.secrets)
	if !ok {
		return bulkChunk
	}
	rate := limited.Limits().UpdatesPerSecond
	if rate == 0 {
		return bulkChunk
	}
	return max(min(bulkChunk, int(rate*maxAge.Seconds()*7/10)), 1)
}
