package importer

import (
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// rows finds tokens by what makes two of them the same: the user, else a grant,
// refresh or access token.
type rows struct {
	byID  map[string]tokenstore.OAuthToken
	byKey map[tokenstore.Key][]tokenstore.OAuthToken
}

func newRows(tokens []tokenstore.OAuthToken) *rows {
	r := &rows{byID: map[string]tokenstore.OAuthToken{}, byKey: map[tokenstore.Key][]tokenstore.OAuthToken{}}
	for _, t := range tokens {
		r.byID[t.ID] = t
		for _, k := range tokenstore.KeysOf(t) {
			r.byKey[k] = append(r.byKey[k], t)
		}
	}
	return r
}

// same returns the token that a row means. A row of a user means that user's
// token, or one without a user that the user adopts.
func (r *rows) same(t tokenstore.OAuthToken) (tokenstore.OAuthToken, bool) {
	for _, k := range identity(t) {
		for _, stored := range r.byKey[k] {
			if t.UserName == "" || stored.UserName == "" || stored.UserName == t.UserName {
				return stored, true
			}
		}
	}
	return tokenstore.OAuthToken{}, false
}

// identity returns the keys that tell which token a row is, in order. The
// access token tells it only where there is nothing that lasts longer, or where
// a save goes by it.
func identity(t tokenstore.OAuthToken) []tokenstore.Key {
	keys := tokenstore.KeysOf(t)
	if len(keys) == 1 {
		return keys
	}
	by := tokenstore.FindKeys(t)
	return slices.DeleteFunc(keys, func(k tokenstore.Key) bool { return k.Kind == index.Access && !slices.Contains(by, k) })
}

// fold returns, for each row, the row that is moved for it: itself, or the one
// of the same token whose access token lives longest.
func fold(tokens []tokenstore.OAuthToken) []int {
	// The root of rows that are one token names its user, if any of them does.
	parent := make([]int, len(tokens))
	owner := map[tokenstore.Key]int{}
	for i, t := range tokens {
		parent[i] = i
		for _, k := range identity(t) {
			first, ok := owner[k]
			if !ok {
				owner[k] = i
				continue
			}
			a, b := root(parent, i), root(parent, first)
			// Two users may hold one refresh token; they are two tokens.
			switch {
			case a == b:
			case tokens[a].UserName == tokens[b].UserName, tokens[a].UserName == "":
				parent[a] = b
			case tokens[b].UserName == "":
				parent[b], owner[k] = a, i
			}
		}
	}
	best := map[int]int{}
	for i := range tokens {
		r := root(parent, i)
		if b, ok := best[r]; !ok || better(tokens[i], tokens[b]) {
			best[r] = i
		}
	}
	moved := make([]int, len(tokens))
	for i := range tokens {
		moved[i] = best[root(parent, i)]
	}
	return moved
}

func root(parent []int, i int) int {
	for parent[i] != i {
		i = parent[i]
	}
	return i
}

// better reports whether a is to be moved rather than b: it names a user where
// b does not, or else its access token ends later.
func better(a, b tokenstore.OAuthToken) bool {
	if (a.UserName == "") != (b.UserName == "") {
		return a.UserName != ""
	}
	return a.Expiry.After(b.Expiry)
}
