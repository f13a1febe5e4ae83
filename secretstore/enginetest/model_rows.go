// The store as a sequential program. Where the engine may give one of several answers, it
// has all of them.

package enginetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// modelRows is the store as a sequential program: rows in a slice, oldest first.
type modelRows struct {
	rows          []*modelRow
	inserts       int64
	pepper        []byte
	withoutAccess bool
	rotating      bool            // the index leaves out the refresh tokens of tokens with a user
	scan          bool            // a find searches all rows if the index has no hit
	foreign       map[string]bool // IDs under which others keep secrets
	// left are the IDs of deleted tokens. The deletion of a token that a person had
	// edited or damaged leaves hints, which would make a secret of that name the store's.
	left map[string]bool
}

// modelRow is a token, with a person's changes to it.
type modelRow struct {
	token tokenstore.OAuthToken
	// created is its place in the order of inserts; 0 if a person has removed it.
	created int64
	// edited are keys that a person has written: the index may or may not have them.
	edited map[tokenstore.Key]bool
	// restored says that a person has put older content back, and masked are the keys that
	// were edited when a person then changed it: the change hides the restore, so a save
	// may leave them out of the index.
	restored bool
	masked   map[tokenstore.Key]bool
	note     string

	// damaged says that the secret holds no usable token; token has the remaining fields.
	damaged bool
	// hinted are the keys by which the index certainly leads to a damaged row.
	hinted map[tokenstore.Key]bool
	// unlisted says that there may be no hint for the row, so that an index that serves as
	// the list of all tokens may not list it.
	unlisted bool
	// stray says that the row is a foreign secret under the ID that is derived from a
	// user. Only a look-up of that user treats it as damage.
	stray bool
	// clean says that the secret is as a store has written it; unmarked says that it may
	// lack the fields that mark it as a store's.
	clean, unmarked bool
	// overwritten says that a person has replaced the secret, without the store's
	// bookkeeping.
	overwritten bool
	// lacks are the fields of the bookkeeping that a person has removed.
	lacks map[string]bool
}

// finding is a possible result of a look-up: a row, nothing, an error because a damaged
// row may have the key, or, for a save, a damaged row to repair.
type finding struct {
	row   *modelRow
	mend  bool
	fault bool
}

var nothing = finding{}

// byID returns the row with the given ID, or nil.
func (m *modelRows) byID(id string) *modelRow {
	for _, r := range m.rows {
		if r.token.ID == id && !r.stray {
			return r
		}
	}
	return nil
}

// sort restores the order of the rows, after the place of one has changed.
func (m *modelRows) sort() {
	slices.SortStableFunc(m.rows, func(a, b *modelRow) int {
		return cmp.Or(cmp.Compare(a.created, b.created), strings.Compare(secretID(a.token.ID), secretID(b.token.ID)))
	})
}

// next returns the place of the next row to be inserted.
func (m *modelRows) next() int64 {
	m.inserts++
	return m.inserts
}

// find returns the possible results of a find, usually one.
func (m *modelRows) find(query tokenstore.OAuthToken) []finding {
	if query.ID != "" {
		if r := m.byID(query.ID); r != nil {
			return []finding{{row: r, fault: r.damaged}}
		}
	}
	return m.first(tokenstore.FindKeys(query), lookup{scan: m.scan})
}

// lookup says for which operation a key is looked up.
type lookup struct {
	ownerless bool                  // only rows without a user count
	scan      bool                  // all rows are searched if the index has no hit
	saving    bool                  // for a save, which repairs damaged rows
	token     tokenstore.OAuthToken // what is saved
}

// first returns the possible results of the first key with a hit.
func (m *modelRows) first(keys []tokenstore.Key, l lookup) []finding {
	var all []finding
	for _, k := range keys {
		hits := m.hits(k, l)
		missed := slices.Index(hits, nothing)
		if missed < 0 {
			return append(all, hits...)
		}
		all = append(all, slices.Delete(hits, missed, missed+1)...)
	}
	return append(all, nothing)
}

// hits returns the possible results of a look-up of a key.
func (m *modelRows) hits(k tokenstore.Key, l lookup) []finding {
	var sure *modelRow
	var unsure []*modelRow
	for _, r := range m.rows {
		if r.damaged || !tokenstore.Holds(r.token, k) || l.ownerless && r.token.UserName != "" {
			continue
		}
		switch {
		case m.unsure(r, k):
			unsure = append(unsure, r)
		case sure == nil || m.derived(k, r) && !m.derived(k, sure):
			sure = r
		}
	}
	hits := []finding{{row: sure}}
	listed := func(r *modelRow) bool { return !r.unlisted }
	if sure == nil && slices.ContainsFunc(unsure, listed) && (l.scan || m.leftOut(k) && !l.ownerless) {
		hits = nil
	}
	for _, r := range unsure {
		if sure == nil || m.derived(k, r) || !m.derived(k, sure) && slices.Index(m.rows, r) < slices.Index(m.rows, sure) {
			hits = append(hits, finding{row: r})
		}
	}
	if sure == nil {
		hits = m.barred(k, l, hits)
	}
	return hits
}

