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
	// writeAttempts bounds the writes of one secret that others overtake. The
	// waits between them add up to about ten seconds.
	writeAttempts = 24
	// hiddenAttempts is how many there are when the service has not shown what it
	// refused to create.
	hiddenAttempts = 3
	firstWait      = 10 * time.Millisecond
	longestWait    = time.Second

	// restored is how long a service shows one secret older than this process
	// has seen it before that is taken for the truth: somebody has put an old
	// version back.
	restored = 15 * time.Minute

	// sealRoom is kept free in each document, so that a full one can still be
	// sealed and moved.
	sealRoom = 128
)

// source reads and writes the secrets of an index. It sees to it that this
// process never reads an older state of a secret than it has read or written
// before, counts the generations, and keeps to the service's size.
type source struct {
	secrets driver.Secrets
	config  Config
	limits  driver.Limits
	seen    *memory
	reader  *staleness.Reader[object]
	hides   *atomic.Bool // the service refused to create a secret, and has not shown it
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
			if order == staleness.Older && !seen.suspect(o.name, c.Now(), restored) {
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

// errorIn says to which secret of the index an error belongs.
func errorIn(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("index document %q: %w", name, err)
}

// retry backs off after a write in place of o that met a conflict. It returns an error
// if there were enough of them: the conflict, if others have changed the secret. If
// the service shows no secret, nobody has come in between; while one that it refused to
// create has stayed hidden, another is not waited for as long.
func (s *source) retry(ctx context.Context, attempt int, o object, conflict error) error {
	last := attempt == writeAttempts-1
	switch {
	case o.exists() && last:
		return conflict
	case !o.exists() && (last || attempt >= hiddenAttempts && s.hides.Load()):
		s.hides.Store(true)
		return errorIn(o.name, fmt.Errorf("%w: the service refuses to create this secret as one that exists, and does not show it", driver.ErrUnavailable))
	}
	return s.wait(ctx, attempt)
}

// broken says that a secret of the index cannot be understood, and what helps.
func broken(name string, err error) error {
	if err == nil {
		return nil
	}
	return errorIn(name, fmt.Errorf("%w; delete this secret and run reindex to rebuild the index", err))
}

// answered turns what the service has answered about a secret into an object; one
// that is not stored has no revision.
func answered(secret driver.Secret, err error) (object, error) {
	if err != nil {
		return object{}, errorIn(secret.Name, err)
	}
	if secret.Revision == "" {
		return absent(secret.Name), nil
	}
	return decodeObject(secret)
}

// room is the size up to which a claim may fill a secret; 0 means any.
func (s *source) room() int {
	if s.limits.MaxSize == 0 {
		return 0
	}
	return s.limits.MaxSize - min(sealRoom, s.limits.MaxSize/4)
}

// put writes o, in place of the revision that it was read with, under the next
// generation, and returns it as it is then. A result larger than room is not
// written; 0 means that only the service decides.
func (s *source) put(ctx context.Context, o object, room int) (object, error) {
	if o.generation == 0 {
		// The clock's seconds run ahead of any count of writes, so a secret
		// that was lost does not fall back behind what others remember.
		o.generation = max(min(seconds(s.config.Now()), driver.MaxNumber/2)-1, s.seen.Generation(o.name), 0)
	}
	o.generation++
	return s.putExact(ctx, o, room)
}

// putExact is put with the generation that o has.
func (s *source) putExact(ctx context.Context, o object, room int) (object, error) {
	data := o.encode()
	if room > 0 && len(data) > room {
		return o, errorIn(o.name, full(len(data), room))
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

// full returns the error for a document of size bytes where room is for fewer.
func full(size, room int) error {
	return fmt.Errorf("%d of at most %d bytes: %w: %w", size, room, ErrFull, driver.ErrTooLarge)
}

// remove deletes a secret if it is still as it was read.
func (s *source) remove(ctx context.Context, o object) error {
	if err := s.secrets.Delete(ctx, o.name, o.revision); err != nil {
		return errorIn(o.name, err)
	}
	s.seen.Removed(o.name, o.revision)
	return nil
}
