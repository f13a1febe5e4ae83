package conformance

import (
	"context"
	"errors"
	"slices"

	"example.com/tokenstore"
)

// looking is a reference with other looks; nil functions are not replaced.
type looking struct {
	*reference
	findMany func(ctx context.Context, s *reference, queries []token) ([]token, error)
	exists   func(ctx context.Context, s *reference) (bool, error)
	undelete func(ctx context.Context, s *reference, id string) (token, error)
}

func (s looking) FindTokens(ctx context.Context, queries []token) ([]token, error) {
	if s.findMany != nil {
		return s.findMany(ctx, s.reference, queries)
	}
	return s.reference.FindTokens(ctx, queries)
}

func (s looking) Exists(ctx context.Context) (bool, error) {
	if s.exists != nil {
		return s.exists(ctx, s.reference)
	}
	return s.reference.Exists(ctx)
}

func (s looking) UndeleteToken(ctx context.Context, id string) (token, error) {
	if s.undelete != nil {
		return s.undelete(ctx, s.reference, id)
	}
	return s.reference.UndeleteToken(ctx, id)
}

func (s looking) open(d *data) tokenstore.Store {
	s.reference = &reference{data: d}
	return s
}

func wrongLooks() []wrongStore {
	finding := func(f func(ctx context.Context, s *reference, queries []token) ([]token, error)) func(*data) tokenstore.Store {
		return looking{findMany: f}.open
	}
	existing := func(f func(ctx context.Context, s *reference) (bool, error)) func(*data) tokenstore.Store {
		return looking{exists: f}.open
	}
	return []wrongStore{
		{"finds a token that is asked for twice only once", "find-many", finding(func(ctx context.Context, s *reference, queries []token) ([]token, error) {
			found, err := s.FindTokens(ctx, queries)
			for i := range queries {
				if slices.Contains(queries[:i], queries[i]) {
					found[i] = token{}
				}
			}
			return found, err
		})},
		{"leaves out what it does not find", "find-many", finding(func(ctx context.Context, s *reference, queries []token) ([]token, error) {
			found, err := s.FindTokens(ctx, queries)
			return slices.DeleteFunc(found, func(t token) bool { return t == token{} }), err
		})},
		{"reports what it does not find", "find-many", finding(func(ctx context.Context, s *reference, queries []token) ([]token, error) {
			found, err := s.FindTokens(ctx, queries)
			if slices.Contains(found, token{}) {
				err = tokenstore.ErrNotFound
			}
			return found, err
		})},
		{"finds any of a query's keys in a batch", "find-many", finding(func(ctx context.Context, s *reference, queries []token) ([]token, error) {
			found, err := s.FindTokens(ctx, queries)
			for i, query := range queries {
				for _, k := range tokenstore.KeysOf(query) {
					if row, ok, _ := s.data.ByKey(k, false); ok && found[i] == (token{}) {
						found[i] = row
					}
				}
			}
			return found, err
		})},
		{"finds a hundred at most", "find-many", finding(func(ctx context.Context, s *reference, queries []token) ([]token, error) {
			found, err := s.FindTokens(ctx, queries[:min(len(queries), 100)])
			return append(found, make([]token, len(queries)-len(found))...), err
		})},
		{"finds many in an ended context", "find-many", finding(func(ctx context.Context, s *reference, queries []token) ([]token, error) {
			return s.FindTokens(context.WithoutCancel(ctx), queries)
		})},
		{"never exists", "exists", existing(func(ctx context.Context, _ *reference) (bool, error) { return false, ctx.Err() })},
		{"is a fault when it does not exist", "exists", existing(func(ctx context.Context, s *reference) (bool, error) {
			err := s.Ping(ctx)
			return err == nil, err
		})},
		{"exists once it is asked for", "exists", existing(func(ctx context.Context, s *reference) (bool, error) {
			_, err := s.SaveToken(ctx, r3)
			return true, err
		})},
		{"exists in an ended context", "exists", existing(func(ctx context.Context, s *reference) (bool, error) {
			return s.Exists(context.WithoutCancel(ctx))
		})},
	}
}

func wrongUndeletes() []wrongStore {
	undeleting := func(f func(ctx context.Context, s *reference, id string) (token, error)) func(*data) tokenstore.Store {
		return looking{undelete: f}.open
	}
	// back brings back what was deleted, whatever is stored.
	back := func(ctx context.Context, s *reference, id string, change func(*token)) (token, error) {
		return locked(s, func(d *data) (token, error) {
			kept, ok := d.deleted[id]
			if !ok || ctx.Err() != nil {
				return token{}, errors.Join(ctx.Err(), errNotKept)
			}
			change(&kept)
			d.rows = without(d.rows, id)
			return kept, d.Insert(kept)
		})
	}
	return []wrongStore{
		{"brings back a second token of a user", "undelete-stored", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			return back(ctx, s, id, func(*token) {})
		})},
		{"brings back a token without its grant token", "undelete", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			return back(ctx, s, id, func(t *token) { t.GrantToken = "" })
		})},
		{"brings back a token under another user", "undelete", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			return back(ctx, s, id, func(t *token) { t.UserName = "u2" })
		})},
		{"returns what was deleted, and does not store it", "undelete", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			kept, err := s.UndeleteToken(ctx, id)
			if err == nil {
				err = s.DeleteToken(ctx, id)
			}
			return kept, err
		})},
		{"returns nothing and no error for what was never deleted", "undelete", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			kept, err := s.UndeleteToken(ctx, id)
			if errors.Is(err, tokenstore.ErrNotFound) {
				err = nil
			}
			return kept, err
		})},
		{"does not say why there is nothing to undelete", "undelete", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			kept, err := s.UndeleteToken(ctx, id)
			if errors.Is(err, tokenstore.ErrNotFound) {
				err = tokenstore.ErrNotFound
			}
			return kept, err
		})},
		{"undeletes what is stored", "undelete-stored", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			if stored, err := s.FindTokenByID(ctx, id); err == nil {
				return stored, nil
			}
			return s.UndeleteToken(ctx, id)
		})},
		{"undeletes in an ended context", "undelete", undeleting(func(ctx context.Context, s *reference, id string) (token, error) {
			return s.UndeleteToken(context.WithoutCancel(ctx), id)
		})},
	}
}
