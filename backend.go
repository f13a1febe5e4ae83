package tokenstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

const (
	// staleReads is how often a secret is read again that is older than one
	// that this process has seen, and goneReads how often one that is not there
	// any more: a service with stale reads shows both for a while.
	staleReads = 8
	goneReads  = 4
	// staleWait is the first pause between such reads; it doubles.
	staleWait = 10 * time.Millisecond
	// staleFor is how long they take, and so how long a service is expected to
	// show what was overwritten.
	staleFor = staleWait << staleReads
)

// read returns the row with the given escaped ID; what is not there is a row
// too, in state absent. A state older than one that this process has seen is
// read again until the service has caught up.
func (s *SecretStore) read(ctx context.Context, id string) (*row, error) {
	name := s.tokens + id
	wait := staleWait
	for tries := 1; ; tries++ {
		secret, err := s.secrets.Get(ctx, name)
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			if errors.Is(err, driver.ErrUnreadable) {
				return &row{name: name, id: id, state: unreadable, err: err}, nil
			}
			return nil, err
		}
		r := &row{name: name, id: id}
		if err == nil {
			r = s.parse(id, secret)
		}
		switch s.known.see(r) {
		case fresh:
			return r, nil
		case gone:
			if tries > goneReads {
				s.known.forget(name)
				return r, nil
			}
		case stale:
			if tries > staleReads {
				// Nothing stays stale for so long: a person has put back an older
				// version, or one without a generation.
				s.known.accept(r)
				if !r.uncounted {
					s.log.WarnContext(ctx, "an older state of a token came back; taking it as a rollback", "store", s.name, "id", Redact(id))
				}
				return r, nil
			}
		}
		if err := s.sleep(ctx, wait); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

// write puts the row and returns it with its new revision.
func (s *SecretStore) write(ctx context.Context, r *row) (*row, error) {
	data, err := encodeObject(r.object)
	if err != nil {
		return nil, err
	}
	revision, err := s.secrets.Put(ctx, driver.Secret{Name: r.name, Data: data, Revision: r.revision})
	if err != nil {
		return nil, err
	}
	stored := *r
	stored.revision = revision
	s.known.wrote(&stored)
	if stored.state == live {
		s.known.learn(s, &stored)
	}
	return &stored, nil
}

// readAll returns the rows with the given escaped IDs, in that order, by batch
// reads where the service has them, else with bounded parallelism.
func (s *SecretStore) readAll(ctx context.Context, ids []string) ([]*row, error) {
	if s.batch == nil || len(ids) < 2 {
		return s.readParallel(ctx, ids)
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.tokens + id
	}
	secrets, err := s.batch.GetBatch(ctx, names)
	faults, err := faultsByName(err)
	if err != nil {
		return nil, err
	}
	found := make(map[string]driver.Secret, len(secrets))
	for _, secret := range secrets {
		found[secret.Name] = secret
	}
	rows := make([]*row, len(ids))
	for i, id := range ids {
		r := &row{name: names[i], id: id}
		if secret, ok := found[r.name]; ok {
			r = s.parse(id, secret)
		} else if fault, ok := faults[r.name]; ok {
			r.state, r.err = unreadable, fault
		}
		if s.known.see(r) != fresh {
			if r, err = s.read(ctx, id); err != nil {
				return nil, err
			}
		}
		rows[i] = r
	}
	return rows, nil
}

// faultsByName takes apart the error of a batch read. Faults of single secrets
// that stay are returned by name. What passes, such as a throttle, is an error
// of the whole call: the secret is neither absent nor unreadable.
func faultsByName(err error) (map[string]error, error) {
	if err == nil {
		return nil, nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil, err
	}
	faults := map[string]error{}
	for _, e := range joined.Unwrap() {
		var fault *driver.NameError
		switch {
		case !errors.As(e, &fault):
			return nil, err
		case errors.Is(fault.Err, driver.ErrNotFound):
		case passes(fault.Err):
			return nil, fault.Err
		default:
			faults[fault.Name] = fault.Err
		}
	}
	return faults, nil
}

// passes reports whether a later read of the same secret may not have the fault.
func passes(err error) bool {
	return Retryable(err) || errors.Is(err, ErrQuota) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// readParallel reads rows with bounded parallelism. The first error ends it, but
// for a missing permission: where others can be read, that is a row's own fault.
func (s *SecretStore) readParallel(ctx context.Context, ids []string) ([]*row, error) {
	rows := make([]*row, len(ids))
	var denied atomic.Int64
	var allowed atomic.Bool
	err := s.parallel(ctx, len(ids), func(ctx context.Context, i int) error {
		r, err := s.read(ctx, ids[i])
		switch {
		case err == nil:
			allowed.Store(true)
		case errors.Is(err, ErrDenied) && (denied.Add(1) <= int64(s.parallelism) || allowed.Load()):
			r, err = &row{name: s.tokens + ids[i], id: ids[i], state: unreadable, err: err}, nil
		}
		rows[i] = r
		return err
	})
	if err == nil && len(rows) > 0 && !allowed.Load() {
		err = rows[0].err
	}
	return rows, err
}

// parallel calls do for 0 to n-1, as many at a time as the store is set to.
func (s *SecretStore) parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	return parallel.Each(ctx, n, s.parallelism, do)
}
