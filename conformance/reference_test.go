package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// reference is the simplest store that keeps the contract: rows in a slice. Several
// handles can share the rows.
type reference struct {
	data *data
}

type data struct {
	mu   sync.Mutex
	rows []token
	last int
	// foreign are rows of others, for stores that do not leave them alone.
	foreign []token
	notes   map[string]string // by ID
	deleted map[string]token  // by ID
	desk                      // a person's edits
	odd     map[string]bool   // rows whose expiry a person has written badly, by ID
	blind   bool              // reads never return written data
	keeps   bool              // removals remove nothing
	wrongs  handling          // how a wrong store treats a person's edits
}

func newReference() *reference { return &reference{data: &data{}} }

func (d *data) ByID(id string) (token, bool, error) {
	for _, r := range d.shown() {
		if r.ID == id {
			return r, true, nil
		}
	}
	return token{}, false, nil
}

func (d *data) ByKey(k tokenstore.Key, ownerless bool) (token, bool, error) {
	for _, r := range d.shown() {
		if tokenstore.Holds(r, k) && (!ownerless || r.UserName == "") {
			return r, true, nil
		}
	}
	return token{}, false, nil
}

// shown are the rows that a read sees.
func (d *data) shown() []token {
	if d.blind {
		return nil
	}
	return d.rows
}

// remove removes rows and checks that they are gone.
func (d *data) remove(gone func(token) bool) error {
	if !d.keeps {
		d.rows = slices.DeleteFunc(d.rows, func(r token) bool {
			if gone(r) {
				delete(d.notes, r.ID)
				if d.deleted == nil {
					d.deleted = map[string]token{}
				}
				d.deleted[r.ID] = r
			}
			return gone(r)
		})
	}
	if slices.ContainsFunc(d.rows, gone) {
		return fmt.Errorf("%w: the row is still there", tokenstore.ErrUnavailable)
	}
	return nil
}

func (d *data) NewID() (string, error) {
	d.last++
	return "generated-" + strconv.Itoa(d.last), nil
}

func (d *data) Insert(r token) error {
	d.rows = append(d.rows, r)
	return nil
}

func (d *data) Update(r token) error {
	i := slices.IndexFunc(d.rows, func(o token) bool { return o.ID == r.ID })
	d.rows[i] = r
	delete(d.odd, r.ID)
	return nil
}

func (s *reference) FindToken(ctx context.Context, query token) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if s.data.damagedFor(query) {
		return token{}, tokenstore.ErrUnreadable
	}
	return rowstore.Find(s.data, query)
}

func (s *reference) SaveToken(ctx context.Context, t token) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if saved, ok := s.data.mend(t); ok {
		return saved, nil
	}
	return rowstore.Save(s.data, t)
}

func (d *data) Note(r token) (string, error) { return d.notes[r.ID], nil }

func (d *data) SetNote(r token, note string) error {
	if d.notes == nil {
		d.notes = map[string]string{}
	}
	if d.notes[r.ID] = note; note == "" {
		delete(d.notes, r.ID)
	}
	return nil
}

func (*reference) WritesPerDay() int { return 0 }

func (s *reference) FindNoted(ctx context.Context, query token) (noted, error) {
	if err := ctx.Err(); err != nil {
		return noted{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if s.data.damagedFor(query) {
		return noted{}, tokenstore.ErrUnreadable
	}
	return rowstore.FindNoted(s.data, query)
}

func (s *reference) SwapToken(ctx context.Context, old noted, next token, note string) (now noted, swapped bool, err error) {
	if err := ctx.Err(); err != nil {
		return noted{}, false, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if s.data.damagedFor(token{ID: old.ID}) {
		return noted{}, false, tokenstore.ErrUnreadable
	}
	return rowstore.Swap(s.data, old, next, note)
}

func (s *reference) Ping(ctx context.Context) error {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if len(s.data.rows) == 0 && ctx.Err() == nil {
		return tokenstore.ErrNotFound
	}
	return ctx.Err()
}

// SaveTokens saves one token after the other.
func (s *reference) SaveTokens(ctx context.Context, tokens []token) ([]token, error) {
	saved, faults := make([]token, len(tokens)), make([]error, len(tokens))
	for i, t := range tokens {
		if saved[i], faults[i] = s.SaveToken(ctx, t); faults[i] != nil {
			saved[i] = token{}
		}
	}
	return saved, errors.Join(faults...)
}

func (s *reference) FindTokenByID(ctx context.Context, id string) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	if id == "" {
		return token{}, tokenstore.ErrInvalidArgument
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	r, ok, _ := s.data.ByID(id)
	if !ok {
		return token{}, tokenstore.ErrNotFound
	}
	return r, nil
}

func (s *reference) DeleteToken(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id == "" {
		return tokenstore.ErrInvalidArgument
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	s.data.bury(id)
	return s.data.remove(func(r token) bool { return r.ID == id })
}

func (s *reference) DeleteUnchanged(ctx context.Context, tokens []token) []error {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	faults := make([]error, len(tokens))
	for i, t := range tokens {
		if faults[i] = ctx.Err(); faults[i] == nil {
			faults[i] = rowstore.Unchanged(s.data, t)
		}
		if faults[i] == nil {
			s.data.bury(t.ID)
			faults[i] = s.data.remove(func(r token) bool { return r.ID == t.ID })
		}
	}
	return faults
}

func (s *reference) GetTokens(ctx context.Context) ([]token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return slices.Clone(s.data.shown()), s.data.unreadable()
}

// Tokens yields what GetTokens returns.
func (s *reference) Tokens(ctx context.Context) iter.Seq2[token, error] {
	return func(yield func(token, error) bool) {
		tokens, err := s.GetTokens(ctx)
		for _, t := range tokens {
			if ctx.Err() != nil {
				err = ctx.Err()
				break
			}
			if !yield(t, nil) {
				return
			}
		}
		if err != nil {
			yield(token{}, err)
		}
	}
}

func (s *reference) DeleteTokens(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	s.data.buryAll()
	return s.data.remove(func(token) bool { return true })
}

// reopen returns another handle on the rows of a reference.
func reopen(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) {
	return &reference{data: s.(*reference).data}, nil
}
