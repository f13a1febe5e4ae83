package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
	"example.com/tokenstore/internal/pause"
	"example.com/tokenstore/internal/staleness"
)

const (
	// writeAttempts bounds the writes of one secret that others overtake. The
	// waits between them add up to about ten seconds.
	writeAttempts = 24
	firstWait     = 10 * time.Millisecond
	longestWait   = time.Second

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
	s := source{secrets: secrets, config: c, seen: newMemory(c.Now)}
	if l, ok := driver.As[driver.Limited](secrets); ok {
		s.limits = l.Limits()
	}
	return s
}

// wait waits before the next attempt, the longer the more there were.
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

// fault says to which secret of the index an error belongs.
func fault(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("index document %q: %w", name, err)
}

// broken says that a secret of the index cannot be understood, and what helps.
func broken(name string, err error) error {
	if err == nil {
		return nil
	}
	return fault(name, fmt.Errorf("%w; delete it, and a reindex makes it anew from the tokens", err))
}

// get reads one secret; one that is not stored has no revision. A state that is,
// or may be, older than one that this process has seen is read again until the
// service has caught up.
func (s *source) get(ctx context.Context, name string) (object, error) {
	var o object
	see := func(ctx context.Context) (staleness.Order, staleness.Sighting, error) {
		asked := s.config.Now()
		secret, err := s.secrets.Get(ctx, name)
		if errors.Is(err, driver.ErrNotFound) {
			secret, err = driver.Secret{Name: name}, nil
		}
		if err != nil {
			return staleness.Fresh, staleness.Sighting{}, fault(name, err)
		}
		var order staleness.Order
		var latest staleness.Sighting
		o, order, latest, err = s.judge(secret, asked)
		return order, latest, err
	}
	accept := func(order staleness.Order, before staleness.Sighting) (bool, error) {
		if order == staleness.Older && !s.seen.suspect(name, s.config.Now(), restored) {
			return false, fault(name, staleness.ErrBehind)
		}
		return s.seen.Accept(name, o.seen(), before), nil
	}
	if err := staleness.CatchUp(ctx, s.config.Sleep, see, accept); err != nil {
		return object{}, err
	}
	return o, nil
}

// judge decodes a secret and compares it with the latest state that was seen of
// it. asked is when the read began.
func (s *source) judge(secret driver.Secret, asked time.Time) (object, staleness.Order, staleness.Sighting, error) {
	o := absent(secret.Name)
	if secret.Revision != "" {
		var err error
		if o, err = decodeObject(secret); err != nil {
			return object{}, staleness.Fresh, staleness.Sighting{}, broken(secret.Name, err)
		}
	}
	order, latest := s.seen.see(o, asked)
	return o, order, latest, nil
}

// getMany reads several secrets, with one call if the service can.
func (s *source) getMany(ctx context.Context, names []string) ([]object, error) {
	batch, ok := driver.As[driver.BatchGetter](s.secrets)
	if !ok || len(names) < 2 {
		return s.getEach(ctx, names)
	}
	asked := s.config.Now()
	secrets, err := batch.GetBatch(ctx, names)
	if err = missingAside(err); err != nil {
		return nil, err
	}
	found := make(map[string]driver.Secret, len(secrets))
	for _, secret := range secrets {
		found[secret.Name] = secret
	}
	objects := make([]object, len(names))
	var stale []int
	for i, name := range names {
		secret, ok := found[name]
		if !ok {
			secret = driver.Secret{Name: name}
		}
		o, order, _, err := s.judge(secret, asked)
		if err != nil {
			return nil, err
		}
		if order != staleness.Fresh {
			stale = append(stale, i)
		}
		objects[i] = o
	}
	return objects, parallel.Each(ctx, len(stale), s.config.Parallelism, func(ctx context.Context, i int) (err error) {
		objects[stale[i]], err = s.get(ctx, names[stale[i]])
		return err
	})
}

// getEach reads secrets with a call for each, several at a time. The first error
// ends it.
func (s *source) getEach(ctx context.Context, names []string) ([]object, error) {
	objects := make([]object, len(names))
	err := parallel.Each(ctx, len(names), s.config.Parallelism, func(ctx context.Context, i int) (err error) {
		objects[i], err = s.get(ctx, names[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	return objects, nil
}

// missingAside returns err without those faults that say that a name is not
// stored.
func missingAside(err error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		joined = single{err}
	}
	var faults []error
	for _, e := range joined.Unwrap() {
		var named *driver.NameError
		switch {
		case errors.Is(e, driver.ErrNotFound):
		case errors.As(e, &named):
			faults = append(faults, fault(named.Name, named.Err))
		default:
			faults = append(faults, e)
		}
	}
	return errors.Join(faults...)
}

type single struct{ err error }

func (s single) Unwrap() []error { return []error{s.err} }

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
		o.generation = max(s.config.Now().Unix()-1, s.seen.Generation(o.name), 0)
	}
	o.generation++
	return s.putExact(ctx, o, room)
}

// putExact is put with the generation that o has.
func (s *source) putExact(ctx context.Context, o object, room int) (object, error) {
	data := o.encode()
	if room > 0 && len(data) > room {
		return o, fault(o.name, full(len(data), room))
	}
	revision, err := s.secrets.Put(ctx, driver.Secret{Name: o.name, Data: data, Revision: o.revision})
	if err != nil {
		if errors.Is(err, driver.ErrTooLarge) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return o, fault(o.name, err)
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
		return fault(o.name, err)
	}
	s.seen.Removed(o.name, o.revision)
	return nil
}
