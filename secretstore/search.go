// The search of a find, or of a save, that the index does not answer: it reads tokens.

package secretstore

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// searchChunk is how many tokens a search reads before it looks for a hit among them.
const searchChunk = 200

// search reads tokens for a key that the index may lack: one that it leaves out or, for a
// find, one that a person has changed in the service's console. A row without a user has its
// refresh and grant token in the index, so that no search for one is needed.
func (a *attempt) search(ctx context.Context, k tokenstore.Key, ownerless bool) (*row, error) {
	if !ownerless {
		leftOut, err := a.s.leavesOut(ctx, a.view.open(), k.Kind)
		if err != nil {
			return nil, err
		}
		if leftOut {
			return a.searchLeftOut(ctx, k)
		}
	}
	if !a.finding || a.s.scanLimit == 0 {
		return nil, nil
	}
	r, err := a.searchEdited(ctx, k)
	if errors.Is(err, tokenstore.ErrDenied) {
		// A role may be allowed to find but not to list; then the index decides.
		return nil, nil
	}
	return r, err
}

// searchEdited reads all tokens, or none if there are more than the scan limit.
func (a *attempt) searchEdited(ctx context.Context, k tokenstore.Key) (*row, error) {
	if a.editedScan == nil {
		ids, err := a.s.listFew(ctx)
		if err != nil && !errors.Is(err, tokenstore.ErrDenied) {
			return nil, err
		}
		a.editedScan = &scan{left: ids, keys: map[string][]string{}}
	}
	return a.scanFor(ctx, a.editedScan, k, a.s.scanLimit)
}

// listFew returns the escaped IDs of all tokens, or none if there are more than the scan
// limit. It does not read all of a large index to find that out.
func (s *Store) listFew(ctx context.Context) ([]string, error) {
	if counter, ok := s.index.(index.Counter); ok {
		if more, err := counter.More(ctx, s.scanLimit); more || err != nil {
			return nil, err
		}
	}
	ids, err := s.list(ctx)
	if err != nil || len(ids) > s.scanLimit {
		return nil, err
	}
	return ids, nil
}

// scan is how far a search of all tokens has got. Several searches of one attempt share it,
// so that many finds, or a group of saves, read the tokens once. It keeps the keys, and not
// the rows.
type scan struct {
	left   []string            // escaped IDs, not read yet
	listed map[string]bool     // escaped IDs
	again  bool                // they were listed once more, and there were no others
	keys   map[string][]string // the IDs of the rows read, by the hash of a key
	barred []*row
}

// searchLeftOut reads tokens up to the first that has the key. A token may be inserted with
// the key, and the one that had it deleted, while they are read; so a find that has missed
// lists the tokens once more, and reads the new ones.
func (a *attempt) searchLeftOut(ctx context.Context, k tokenstore.Key) (*row, error) {
	if a.scan == nil {
		a.scan = &scan{listed: map[string]bool{}, keys: map[string][]string{}}
		if err := a.listMore(ctx); err != nil {
			return nil, err
		}
	}
	for range maxLooks {
		r, err := a.scanFor(ctx, a.scan, k, searchChunk)
		if r != nil || err != nil || !a.finding || a.scan.again || len(a.scan.listed) == 0 {
			return r, err
		}
		if err := a.listMore(ctx); err != nil {
			return nil, err
		}
		if a.scan.again = len(a.scan.left) == 0; a.scan.again {
			break
		}
	}
	return nil, nil
}

// listMore adds to the scan the tokens that it has not listed yet.
func (a *attempt) listMore(ctx context.Context) error {
	ids, err := a.s.list(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !a.scan.listed[id] {
			a.scan.listed[id] = true
			a.scan.left = append(a.scan.left, id)
		}
	}
	return nil
}

// scanFor goes on with a scan, chunk by chunk, until a row that was read has the key. A token
// that cannot be parsed does not hide others; one that the role may not read may be the one
// that is searched for, and one that is damaged and holds the key is: then the answer is not
// "not found", and a save may repair it as in pick.
func (a *attempt) scanFor(ctx context.Context, s *scan, k tokenstore.Key, chunk int) (*row, error) {
	// If several rows have the key, that with the ID derived from it is the one.
	if i := slices.Index(s.left, a.hash(k)); i > 0 {
		s.left = slices.Concat(s.left[i:i+1], s.left[:i], s.left[i+1:])
	}
	for {
		ids := s.keys[a.hash(k)]
		if err := a.loadScanned(ctx, ids); err != nil {
			return nil, err
		}
		r, _, err := a.pick(k, ids, false)
		if r != nil || err != nil {
			return r, err
		}
		if len(s.left) == 0 {
			break
		}
		n := min(chunk, len(s.left))
		if err := a.readChunk(ctx, s, k, s.left[:n]); err != nil {
			return nil, err
		}
		s.left = s.left[n:]
	}
	var mendable *row
	for _, r := range s.barred {
		switch {
		case !errors.Is(r.err, tokenstore.ErrUnreadable):
			return nil, r.fault()
		case r.state != damaged || !tokenstore.Holds(r.token, k):
		case a.finding || !a.names(r):
			return nil, r.fault()
		default:
			mendable = cmp.Or(mendable, r)
		}
	}
	return mendable, nil
}

// loadScanned reads rows again that a scan has read and not kept.
func (a *attempt) loadScanned(ctx context.Context, ids []string) error {
	if err := a.loadFound(ctx, ids); err != nil {
		return err
	}
	rows := make([]*row, len(ids))
	for i, id := range ids {
		rows[i] = a.rows.get(id)
	}
	return a.witness.recognise(ctx, rows...)
}

// readChunk reads tokens for a scan, and keeps the rows that have the key.
func (a *attempt) readChunk(ctx context.Context, s *scan, k tokenstore.Key, ids []string) error {
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return a.rows.get(id) != nil })
	if err := a.load(ctx, ids); err != nil {
		return err
	}
	rows := make([]*row, len(ids))
	for i, id := range ids {
		rows[i] = a.rows.get(id)
	}
	if err := a.s.confirmAbsent(ctx, rows); err != nil {
		return err
	}
	if err := a.witness.recognise(ctx, rows...); err != nil {
		return err
	}
	for _, r := range rows {
		a.keep(ctx, r)
		switch {
		case r.barred():
			s.barred = append(s.barred, r)
		case r.state == live:
			for _, held := range tokenstore.KeysOf(r.token) {
				hash := a.s.hash(held)
				s.keys[hash] = append(s.keys[hash], r.id)
			}
		}
	}
	for _, id := range fresh {
		if !a.rows.get(id).holds(k) {
			a.rows.drop(id)
		}
	}
	return nil
}
