// Reading and writing tokens' secrets. Stale reads, and absence without proof, are handled
// here, once.

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

// newReader returns the reader of the store's rows. If a state is, or may be, older than one
// that this process has seen, the reader retries until the service has caught up. A state
// that stays for longer than any service is stale is accepted: a person has put back an
// older version, removed the generation, or removed the secret.
func (s *Store) newReader() *staleness.Reader[*row] {
	return &staleness.Reader[*row]{
		Secrets: s.secrets, Batch: s.batch, Parallelism: s.parallelism, Now: s.now, Sleep: s.sleep, Decode: s.answered, See: s.known.see,
		Accept: func(ctx context.Context, r *row, order staleness.Order, before staleness.Sighting) (bool, error) {
			accepted := s.known.states.Accept(r.name, r.seen(), before)
			if accepted && order == staleness.Older {
				s.log.WarnContext(ctx, "token reverted to an older version; accepting it as a manual rollback", "store", s.name, "id", tokenstore.Redact(r.id))
			}
			return accepted, nil
		},
	}
}

// answered turns the service's answer about a secret into a row; a missing secret is a row
// in state absent. A fault of the secret makes the row unreadable, except for a temporary
// one, such as throttling, which says nothing about the secret.
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

// read returns the row with the given escaped ID. It returns an error only for faults that
// do not concern the secret's content.
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
	stored.revision, stored.again = revision, false
	s.known.wrote(s, &stored)
	return &stored, nil
}

// readAll returns the rows with the given escaped IDs, in that order, by batch reads if the
// service has them, and otherwise in parallel. A row that the role may not read is
// unreadable if it may read others.
func (s *Store) readAll(ctx context.Context, ids []string, p *permission) ([]*row, error) {
	decode, err := s.fetch(ctx, ids, p)
	if err != nil {
		return nil, err
	}
	return decode(ctx)
}

// decoder returns the rows that calls have answered.
type decoder = func(context.Context) ([]*row, error)

// fetch is readAll in two parts: it makes the calls, and the function that it returns decodes
// what they have answered.
func (s *Store) fetch(ctx context.Context, ids []string, p *permission) (decoder, error) {
	if s.batch == nil || len(ids) < 2 {
		rows, err := s.readParallel(ctx, ids, p)
		return func(context.Context) ([]*row, error) { return rows, nil }, err
	}
	fetched, err := s.reader.Fetch(ctx, s.namesOf(ids))
	return func(ctx context.Context) ([]*row, error) {
		rows, err := s.reader.Values(ctx, fetched)
		if err == nil {
			p.allowed.Store(true)
		}
		return rows, err
	}, err
}

// namesOf returns the names of the secrets with the given escaped IDs.
func (s *Store) namesOf(ids []string) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.tokens + id
	}
	return names
}

// readAgain reads the rows at the given places, each with a call of its own. A row that the
// role may not read is unreadable, since it may read others.
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

// readListed is readAll for rows that the index or the service has listed. It reads absent
// ones once more, each with a call of its own.
func (s *Store) readListed(ctx context.Context, ids []string, p *permission) ([]*row, error) {
	decode, err := s.fetchListed(ctx, ids, p)
	if err != nil {
		return nil, err
	}
	return decode(ctx)
}

// fetchListed is readListed in two parts, as fetch is readAll.
func (s *Store) fetchListed(ctx context.Context, ids []string, p *permission) (decoder, error) {
	decode, err := s.fetch(ctx, ids, p)
	return func(ctx context.Context) ([]*row, error) {
		rows, err := decode(ctx)
		if err != nil {
			return nil, err
		}
		return rows, s.confirmAbsent(ctx, rows)
	}, err
}

// confirmAbsent reads absent rows once more, each with a call of its own: only an answer
// about this very secret proves that it is absent.
func (s *Store) confirmAbsent(ctx context.Context, rows []*row) error {
	if s.batch == nil {
		return nil // They were read one by one already.
	}
	var places []int
	for i, r := range rows {
		if r.state == absent {
			places = append(places, i)
		}
	}
	return s.readAgain(ctx, rows, places)
}

// noAbsence returns an error of a call for many secrets so that it no longer matches
// ErrNotFound, which it cannot prove.
func noAbsence(err error) error {
	if !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: the service answered not found to a call for many secrets, which says nothing about any of them; retry later: %v", tokenstore.ErrUnavailable, err) //nolint:errorlint // As the comment says.
}

// passes reports whether the fault may be gone at a later read of the same secret, or
// concerns the container of all secrets.
func passes(err error) bool {
	return tokenstore.Retryable(err) || errors.Is(err, driver.ErrNoContainer) || errors.Is(err, tokenstore.ErrQuota) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// maxDenied is how many tokens may be denied before any has been read. After that the role
// is assumed to have no permission at all, and no more tokens are tried.
const maxDenied = 100

// permission is what the reads of one operation have shown of its permission to read.
// The zero value knows nothing.
type permission struct {
	denied  atomic.Int64 // how many rows
	allowed atomic.Bool  // some rows can be read
}

// readParallel reads rows with bounded parallelism. It ends at the first error other than a
// missing permission, which concerns only its row if others can be read.
func (s *Store) readParallel(ctx context.Context, ids []string, p *permission) ([]*row, error) {
	rows := make([]*row, len(ids))
	err := s.parallel(ctx, len(ids), func(ctx context.Context, i int) error {
		r, err := s.read(ctx, ids[i])
		switch {
		case err == nil:
			p.allowed.Store(true)
		case errors.Is(err, tokenstore.ErrDenied) && (p.denied.Add(1) <= maxDenied || p.allowed.Load()):
			r, err = &row{name: s.tokens + ids[i], id: ids[i], state: unreadable, err: err}, nil
		}
		rows[i] = r
		return err
	})
	if err == nil && len(rows) > 0 && !p.allowed.Load() {
		err = rows[0].err
	}
	return rows, err
}

// parallel calls do for 0 to n-1, limited by the store's parallelism.
func (s *Store) parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	return parallel.Each(ctx, n, s.parallelism, do)
}
