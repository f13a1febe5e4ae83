// FindToken and FindTokenByID, and the reads that saves have in common with them.

package secretstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// maxLooks is how often a key with hints but without a hit is looked up: it may be moving
// from one row to another.
const maxLooks = 3

// attempt is one try of one operation. It keeps all that it has read, with the revisions
// on which its writes will rest.
type attempt struct {
	s       *Store
	view    lazyView
	rows    rowSet
	started time.Time
	finding bool                  // the operation is a find: it may search all tokens, and repairs nothing
	saving  tokenstore.OAuthToken // what a save is planning to store
	own     witness
	witness *witness // its own, or one that several attempts share
	hashed  struct {
		key  tokenstore.Key
		hash string
	}
	before map[string]string // by hash of a key: the revisions of its rows at an earlier look
	// What a search of all tokens has read, for a key that the index leaves out, and for one
	// that a person has changed; nil before it.
	scan, editedScan *scan
}

func (s *Store) attempt() *attempt {
	a := &attempt{s: s, view: lazyView{index: s.index}, started: s.wall(), own: witness{s: s}}
	a.witness = &a.own
	return a
}

// wall returns the wall clock. The monotonic clock stops while a machine is suspended, so
// an operation would not notice that it was.
func (s *Store) wall() time.Time { return s.now().Round(0) }

// FindToken returns the stored token that matches query. It writes nothing. The first
// of user, access token, or grant and refresh token that applies decides; see package
// tokenstore.
func (s *Store) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	r, err := s.find(ctx, query)
	if err != nil {
		return tokenstore.OAuthToken{}, s.fail("find token", query.ID, err)
	}
	return r.token, nil
}

func (s *Store) find(ctx context.Context, query tokenstore.OAuthToken) (*row, error) {
	a := s.attempt()
	a.finding = true
	r, _, err := a.resolve(ctx, query, tokenstore.FindKeys(query))
	if err == nil && r == nil {
		err = tokenstore.ErrNotFound
	}
	return r, err
}

// FindTokenByID returns the token with the given ID, or an error that matches
// ErrNotFound.
func (s *Store) FindTokenByID(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	const op = "find token by id"
	if id == "" {
		return tokenstore.OAuthToken{}, s.fail(op, "", fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument))
	}
	a := s.attempt()
	a.finding = true
	r, err := a.byID(ctx, id)
	if err == nil && r == nil {
		err = tokenstore.ErrNotFound
	}
	if err != nil {
		return tokenstore.OAuthToken{}, s.fail(op, id, err)
	}
	return r.token, nil
}

// hash returns the hash of a key. It remembers the last one, for which a find asks again and
// again.
func (a *attempt) hash(k tokenstore.Key) string {
	if a.hashed.hash == "" || a.hashed.key != k {
		a.hashed.key, a.hashed.hash = k, a.s.hash(k)
	}
	return a.hashed.hash
}

// resolve returns the live row that query matches, by its ID or otherwise by the first
// key that has a hit, or nil. missed are the keys that it looked up without a hit.
func (a *attempt) resolve(ctx context.Context, query tokenstore.OAuthToken, keys []tokenstore.Key) (r *row, missed []tokenstore.Key, err error) {
	if query.ID != "" {
		if r, err = a.byID(ctx, query.ID); r != nil || err != nil {
			return r, nil, err
		}
	}
	return a.firstHit(ctx, keys, false)
}

// firstHit returns the row of the first key that has a hit, and the keys before
// it.
func (a *attempt) firstHit(ctx context.Context, keys []tokenstore.Key, ownerless bool) (r *row, missed []tokenstore.Key, err error) {
	for i, k := range keys {
		if r, err = a.byKey(ctx, k, ownerless); r != nil || err != nil {
			return r, keys[:i], err
		}
	}
	return nil, keys, nil
}

