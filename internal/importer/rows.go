// The tokens of the destination, as the rows decided so far will make them.

package importer

import (
	"cmp"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// rows are the tokens of the destination, as they are and as the rows that were
// decided will make them. They are found by what makes two tokens the same: the
// user, else a grant, refresh or access token.
type rows struct {
	byID  map[string]*held
	byKey map[tokenstore.Key][]*held
}

// held is a token of the destination.
type held struct {
	token tokenstore.OAuthToken // without an ID, if it is yet to get one
	row   int                   // the index of the row of the source that it is, or -1
}

// newRows returns the rows for tokens in any order. Of several that a row may mean, the one
// counts whose access token lasts longest; which came first does not, since a store yields
// its tokens in no order.
func newRows(tokens []tokenstore.OAuthToken) *rows {
	r := &rows{byID: map[string]*held{}, byKey: map[tokenstore.Key][]*held{}}
	for _, t := range slices.SortedFunc(slices.Values(tokens), fresher) {
		r.set(&held{}, t, -1)
	}
	return r
}

// fresher compares tokens by their expiries, the latest first, and then by their fields.
func fresher(a, b tokenstore.OAuthToken) int {
	return cmp.Or(
		b.Expiry.Compare(a.Expiry),
		strings.Compare(a.UserName, b.UserName), strings.Compare(a.RefreshToken, b.RefreshToken), strings.Compare(a.GrantToken, b.GrantToken),
		strings.Compare(a.AccessToken, b.AccessToken), strings.Compare(a.ClientID, b.ClientID), strings.Compare(a.ID, b.ID),
	)
}

// set makes a token what a row makes of it.
func (r *rows) set(h *held, t tokenstore.OAuthToken, row int) {
	h.token, h.row = t.Normal(), row
	if t.ID != "" {
		r.byID[t.ID] = h
	}
	for _, k := range tokenstore.KeysOf(t) {
		if !slices.Contains(r.byKey[k], h) {
			r.byKey[k] = append(r.byKey[k], h)
		}
	}
}

// same returns the token that a row means, or nil. A row of a user means that
// user's token, or one without a user that the user adopts.
func (r *rows) same(t tokenstore.OAuthToken) *held {
	for _, k := range identity(t) {
		for _, h := range r.byKey[k] {
			// It may have had the key before a row changed it.
			if user := h.token.UserName; tokenstore.Holds(h.token, k) && (t.UserName == "" || user == "" || user == t.UserName) {
				return h
			}
		}
	}
	return nil
}
