// Which rows of a source are one and the same token, and which of them is moved.

package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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

// fold returns, for each row, which row is moved for it: itself, or the best of
// those that are the same token. In tokens the moved rows are as they are moved.
func fold(rows []tokenstore.OAuthToken) (tokens []tokenstore.OAuthToken, into []int) {
	groups := map[int][]int{}
	parent := sameTokens(rows)
	for i := range rows {
		r := root(parent, i)
		groups[r] = append(groups[r], i)
	}
	tokens, into = slices.Clone(rows), make([]int, len(rows))
	for _, group := range groups {
		slices.SortStableFunc(group, func(i, j int) int { return better(rows[i], rows[j]) })
		for _, i := range group {
			into[i] = group[0]
			tokens[group[0]] = fill(tokens[group[0]], rows[i])
		}
	}
	return tokens, into
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

// fill returns t with its empty fields filled from another row of the same
// token. An expiry is taken with its access token only, and no client's secret
// for another client.
func fill(t, from tokenstore.OAuthToken) tokenstore.OAuthToken {
	if t.AccessToken == "" && from.AccessToken != "" {
		t.Expiry = time.Time{}
	}
	if another(from.ClientID, t.ClientID) || another(from.ClientSecret, t.ClientSecret) {
		from.ClientID, from.ClientSecret = "", ""
	}
	from.ID = t.ID
	return t.Fill(from)
}

// another reports whether a value is set, and differs from one that is set.
func another(value, moved string) bool { return value != "" && moved != "" && value != moved }

// folded says into which row a row was folded, and what that one has instead of
// the row's own.
func folded(row, moved tokenstore.OAuthToken, number int) string {
	var others []string
	for _, f := range []struct {
		name   string
		differ bool
	}{
		{"refresh token", another(row.RefreshToken, moved.RefreshToken)},
		{"grant token", another(row.GrantToken, moved.GrantToken)},
		{"client", another(row.ClientID, moved.ClientID) || another(row.ClientSecret, moved.ClientSecret)},
	} {
		if f.differ {
			others = append(others, f.name)
		}
	}
	reason := fmt.Sprintf("into row %d", number)
	if len(others) > 0 {
		reason += ", which has another " + strings.Join(others, " and ")
	}
	return reason
}
