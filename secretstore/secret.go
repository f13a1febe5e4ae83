package secretstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
	"example.com/tokenstore/internal/staleness"
)

// read returns the row with the given escaped ID; what is not there is a row
// too, in state absent. A state that is, or may be, older than one that this
// process has seen is read again until the service has caught up. What stays for
// longer than any service is stale is taken: a person has put back an older
// version, removed the generation, or removed the secret.
func (s *Store) read(ctx context.Context, id string) (*row, error) {
	var r *row
	see := func(ctx context.Context) (order staleness.Order, latest staleness.Sighting, err error) {
		asked := s.now()
		if r, err = s.look(ctx, id); err == nil {
			order, latest = s.known.see(r, asked)
		}
		return order, latest, err
	}
	accept := func(order staleness.Order, before staleness.Sighting) (bool, error) {
		accepted := s.known.states.Accept(r.name, r.seen(), before)
		if accepted && order == staleness.Older {
			s.log.WarnContext(ctx, "an older state of a token came back; taking it as a rollback", "store", s.name, "id", tokenstore.Redact(id))
		}
		return accepted, nil
	}
	if err := staleness.CatchUp(ctx, s.sleep, see, accept); err != nil {
		return nil, err
	}
	return r, nil
}

// look reads a secret once.
func (s *Store) look(ctx context.Context, id string) (*row, error) {
	r := &row{name: s.tokens + id, id: id}
	secret, err := s.secrets.Get(ctx, r.name)
	switch {
	case err == nil:
		return s.parse(id, secret), nil
	case errors.Is(err, driver.ErrNotFound):
		return r, nil
	case errors.Is(err, driver.ErrUnreadable):
		r.state, r.err = unreadable, err
		return r, nil
	}
	return nil, err
}

// write puts the row and returns it with its new revision.
func (s *Store) write(ctx context.Context, r *row) (*row, error) {
	revision, err := s.secrets.Put(ctx, driver.Secret{Name: r.name, Data: r.data(), Revision: r.revision})
	if err != nil {
		return nil, err
	}
	stored := *r
	stored.revision = revision
	s.known.wrote(s, &stored)
	return &stored, nil
}

// readAll returns the rows with the given escaped IDs, in that order, by batch
// reads where the service has them, else with bounded parallelism.
func (s *Store) readAll(ctx context.Context, ids []string) ([]*row, error) {
	if s.batch == nil || len(ids) < 2 {
		return s.readParallel(ctx, ids)
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.tokens + id
	}
	asked := s.now()
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
	var stale []int
	for i, id := range ids {
		r := &row{name: names[i], id: id}
		if secret, ok := found[r.name]; ok {
			r = s.parse(id, secret)
		} else if fault, ok := faults[r.name]; ok {
			r.state, r.err = unreadable, fault
		}
		if order, _ := s.known.see(r, asked); order != staleness.Fresh {
			stale = append(stale, i)
		}
		rows[i] = r
	}
	return rows, s.readAgain(ctx, rows, stale)
}

// readAgain reads those of the rows whose places are given. One that may not be
// read is unreadable: others of the batch could be.
func (s *Store) readAgain(ctx context.Context, rows []*row, places []int) error {
	return s.parallel(ctx, len(places), func(ctx context.Context, i int) error {
		old := rows[places[i]]
		r, err := s.read(ctx, old.id)
		if errors.Is(err, tokenstore.ErrDenied) {
			r, err = &row{name: old.name, id: old.id, state: unreadable, err: err}, nil
		}
		rows[places[i]] = r
		return err
	})
}

// faultsByName takes apart the error of a batch read. Faults of single secrets
// that stay are returned by name. What passes, such as a throttle, is an error
// of the whole call: the secret is neither absent nor unreadable. Only a fault that
// belongs to one name says that this name is absent: a batch that fails as a whole
// says nothing about any.
func faultsByName(err error) (map[string]error, error) {
	faults := map[string]error{}
	for _, e := range leaves(err) {
		var fault *driver.NameError
		switch {
		case !errors.As(e, &fault):
			return nil, noAbsence(err)
		case errors.Is(fault.Err, driver.ErrNotFound):
		case passes(fault.Err):
			return nil, fault.Err
		default:
			faults[fault.Name] = fault.Err
		}
	}
	return faults, nil
}

// leaves returns what errors.Join has joined, through all levels.
func leaves(err error) []error {
	parts := joined(err)
	if len(parts) == 1 {
		return parts
	}
	var all []error
	for _, part := range parts {
		all = append(all, leaves(part)...)
	}
	return all
}

// noAbsence returns an error that is not about one secret without the claim that a
// secret is absent.
func noAbsence(err error) error {
	if !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: the service answers a call for many secrets as if it were for one: %v", tokenstore.ErrUnavailable, err) //nolint:errorlint // As the comment says.
}

// passes reports whether a later read of the same secret may not have the fault.
func passes(err error) bool {
	return tokenstore.Retryable(err) || errors.Is(err, tokenstore.ErrQuota) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// maxDenied is how many tokens may be denied before one can be read: then it is
// taken that the role may read none, and not asked for thousands more.
const maxDenied = 100

// readParallel reads rows with bounded parallelism. The first error ends it, but
// for a missing permission: where others can be read, that is a row's own fault.
func (s *Store) readParallel(ctx context.Context, ids []string) ([]*row, error) {
	rows := make([]*row, len(ids))
	var denied atomic.Int64
	var allowed atomic.Bool
	err := s.parallel(ctx, len(ids), func(ctx context.Context, i int) error {
		r, err := s.read(ctx, ids[i])
		switch {
		case err == nil:
			allowed.Store(true)
		case errors.Is(err, tokenstore.ErrDenied) && (denied.Add(1) <= maxDenied || allowed.Load()):
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
func (s *Store) parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	return parallel.Each(ctx, n, s.parallelism, do)
}