// barred adds the results of damaged rows to hits, none of which is certain. A damaged row
// that may have the key is an error, unless its ID is derived from the key, or otherwise
// from another key of the token that is saved, and a save may repair it.
func (m *modelRows) barred(k tokenstore.Key, l lookup, hits []finding) []finding {
	var mendable []*modelRow
	mends, fails, mayFail := false, false, false
	for _, r := range m.rows {
		if !r.damaged {
			continue
		}
		met := m.derived(k, r) && k.Kind == tokenstore.UserKey || r.hinted[k] && !m.lacks(r, k)
		switch {
		case r.stray && !met:
		case l.saving && (m.derived(k, r) && !(l.ownerless && r.token.UserName != "") || m.names(l.token, r)):
			mendable, mends = append(mendable, r), mends || met
		default:
			fails, mayFail = fails || met, true
		}
	}
	if fails || mends {
		hits = slices.DeleteFunc(hits, func(o finding) bool { return o == nothing })
	}
	if !fails {
		for _, r := range mendable {
			hits = append(hits, finding{row: r, mend: true})
		}
	}
	if mayFail {
		hits = append(hits, finding{fault: true})
	}
	return hits
}

// names reports whether the ID of a damaged row is derived from a key of the token that is
// saved, and the row does not name another user.
func (m *modelRows) names(token tokenstore.OAuthToken, r *modelRow) bool {
	if r.token.UserName != "" && r.token.UserName != token.UserName {
		return false
	}
	return slices.ContainsFunc(tokenstore.KeysOf(token), func(k tokenstore.Key) bool {
		return k.Kind != tokenstore.AccessKey && m.derived(k, r)
	})
}

// unsure reports whether the index may lack the key of a row. A user's row under the ID
// derived from the user needs no index.
func (m *modelRows) unsure(r *modelRow, k tokenstore.Key) bool {
	if k.Kind == tokenstore.UserKey && m.derived(k, r) {
		return false
	}
	return r.edited[k] || m.lacks(r, k)
}

// leftOut reports whether the index leaves out keys of that kind.
func (m *modelRows) leftOut(k tokenstore.Key) bool {
	return m.withoutAccess && k.Kind == tokenstore.AccessKey || m.rotating && k.Kind == tokenstore.RefreshKey
}

// lacks reports whether the index may leave out the key of a row.
func (m *modelRows) lacks(r *modelRow, k tokenstore.Key) bool {
	return m.leftOut(k) && (k.Kind == tokenstore.AccessKey || r.token.UserName != "")
}

// derived reports whether the ID of a row is derived from the key.
func (m *modelRows) derived(k tokenstore.Key, r *modelRow) bool {
	return index.Hash(k, m.pepper) == r.token.ID
}

// sure returns the keys by which the index certainly leads to a row.
func (m *modelRows) sure(r *modelRow) map[tokenstore.Key]bool {
	if r.damaged {
		return r.hinted
	}
	keys, all := map[tokenstore.Key]bool{}, tokenstore.KeysOf(r.token)
	for _, k := range all {
		leftOut := m.lacks(r, k) && len(all) > 1
		if !r.edited[k] && !r.unlisted && !leftOut {
			keys[k] = true
		}
	}
	return keys
}

// damage records that a person has damaged a row, and its remaining fields.
func (m *modelRows) damage(r *modelRow, left tokenstore.OAuthToken, created int64, note string) {
	r.hinted = m.sure(r)
	left.ID = r.token.ID
	r.token, r.created, r.note = left, created, note
	r.damaged, r.edited, r.clean, r.unmarked, r.lacks = true, nil, false, true, nil
	r.restored, r.masked = false, nil
	m.sort()
}

// rewrite records that a person has replaced the content of a row with another token.
func (m *modelRows) rewrite(r *modelRow, token tokenstore.OAuthToken, created int64, note string) {
	known := m.sure(r)
	token.ID = r.token.ID
	r.token, r.created, r.note = token, created, note
	r.damaged, r.hinted, r.edited, r.clean, r.unmarked, r.lacks = false, nil, map[tokenstore.Key]bool{}, false, true, nil
	r.restored, r.masked = false, nil
	for _, k := range tokenstore.KeysOf(token) {
		if !known[k] {
			r.edited[k] = true
		}
	}
	m.sort()
}

