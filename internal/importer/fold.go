// Which rows of a source are one and the same token, and which of them is moved.

package importer

import (
	"cmp"
	"slices"
	"time"

	"example.com/tokenstore"
)

// identity returns the keys that tell which token a row is, in order. The
// access token tells it only where there is nothing that lasts longer, or where
// a save goes by it.
func identity(t tokenstore.OAuthToken) []tokenstore.Key {
	keys := tokenstore.KeysOf(t)
	if len(keys) == 1 {
		return keys
	}
	by := tokenstore.FindKeys(t)
	return slices.DeleteFunc(keys, func(k tokenstore.Key) bool { return k.Kind == tokenstore.AccessKey && !slices.Contains(by, k) })
}

// folding is how the rows of a source become tokens.
type folding struct {
	tokens []tokenstore.OAuthToken // the rows, the moved ones as they are moved
	into   []int                   // which row each row is one token with and was moved: itself, or another
	other  []string                // what keeps a row from being folded into that one; empty: nothing
}

// fold decides which rows are folded into which. Of the rows that are one token, the
// best is moved. Another is folded into it only if nothing is given up: neither a
// refresh token nor a client.
func fold(rows []tokenstore.OAuthToken) folding {
	groups := map[int][]int{}
	parent := sameTokens(rows)
	for i := range rows {
		r := root(parent, i)
		groups[r] = append(groups[r], i)
	}
	f := folding{slices.Clone(rows), make([]int, len(rows)), make([]string, len(rows))}
	for _, group := range groups {
		slices.SortStableFunc(group, func(i, j int) int { return better(rows[i], rows[j]) })
		moved := &f.tokens[group[0]]
		for _, i := range group {
			f.into[i] = group[0]
			if f.other[i] = givenUp(*moved, rows[i]); f.other[i] == "" {
				*moved = fill(*moved, rows[i])
			}
		}
	}
	return f
}

// sameTokens joins the rows that are one token: they have one root.
func sameTokens(tokens []tokenstore.OAuthToken) []int {
	// The root of rows that are one token names its user, if any of them does.
	parent := make([]int, len(tokens))
	owner := map[tokenstore.Key]int{}
	for i, t := range tokens {
		parent[i] = i
		if t.Validate() != nil {
			continue // It is refused, and must not spoil another.
		}
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
	return parent
}

func root(parent []int, i int) int {
	for parent[i] != i {
		i = parent[i]
	}
	return i
}

// better is negative if a is to be moved rather than b: it names a user where b
// does not, or else its access token ends later.
func better(a, b tokenstore.OAuthToken) int {
	if (a.UserName == "") != (b.UserName == "") {
		return cmp.Compare(b.UserName, a.UserName)
	}
	return b.Expiry.Compare(a.Expiry)
}

// What would be given up by folding a row into another.
const (
	anotherRefresh = "another refresh token"
	anotherClient  = "another client"
)

// givenUp says what a row has of which the moved token keeps another, or nothing.
func givenUp(moved, row tokenstore.OAuthToken) string {
	switch {
	case !sameClient(moved, row):
		return anotherClient
	case another(row.RefreshToken, moved.RefreshToken):
		return anotherRefresh
	}
	return ""
}

// sameClient reports whether two rows are of one client for certain, or one of them
// names none.
func sameClient(a, b tokenstore.OAuthToken) bool {
	if a.ClientID+a.ClientSecret == "" || b.ClientID+b.ClientSecret == "" {
		return true
	}
	return a.ClientID == b.ClientID && !another(a.ClientSecret, b.ClientSecret)
}

// fill returns t with its empty fields filled from another row of the same token. An
// expiry is taken with its access token only.
func fill(t, from tokenstore.OAuthToken) tokenstore.OAuthToken {
	if t.AccessToken == "" && from.AccessToken != "" {
		t.Expiry = time.Time{}
	}
	from.ID = t.ID
	return t.Fill(from)
}

// another reports whether a value is set, and differs from one that is set.
func another(value, moved string) bool { return value != "" && moved != "" && value != moved }
