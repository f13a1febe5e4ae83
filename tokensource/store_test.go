package tokensource_test

import (
	"context"
	"slices"
	"sync"

	"example.com/tokenstore"
)

// fakeStore is a store in memory that follows the contract, with its swap. A gate may come before
// every call, and reads may show the row as it was one write ago.
type fakeStore struct {
	tokenstore.Store // the methods that no test needs
	mu               sync.Mutex
	rows             []tokenstore.Noted
	reads, writes    int
	perDay           int
	// fault is called before each call, without the lock, and may fail it.
	fault func(ctx context.Context, op string) error
	// lost is called after a write has happened, and may lose its reply.
	lost func(op string) error
}

func newFakeStore(rows ...tokenstore.OAuthToken) *fakeStore {
	s := &fakeStore{}
	for _, t := range rows {
		s.rows = append(s.rows, tokenstore.Noted{OAuthToken: t.Normal()})
	}
	return s
}

func (s *fakeStore) before(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.fault != nil {
		return s.fault(ctx, op)
	}
	return nil
}

func (s *fakeStore) index(query tokenstore.OAuthToken) int {
	if query.ID != "" {
		if i := slices.IndexFunc(s.rows, func(r tokenstore.Noted) bool { return r.ID == query.ID }); i >= 0 {
			return i
		}
	}
	for _, k := range tokenstore.FindKeys(query) {
		if i := slices.IndexFunc(s.rows, func(r tokenstore.Noted) bool { return tokenstore.Holds(r.OAuthToken, k) }); i >= 0 {
			return i
		}
	}
	return -1
}

func notFound(op string) error {
	return &tokenstore.Error{Store: "fake", Op: op, Kind: tokenstore.ErrNotFound}
}

func (s *fakeStore) FindNoted(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	if err := s.before(ctx, "find"); err != nil {
		return tokenstore.Noted{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	i := s.index(query)
	if i < 0 {
		return tokenstore.Noted{}, notFound("find")
	}
	return s.rows[i], nil
}

func (s *fakeStore) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	row, err := s.FindNoted(ctx, query)
	return row.OAuthToken, err
}

func (s *fakeStore) FindTokenByID(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	return s.FindToken(ctx, tokenstore.OAuthToken{ID: id})
}

func (s *fakeStore) SwapToken(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (tokenstore.Noted, bool, error) {
	if err := s.before(ctx, "swap"); err != nil {
		return tokenstore.Noted{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(tokenstore.OAuthToken{ID: old.ID})
	if i < 0 {
		return tokenstore.Noted{}, false, notFound("swap")
	}
	row := &s.rows[i]
	if row.GrantToken != old.GrantToken || row.RefreshToken != old.RefreshToken || row.AccessToken != old.AccessToken || row.Note != old.Note {
		return *row, false, nil
	}
	next.ID, next.UserName = "", ""
	row.OAuthToken, row.Note = tokenstore.Update(row.OAuthToken, next), note
	s.writes++
	if s.lost != nil {
		if err := s.lost("swap"); err != nil {
			return tokenstore.Noted{}, false, err
		}
	}
	return *row, true, nil
}

func (s *fakeStore) WritesPerDay() int { return s.perDay }

func (s *fakeStore) SaveToken(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if err := s.before(ctx, "save"); err != nil {
		return t, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	i := s.index(t)
	if i < 0 {
		s.rows = append(s.rows, tokenstore.Noted{OAuthToken: t.Normal()})
		return t.Normal(), nil
	}
	s.rows[i].OAuthToken = tokenstore.Update(s.rows[i].OAuthToken, t)
	return s.rows[i].OAuthToken, nil
}

func (s *fakeStore) DeleteToken(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = slices.DeleteFunc(s.rows, func(r tokenstore.Noted) bool { return r.ID == id })
	return nil
}

// row returns the only row.
func (s *fakeStore) row() tokenstore.Noted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[0]
}

// edit changes the only row, as a person does.
func (s *fakeStore) edit(change func(*tokenstore.Noted)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.rows[0])
}

func (s *fakeStore) counts() (reads, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.writes
}

// plainStore is a store that cannot swap.
type plainStore struct{ tokenstore.Store }