// byID returns the live row with the given ID, or nil. For a save it may also be a damaged
// row, to be repaired.
func (a *attempt) byID(ctx context.Context, id string) (*row, error) {
	r, err := a.ownRow(ctx, escapeID(id))
	if err != nil {
		return nil, err
	}
	switch {
	case r.state == damaged && !a.finding:
		return r, nil
	case r.barred():
		return nil, r.err
	case r.state != live || r.token.ID != id:
		return nil, nil
	}
	return r, nil
}

// ownRow is row for an ID that was not found by a key: it also uses the index to decide
// whether the row is the store's.
func (a *attempt) ownRow(ctx context.Context, id string) (*row, error) {
	r, err := a.row(ctx, id)
	if err != nil {
		return nil, err
	}
	return r, a.witness.recognise(ctx, r)
}

// row returns the row with the given escaped ID as this attempt first read it.
func (a *attempt) row(ctx context.Context, id string) (*row, error) {
	if r := a.rows.get(id); r != nil {
		return r, nil
	}
	r, err := a.s.read(ctx, id)
	if err != nil {
		return nil, err
	}
	a.keep(ctx, r)
	return r, nil
}

func (a *attempt) keep(ctx context.Context, r *row) {
	a.rows.put(r)
	if r.state == live {
		a.s.known.learn(a.s, r)
	}
	a.s.warnOfPepper(ctx, r)
}

// warnOfPepper logs, once, that a row was stored under another pepper.
func (s *Store) warnOfPepper(ctx context.Context, r *row) {
	if s.otherPepper(r) && !s.pepperWarned.Swap(true) {
		s.log.WarnContext(ctx, "a token was stored under another pepper or without one; saving with this pepper may create a second token for the same user; give all programs the same pepper",
			"store", s.name, "id", tokenstore.Redact(r.id))
	}
}

// OtherPepper reports whether this Store has read a token that was stored under another
// pepper or without one.
func (s *Store) OtherPepper() bool { return s.pepperWarned.Load() }

// byKey returns the row that a find by the key finds, or nil. With ownerless set, only
// rows without a user count.
func (a *attempt) byKey(ctx context.Context, k tokenstore.Key, ownerless bool) (*row, error) {
	if k.Kind == tokenstore.UserKey {
		// A user's row usually has the ID that is derived from the user, which needs no
		// look-up in the index.
		r, err := a.row(ctx, a.hash(k))
		if err != nil {
			return nil, err
		}
		a.s.recognise(r, lookedFor(k))
		if r.holds(k) {
			return r, nil
		}
	}
	before := a.before[a.hash(k)]
	for range maxLooks {
		ids, err := a.candidates(ctx, k)
		if err != nil {
			return nil, err
		}
		if err := a.loadHinted(ctx, k, ids); err != nil {
			return nil, err
		}
		r, settled, err := a.pick(k, ids, ownerless)
		if r != nil || err != nil {
			return r, err
		}
		now := a.revisions(ids)
		if settled || now == before {
			break
		}
		before = now
		a.forget(ids)
	}
	return a.search(ctx, k, ownerless)
}

