// Looking rows up. A few look-ups go through all rows; for more of them an index is made.

package filestore

import (
	"slices"

	"example.com/tokenstore"
)

// lookUp is what a row is looked up by: a key or, if it has no kind, an ID.
type lookUp struct {
	kind  tokenstore.KeyKind
	value string
}

// in reports whether a token is the one that is looked up.
func (l lookUp) in(t *tokenstore.OAuthToken) bool {
	switch l.kind {
	case "":
		return t.ID == l.value
	case tokenstore.UserKey:
		return t.UserName == l.value
	case tokenstore.RefreshKey:
		return t.RefreshToken == l.value
	case tokenstore.AccessKey:
		return t.AccessToken == l.value
	case tokenstore.GrantKey:
		return t.GrantToken == l.value
	}
	return false
}

// index holds where the rows are that have, or have had, a key or an ID, in order.
type index struct{ at map[lookUp][]int }

// makeIndex makes the index of a document. Others must not use the document at the same time.
func (d *document) makeIndex() {
	d.index = &index{at: make(map[lookUp][]int, 4*len(d.records))}
	for i, r := range d.records {
		if r.kind == rowLine {
			d.index.add(i, r.token)
		}
	}
}

// add adds a row that was changed, or inserted with no row after it. There may be no index.
func (x *index) add(i int, t tokenstore.OAuthToken) {
	if x == nil {
		return
	}
	for _, l := range []lookUp{
		{"", t.ID}, {tokenstore.UserKey, t.UserName}, {tokenstore.RefreshKey, t.RefreshToken},
		{tokenstore.AccessKey, t.AccessToken}, {tokenstore.GrantKey, t.GrantToken},
	} {
		if l.value == "" {
			continue
		}
		at := x.at[l]
		if n, there := slices.BinarySearch(at, i); !there {
			x.at[l] = slices.Insert(at, n, i)
		}
	}
}

// find returns the index of the first record that has what is looked up, or -1; with ownerless
// set, of the first one without a user.
func (d *document) find(l lookUp, ownerless bool) int {
	match := func(i int) bool {
		r := d.records[i]
		return r.kind == rowLine && l.in(&r.token) && (!ownerless || r.token.UserName == "")
	}
	if l.value == "" {
		return -1
	}
	if d.index != nil {
		for _, i := range d.index.at[l] {
			if match(i) {
				return i
			}
		}
		return -1
	}
	for i := range d.records {
		if match(i) {
			return i
		}
	}
	return -1
}