// save compares the answer to a save with the possible ones, and updates the rows.
func (m *modelRows) save(token, got tokenstore.OAuthToken, err error) error {
	var findings []finding
	if r := m.byID(token.ID); token.ID != "" && r != nil {
		findings = []finding{{row: r, mend: r.damaged}}
	} else {
		findings = m.first(tokenstore.FindKeys(token), lookup{saving: true, token: token})
	}
	if i := slices.Index(findings, nothing); i >= 0 {
		findings = append(slices.Delete(findings, i, i+1), m.first(tokenstore.AdoptionKeys(token), lookup{ownerless: true, saving: true, token: token})...)
	}
	var wants []string
	for _, o := range findings {
		var fits bool
		var want string
		switch {
		case o.fault:
			fits, want = errors.Is(err, tokenstore.ErrUnreadable), "an error, because a damaged token may be meant"
		case o == nothing:
			fits, want = m.insert(token, got, err)
		case o.mend:
			fits, want = m.mend(o.row, token, got, err)
		default:
			fits, want = o.row.update(token, got, err)
		}
		if fits {
			return nil
		}
		wants = append(wants, want)
	}
	return fmt.Errorf("save %s\nreturned %s, %v\nwant %s", describeToken(token), describeToken(got), err, strings.Join(wants, " or ")) //nolint:errorlint // It may be nil, and is only shown.
}

// update reports whether the answer is that of an update of the row, and if so updates
// the row.
func (r *modelRow) update(token, got tokenstore.OAuthToken, err error) (fits bool, want string) {
	updated := tokenstore.Update(r.token, token)
	if err != nil || got != updated {
		return false, describeToken(updated)
	}
	if updated != r.token {
		r.clean, r.unmarked, r.lacks = true, false, nil
	}
	r.token = updated
	r.written()
	return true, ""
}

// swapped records a swap.
func (r *modelRow) swapped(now tokenstore.Noted) {
	r.token, r.note = now.OAuthToken, now.Note
	r.clean, r.unmarked, r.lacks = true, false, nil
	r.written()
}

// written records that a store has written the row, with all keys that it knew to be edited.
func (r *modelRow) written() {
	r.edited, r.restored, r.unlisted, r.overwritten = maps.Clone(r.masked), false, false, false
}

// mend reports whether the answer is that of a save that repairs the row, and if so
// repairs the row.
func (m *modelRows) mend(r *modelRow, token, got tokenstore.OAuthToken, err error) (fits bool, want string) {
	updated := tokenstore.Update(r.token, token)
	if invalid := tokenstore.CheckInsert(updated); invalid != nil {
		return errors.Is(err, tokenstore.ErrInvalidToken), invalid.Error()
	}
	if err != nil || got != updated {
		return false, "the repaired token, " + describeToken(updated)
	}
	if r.stray {
		delete(m.foreign, r.token.ID)
	}
	if r.created == 0 {
		r.created = m.next()
	}
	*r = modelRow{token: updated, created: r.created, note: r.note, clean: true}
	m.sort()
	return true, ""
}

// insert reports whether the answer is that of an insert, and if so inserts the row.
func (m *modelRows) insert(token, got tokenstore.OAuthToken, err error) (fits bool, want string) {
	if invalid := tokenstore.CheckInsert(token); invalid != nil {
		return errors.Is(err, tokenstore.ErrInvalidToken), invalid.Error()
	}
	if token.ID != "" && m.foreign[token.ID] {
		return errors.Is(err, tokenstore.ErrUnreadable), "an error, because the ID is that of a foreign secret"
	}
	wanted := token.Normal()
	if wanted.ID == "" {
		wanted.ID = index.Hash(tokenstore.KeysOf(token)[0], m.pepper)
		if r := m.byID(wanted.ID); r != nil && r.damaged {
			return m.mend(r, token, got, err)
		}
		if m.byID(wanted.ID) != nil || m.foreign[wanted.ID] {
			wanted.ID = randomMark
			if strings.HasPrefix(got.ID, randomMark) && m.byID(got.ID) == nil {
				wanted.ID = got.ID
			}
		}
	}
	if err != nil || got != wanted {
		return false, "the insert of " + describeToken(wanted)
	}
	m.rows = append(m.rows, &modelRow{token: wanted, created: m.next(), clean: true})
	return true, ""
}

func (m *modelRows) remove(id string) {
	m.left[id] = true
	m.rows = slices.DeleteFunc(m.rows, func(r *modelRow) bool { return r.token.ID == id && !r.stray })
}

// removeAll records that all tokens were deleted.
func (m *modelRows) removeAll() {
	for _, r := range m.rows {
		m.left[r.token.ID] = true
	}
	m.rows = slices.DeleteFunc(m.rows, func(r *modelRow) bool { return !r.stray })
}

// repaired records that the index has all keys.
func (m *modelRows) repaired() {
	for _, r := range m.rows {
		if !r.damaged {
			r.masked = nil
			r.written()
		}
	}
}