// candidates returns the escaped IDs of the rows that may have the key.
func (a *attempt) candidates(ctx context.Context, k tokenstore.Key) ([]string, error) {
	hash := a.hash(k)
	found, err := a.view.Lookup(ctx, hash)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, hint := range found[0] {
		ids = append(ids, hint.ID)
	}
	if r := a.rows.get(hash); r != nil && !slices.Contains(ids, hash) {
		a.s.recognise(r, lookedFor(k))
		if r.barred() {
			ids = append(ids, hash) // It has the ID that is derived from the key, so it may have the key.
		}
	}
	for _, id := range a.s.known.holders(hash) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// loadHinted reads the rows to which hints of the key, or this process's memory of it,
// point.
func (a *attempt) loadHinted(ctx context.Context, k tokenstore.Key, ids []string) error {
	if err := a.loadFound(ctx, ids); err != nil {
		return err
	}
	for _, id := range ids {
		e := evidence{hinted: true}
		if id == a.hash(k) {
			e.derived = keyFields[k.Kind]
		}
		if err := a.recognise(ctx, a.rows.get(id), e); err != nil {
			return err
		}
	}
	return nil
}

// pick returns, of the rows that have the key, the one whose ID is derived from it, or
// otherwise the oldest. settled reports that all of the rows have the key, so that it
// cannot be moving from one to another. If no row has it, a save gets a damaged row that
// it may repair: the one whose ID is derived from the key, or otherwise one whose name
// belongs to the token that is saved.
func (a *attempt) pick(k tokenstore.Key, ids []string, ownerless bool) (best *row, settled bool, err error) {
	derived := a.hash(k)
	settled = true
	var mendable *row
	for _, id := range ids {
		r := a.rows.get(id)
		switch {
		case r.state == damaged && id == derived && !a.finding && (!ownerless || r.token.UserName == ""):
			mendable = r
		case r.state == damaged && !a.finding && a.names(r):
			mendable = cmp.Or(mendable, r)
		case r.barred():
			err = r.fault()
		}
		if !r.holds(k) {
			settled = false
			continue
		}
		if ownerless && r.token.UserName != "" {
			continue
		}
		if best == nil || r.id == derived || best.id != derived && older(r, best) < 0 {
			best = r
		}
	}
	switch {
	case best != nil:
		return best, true, nil
	case mendable != nil && err == nil:
		return mendable, true, nil
	}
	return nil, settled, err
}

// names reports whether the ID of a damaged row is derived from a key of the token that is
// saved, and nothing in the row says that it is another user's. A hint has led to it, so it
// was that token, or a save of it had got no further than its claims.
func (a *attempt) names(r *row) bool {
	if user := r.token.UserName; user != "" && user != a.saving.UserName {
		return false
	}
	return slices.ContainsFunc(tokenstore.KeysOf(a.saving), func(k tokenstore.Key) bool {
		return k.Kind != tokenstore.AccessKey && a.s.hash(k) == r.id
	})
}

// revisions returns a string that changes whenever one of the rows does.
func (a *attempt) revisions(ids []string) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(id + "=" + a.rows.get(id).revision + "\n")
	}
	return b.String()
}

// forget drops what the attempt has read, so that it reads the index and the rows again.
func (a *attempt) forget(ids []string) {
	a.view.Forget()
	for _, id := range ids {
		a.rows.drop(id)
	}
}

// list returns the escaped IDs of all tokens, from the index if that has them all, and
// otherwise also from the service. Some may be gone. A missing index may be lost, so a
// role that may list then gets the service's list.
func (s *Store) list(ctx context.Context) ([]string, error) {
	ids, whole, err := s.indexed(ctx)
	if whole || err != nil {
		return ids, err
	}
	s.warnOfOtherForm(ctx)
	s.warnOfSettings(ctx)
	listed, err := s.listSecrets(ctx)
	if len(ids) > 0 {
		listed = union(ids, listed)
	}
	return listed, s.mayList(err)
}

// indexed returns the escaped IDs of all tokens that the index has, and whether these are
// all tokens.
func (s *Store) indexed(ctx context.Context) (ids []string, whole bool, err error) {
	if lister, lists := s.index.(index.Lister); lists {
		return lister.IDs(ctx)
	}
	return nil, false, nil
}

// mayList returns the error of a listing by the service. It returns nil if the role may
// not list, but the index has the list of all tokens: then that list is used.
func (s *Store) mayList(err error) error {
	if _, ok := s.index.(index.Lister); ok && errors.Is(err, tokenstore.ErrDenied) {
		return nil
	}
	return err
}

// union returns all IDs of both lists, sorted, each once.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// listSecrets returns the escaped IDs of all tokens from the service's listing.
func (s *Store) listSecrets(ctx context.Context) ([]string, error) {
	var ids []string
	for name, err := range s.secrets.List(ctx, s.tokens) {
		if err != nil {
			return nil, noAbsence(err)
		}
		id := strings.TrimPrefix(name, s.tokens)
		if _, ok := unescapeID(id); ok || strings.HasPrefix(id, hashedName) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
