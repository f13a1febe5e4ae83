// How both forms read and write their secrets: stale reads, generations, retries and size
// limits are handled here, once.

package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
	"example.com/tokenstore/internal/staleness"
)

const (
	// writeAttempts limits how often a write of one secret is retried after a conflict.
	// The waits in between add up to about ten seconds.
	writeAttempts = 24
	// hiddenAttempts is the limit once the service has kept hiding a secret that it
	// refuses to create.
	hiddenAttempts = 3
	firstWait      = 10 * time.Millisecond
	longestWait    = time.Second

	// restored is how long a service must show an older state of a secret than this
	// process has seen before that state is accepted: somebody has put an old version
	// back.
	restored = 15 * time.Minute

	// sealRoom is kept free in each document, so that a full document can still be
	// sealed.
	sealRoom = 128
)

// source reads and writes the secrets of an index. It makes sure that this process
// never reads an older state of a secret than it has read or written before, counts
// the generations, and keeps secrets within the service's size limit.
type source struct {
	secrets driver.Secrets
	config  Config
	limits  driver.Limits
	seen    *memory
	reader  *staleness.Reader[object]
	hides   *atomic.Bool // the service refused to create a secret that it does not show
}

func newSource(secrets driver.Secrets, c Config) source {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = pause.For
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	seen := newMemory(c.Now)
	s := source{secrets: secrets, config: c, seen: seen, hides: new(atomic.Bool)}
	s.reader = &staleness.Reader[object]{
		Secrets: secrets, Parallelism: c.Parallelism, Now: c.Now, Sleep: c.Sleep, Decode: answered, See: seen.see,
		Accept: func(_ context.Context, o object, order staleness.Order, before staleness.Sighting) (bool, error) {
			if order == staleness.Older && !o.restored && !seen.suspect(o.name, c.Now(), restored) {
				return false, errorIn(o.name, staleness.ErrBehind)
			}
			return seen.Accept(o.name, o.seen(), before), nil
		},
	}
	s.reader.Batch, _ = driver.As[driver.BatchGetter](secrets)
	if l, ok := driver.As[driver.Limited](secrets); ok {
		s.limits = l.Limits()
	}
	return s
}

// wait backs off before the next attempt.
func (s *source) wait(ctx context.Context, attempt int) error {
	longest := longestWait
	if attempt < 7 {
		longest = min(longest, firstWait<<attempt)
	}
	d := time.Millisecond + time.Duration(s.config.Jitter()*float64(longest))
	if err := s.config.Sleep(ctx, d); err != nil {
		return err
	}
	return ctx.Err()
}

// errorIn adds the name of the index's secret to an error.
func errorIn(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("index document %q: %w", name, err)
}

// retry backs off after a conflict of a write to the secret of o. When the attempts are
// used up it returns an error: the conflict if o exists. If o does not exist, no other
// write is the cause: the service refuses to create what it does not show. After that
// has happened once, it gives up on the next such secret sooner.
func (s *source) retry(ctx context.Context, attempt int, o object, conflict error) error {
	last := attempt == writeAttempts-1
	switch {
	case o.exists() && last:
		return conflict
	case !o.exists() && (last || attempt >= hiddenAttempts && s.hides.Load()):
		s.hides.Store(true)
		return errorIn(o.name, fmt.Errorf("%w: the service says that this secret exists, but does not return it; retry later", driver.ErrUnavailable))
	}
	return s.wait(ctx, attempt)
}

// broken reports a secret of the index that cannot be parsed, and what to do.
func broken(name string, err error) error {
	if err == nil {
		return nil
	}
	return errorIn(name, fmt.Errorf("%w; delete this secret and run reindex to rebuild the index", err))
}

// answered turns the service's answer about a secret into an object; an absent one has
// no revision.
func answered(secret driver.Secret, err error) (object, error) {
	if err != nil {
		return object{}, errorIn(secret.Name, err)
	}
	if secret.Revision == "" {
		return absent(secret.Name), nil
	}
	return decodeObject(secret)
}

// room is the size up to which a claim may fill a secret; 0 means no limit.
func (s *source) room() int {
	if s.limits.MaxSize == 0 {
		return 0
	}
	return s.limits.MaxSize - min(sealRoom, s.limits.MaxSize/4)
}

// put replaces the revision of o that was read, under the next generation, and returns
// the object as stored. It writes nothing if the data is larger than limit; 0
// leaves that to the service.
func (s *source) put(ctx context.Context, o object, limit int) (object, error) {
	if o.generation == 0 {
		// The clock's seconds are ahead of any count of writes, so a lost secret
		// that is created again is newer than what other processes remember.
		o.generation = max(min(seconds(s.config.Now()), driver.MaxNumber/2)-1, s.seen.Generation(o.name), 0)
	}
	o.generation++
	return s.putExact(ctx, o, limit)
}

// putExact is put without counting the generation.
func (s *source) putExact(ctx context.Context, o object, limit int) (object, error) {
	data := o.encode()
	if err := fits(len(data), limit); err != nil {
		return o, errorIn(o.name, err)
	}
	revision, err := s.secrets.Put(ctx, driver.Secret{Name: o.name, Data: data, Revision: o.revision})
	if err != nil {
		if errors.Is(err, driver.ErrTooLarge) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return o, errorIn(o.name, err)
	}
	if !o.exists() {
		s.hides.Store(false)
	}
	o.revision, o.size = revision, len(data)
	s.seen.Wrote(o.name, o.seen())
	return o, nil
}

// fits returns an error that matches ErrFull if data of that size exceeds the limit; 0
// means no limit.
func fits(size, limit int) error {
	if err := driver.CheckSize(size, limit); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return nil
}

// remove deletes a secret if it has not changed since it was read.
func (s *source) remove(ctx context.Context, o object) error {
	if err := s.secrets.Delete(ctx, o.name, o.revision); err != nil {
		return errorIn(o.name, err)
	}
	s.seen.Removed(o.name, o.revision)
	return nil
}
