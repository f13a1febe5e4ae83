package conformance

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// reference is the simplest store that keeps the contract: rows in a slice. Its
// rows are shared, so that several handles can be on them.
type reference struct {
	data *data
}

type data struct {
	mu   sync.Mutex
	rows []token
	last int
	// foreign are rows of others, for stores that do not keep their hands off.
	foreign []token
}

func newReference() *reference { return &reference{data: &data{}} }

func (d *data) ByID(id string) (token, bool, error) {
	for _, r := range d.rows {
		if r.ID == id {
			return r, true, nil
		}
	}
	return token{}, false, nil
}

func (d *data) ByKey(k tokenstore.Key, ownerless bool) (token, bool, error) {
	for _, r := range d.rows {
		if tokenstore.Holds(r, k) && (!ownerless || r.UserName == "") {
			return r, true, nil
		}
	}
	return token{}, false, nil
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
	return nil
}

func (s *reference) FindToken(ctx context.Context, query token) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return rowstore.Find(s.data, query)
}

func (s *reference) SaveToken(ctx context.Context, t token) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return rowstore.Save(s.data, t)
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
	s.data.rows = slices.DeleteFunc(s.data.rows, func(r token) bool { return r.ID == id })
	return nil
}

func (s *reference) GetTokens(ctx context.Context) ([]token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return slices.Clone(s.data.rows), nil
}

func (s *reference) DeleteTokens(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	s.data.rows = nil
	return nil
}

// reopen returns another handle on the rows of a reference.
func reopen(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) {
	return &reference{data: s.(*reference).data}, nil
}
