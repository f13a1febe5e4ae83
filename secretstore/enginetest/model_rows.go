package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// modelRows is the store as a sequential program has it: rows in a slice, the
// oldest first.
type modelRows struct {
	rows          []*modelRow
	pepper        []byte
	withoutAccess bool
	scan          bool            // a find looks through all rows where the index is silent
	foreign       map[string]bool // IDs under which others keep secrets
}

// modelRow is a token, and what a person has done to it.
type modelRow struct {
	token tokenstore.OAuthToken
	// edited are keys that a person has written: the index may know them or not.
	edited map[tokenstore.Key]bool
	note   string // a field that the store does not know
}

func (m *modelRows) byID(id string) *modelRow {
	for _, r := range m.rows {
		if r.token.ID == id {
			return r
		}
	}
	return nil
}

// find returns the rows that a find may give; nil: none. Mostly it is one.
func (m *modelRows) find(query tokenstore.OAuthToken) []*modelRow {
	if query.ID != "" {
		if r := m.byID(query.ID); r != nil {
			return []*modelRow{r}
		}
	}
	return m.first(tokenstore.FindKeys(query), false, m.scan)
}

// first returns the rows that the first key with a hit may give.
func (m *modelRows) first(keys []tokenstore.Key, ownerless, scan bool) []*modelRow {
	var all []*modelRow
	for _, k := range keys {
		hits := m.hits(k, ownerless, scan)
		missed := slices.Index(hits, nil)
		if missed < 0 {
			return append(all, hits...)
		}
		all = append(all, slices.Delete(hits, missed, missed+1)...)
	}
	return append(all, nil)
}

// hits returns the rows that a look-up of a key may give.
func (m *modelRows) hits(k tokenstore.Key, ownerless, scan bool) []*modelRow {
	var sure *modelRow
	var unsure []*modelRow
	for _, r := range m.rows {
		if !tokenstore.Holds(r.token, k) || ownerless && r.token.UserName != "" {
			continue
		}
		switch {
		case m.unsure(r, k):
			unsure = append(unsure, r)
		case sure == nil || m.derived(k, r) && !m.derived(k, sure):
			sure = r
		}
	}
	hits := []*modelRow{sure}
	if sure == nil && len(unsure) > 0 && (scan || m.leftOut(k)) {
		hits = nil
	}
	for _, r := range unsure {
		if sure == nil || m.derived(k, r) || !m.derived(k, sure) && slices.Index(m.rows, r) < slices.Index(m.rows, sure) {
			hits = append(hits, r)
		}
	}
	return hits
}

// unsure reports whether the index may not know the key of a row. A user's row
// that lies under the ID derived from the user needs no index.
func (m *modelRows) unsure(r *modelRow, k tokenstore.Key) bool {
	if k.Kind == tokenstore.UserKey && m.derived(k, r) {
		return false
	}
	return r.edited[k] || m.leftOut(k)
}

func (m *modelRows) leftOut(k tokenstore.Key) bool {
	return m.withoutAccess && k.Kind == tokenstore.AccessKey
}

// derived reports whether a row has the ID that is derived from the key.
func (m *modelRows) derived(k tokenstore.Key, r *modelRow) bool {
	return index.Hash(k, m.pepper) == r.token.ID
}

// save compares the answer to a save with what it may be, and changes the rows
// accordingly.
func (m *modelRows) save(token, got tokenstore.OAuthToken, err error) error {
	outcomes := m.find(token)
	if token.ID == "" || m.byID(token.ID) == nil {
		outcomes = m.first(tokenstore.FindKeys(token), false, false)
	}
	if i := slices.Index(outcomes, nil); i >= 0 {
		outcomes = append(slices.Delete(outcomes, i, i+1), m.first(tokenstore.AdoptionKeys(token), true, false)...)
	}
	var wants []string
	for _, r := range outcomes {
		if r == nil {
			if fits, want := m.insert(token, got, err); fits {
				return nil
			} else {
				wants = append(wants, want)
			}
			continue
		}
		want := tokenstore.Update(r.token, token)
		if err == nil && got == want {
			r.token, r.edited = want, nil
			return nil
		}
		wants = append(wants, describeToken(want))
	}
	return fmt.Errorf("save %s\ngives %s, %v\nand should give %s", describeToken(token), describeToken(got), err, strings.Join(wants, " or ")) //nolint:errorlint // It may be nil, and is only told.
}

// insert reports whether the answer is that of an insert, which it then does.
func (m *modelRows) insert(token, got tokenstore.OAuthToken, err error) (fits bool, want string) {
	if invalid := tokenstore.CheckInsert(token); invalid != nil {
		return errors.Is(err, tokenstore.ErrInvalidToken), invalid.Error()
	}
	if token.ID != "" && m.foreign[token.ID] {
		return errors.Is(err, tokenstore.ErrUnreadable), "an error, since the ID is that of a secret of others"
	}
	wanted := token.Normal()
	if wanted.ID == "" {
		wanted.ID = index.Hash(tokenstore.KeysOf(token)[0], m.pepper)
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
	m.rows = append(m.rows, &modelRow{token: wanted})
	return true, ""
}

func (m *modelRows) remove(id string) {
	m.rows = slices.DeleteFunc(m.rows, func(r *modelRow) bool { return r.token.ID == id })
}

// repaired says that the index knows all keys.
func (m *modelRows) repaired() {
	for _, r := range m.rows {
		r.edited = nil
	}
}
