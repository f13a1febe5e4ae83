// What many saves or finds read together before they are planned one by one: the rows, and
// the parts of the index that the rows do not make unnecessary.

package secretstore

import (
	"context"
	"slices"

	"example.com/tokenstore"
)

// prefetch reads the rows and the parts of the index that the plans need, in as few calls
// as the service allows. Its errors occur again in the plans, which report them.
func (a *attempt) prefetch(ctx context.Context, tokens []tokenstore.OAuthToken) {
	var ids, hashes []string
	var keys []tokenstore.Key
	for _, t := range tokens {
		if t.ID != "" {
			ids = append(ids, escapeID(t.ID))
		}
		if of := tokenstore.KeysOf(t); len(of) > 0 {
			ids = append(ids, a.s.hash(of[0]))
		}
	}
	if a.load(ctx, unique(ids)) != nil {
		return
	}
	for _, t := range tokens {
		if !a.atHome(t) {
			keys = append(keys, a.s.looked(t)...)
		}
	}
	for _, k := range keys {
		hashes = append(hashes, a.s.hash(k))
	}
	if len(hashes) == 0 {
		return
	}
	hinted, err := a.lookUp(ctx, hashes)
	if err != nil {
		return
	}
	if moving := a.moving(keys, hashes, hinted); len(moving) > 0 {
		a.forget(moving)
		if a.load(ctx, moving) == nil {
			_, _ = a.lookUp(ctx, hashes)
		}
	}
}

// atHome reports whether a row that was read answers a find or save of t without the index:
// that of its ID or, if there is none, that of its user.
func (a *attempt) atHome(t tokenstore.OAuthToken) bool {
	if t.ID != "" {
		if r := a.rows.get(escapeID(t.ID)); r != nil && r.state == live && r.token.ID == t.ID {
			return true
		}
	}
	user := tokenstore.Key{Kind: tokenstore.UserKey, Value: t.UserName}
	return t.UserName != "" && a.rows.get(a.s.hash(user)).holds(user)
}

// looked returns the keys of t that a save of it looks up or claims, if no row answers it
// without the index.
func (s *Store) looked(t tokenstore.OAuthToken) []tokenstore.Key {
	keys := s.keys(t)
	for _, k := range tokenstore.FindKeys(t) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// lookUp reads the hints of hashes, and the rows to which they point. It returns the escaped
// IDs of these rows, for each hash.
func (a *attempt) lookUp(ctx context.Context, hashes []string) ([][]string, error) {
	hints, err := a.view.Lookup(ctx, hashes...)
	if err != nil {
		return nil, err
	}
	hinted := make([][]string, len(hashes))
	for i, of := range hints {
		for _, hint := range of {
			hinted[i] = append(hinted[i], hint.ID)
		}
	}
	return hinted, a.load(ctx, unique(slices.Concat(hinted...)))
}

// moving returns the escaped IDs of the rows of keys that have hints but no hit, as those of
// saves that did not finish: such a key may be moving from one row to another, and is looked
// up again, but all of them together. It remembers what the rows were.
func (a *attempt) moving(keys []tokenstore.Key, hashes []string, hinted [][]string) []string {
	var moving []string
	a.before = map[string]string{}
	for i, k := range keys {
		ids := hinted[i]
		if len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return a.rows.get(id).holds(k) }) {
			a.before[hashes[i]] = a.revisions(ids)
			moving = append(moving, ids...)
		}
	}
	return unique(moving)
}
