package secretstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
	"example.com/tokenstore/internal/staleness"
)

// newReader returns what reads the store's rows. A state that is, or may be, older
// than one that this process has seen is read again until the service has caught
// up. What stays for longer than any service is stale is taken: a person has put
// back an older version, removed the generation, or removed the secret.
func (s *Store) newReader() *staleness.Reader[*row] {
	return &staleness.Reader[*row]{
		Secrets: s.secrets, Batch: s.batch, Parallelism: s.parallelism, Now: s.now, Sleep: s.sleep, Decode: s.answered, See: s.known.see,
		Accept: func(ctx context.Context, r *row, order staleness.Order, before staleness.Sighting) (bool, error) {
			accepted := s.known.states.Accept(r.name, r.seen(), before)
			if accepted && order == staleness.Older {
				s.log.WarnContext(ctx, "an older state of a token came back; taking it as a rollback", "store", s.name, "id", tokenstore.Redact(r.id))
			}
			return accepted, nil
		},
	}
}

// answered turns what the service has answered about a secret into a row; what is
// not stored is a row too, in state absent. A fault of the secret makes it
// unreadable, but for one that passes, such as a throttle: that says nothing of it.
func (s *Store) answered(secret driver.Secret, fault error) (*row, error) {
	id := strings.TrimPrefix(secret.Name, s.tokens)
	switch {
	case fault != nil && passes(fault):
		return nil, fault
	case fault != nil:
		return &row{name: secret.Name, id: id, state: unreadable, err: fault}, nil //nolint:nilerr // The fault is the row's.
	case secret.Revision == "":
		return &row{name: secret.Name, id: id}, nil
	}
	return s.parse(id, secret), nil
}

// read returns the row with the given escaped ID. A fault that is not of the
// secret's content is an error.
func (s *Store) read(ctx context.Context, id string) (*row, error) {
	r, err := s.reader.Read(ctx, s.tokens+id)
	if err == nil && r.state == unreadable && !errors.Is(r.err, driver.ErrUnreadable) {
		return nil, r.err
	}
	return r, err
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
// reads where the service has them, else with bounded parallelism. One that may
// not be read is unreadable if others can be.
func (s *Store) readAll(ctx context.Context, ids []string) ([]*row, error) {
	if s.batch == nil || len(ids) < 2 {
		return s.readParallel(ctx, ids)
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.tokens + id
	}
	return s.reader.ReadMany(ctx, names)
}

// readAgain reads those of the rows whose places are given, each with a call of its
// own. One that may not be read is unreadable: others could be.
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

// readListed is readAll for rows that are there as far as a list tells: of the index or
// the service. Those that are absent it reads once more, each with a call of its own.
func (s *Store) readListed(ctx context.Context, ids []string) ([]*row, error) {
	rows, err := s.readAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	return rows, s.confirmAbsent(ctx, rows)
}

// confirmAbsent reads the rows that are absent once more, each with a call of its own:
// only an answer about this very secret says that it is.
func (s *Store) confirmAbsent(ctx context.Context, rows []*row) error {
	if s.batch == nil {
		return nil // They were read so.
	}
	var places []int
	for i, r := range rows {
		if r.state == absent {
			places = append(places, i)
		}
	}
	return s.readAgain(ctx, rows, places)
}

// noAbsence returns an error that is not about one secret without the claim that a
// secret is absent.
func noAbsence(err error) error {
	if !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: the service answers a call for many secrets as if it were for one: %v", tokenstore.ErrUnavailable, err) //nolint:errorlint // As the comment says.
}

// passes reports whether a later read of the same secret may not have the fault, or
// whether it is one of the place that holds all of them.
func passes(err error) bool {
	return tokenstore.Retryable(err) || errors.Is(err, driver.ErrNoContainer) || errors.Is(err, tokenstore.ErrQuota) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
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
