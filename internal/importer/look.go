package importer

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// look decides what becomes of each row, and writes nothing.
func (im *importing) look(ctx context.Context) error {
	im.stored = make([]tokenstore.OAuthToken, len(im.tokens))
	there, err := im.destination.GetTokens(ctx)
	if err != nil {
		return fmt.Errorf("read the destination: %w", err)
	}
	known := newRows(there)
	moved := fold(im.tokens)
	for i, t := range im.tokens {
		row := &im.report.Rows[i]
		if first := moved[i]; first != i {
			row.Outcome, row.Reason = Folded, fmt.Sprintf("into row %d", first+1)
			continue
		}
		im.decide(row, i, t, known)
	}
	return nil
}

// decide compares a row with what the destination has.
func (im *importing) decide(row *Row, i int, t tokenstore.OAuthToken, known *rows) {
	if err := tokenstore.CheckInsert(t); err != nil {
		row.Outcome, row.Reason = Refused, err.Error()
		return
	}
	stored, ok := known.same(t)
	if other, taken := known.byID[t.ID]; im.options.KeepIDs && taken && (!ok || other.ID != stored.ID) {
		row.Outcome, row.Reason = Refused, "another token has this ID in the destination; without --keep-ids it gets a new one"
		return
	}
	if !ok {
		row.Outcome = Created
		return
	}
	row.ID, im.stored[i] = stored.ID, stored
	switch {
	case tokenstore.Update(stored, t) == stored:
		row.Outcome = Present
	case im.options.Overwrite:
		row.Outcome = Overwritten
	default:
		row.Outcome, row.Reason = Differs, "left alone; --overwrite takes the source's values"
	}
}

// rows finds tokens by what makes two of them the same: the user, else a grant,
// refresh or access token.
type rows struct {
	byID  map[string]tokenstore.OAuthToken
	byKey map[tokenstore.Key]tokenstore.OAuthToken
}

func newRows(tokens []tokenstore.OAuthToken) *rows {
	r := &rows{byID: map[string]tokenstore.OAuthToken{}, byKey: map[tokenstore.Key]tokenstore.OAuthToken{}}
	for _, t := range tokens {
		r.byID[t.ID] = t
		for _, k := range tokenstore.KeysOf(t) {
			if _, ok := r.byKey[k]; !ok {
				r.byKey[k] = t
			}
		}
	}
	return r
}

// same returns the token that a row means. A row of a user means that user's
// token, or one without a user that the user adopts.
func (r *rows) same(t tokenstore.OAuthToken) (tokenstore.OAuthToken, bool) {
	for _, k := range identity(t) {
		stored, ok := r.byKey[k]
		if ok && (t.UserName == "" || stored.UserName == "" || stored.UserName == t.UserName) {
			return stored, true
		}
	}
	return tokenstore.OAuthToken{}, false
}

// identity returns the keys that tell which token a row is, in order. The
// access token tells it only where there is nothing that lasts longer.
func identity(t tokenstore.OAuthToken) []tokenstore.Key {
	keys := tokenstore.KeysOf(t)
	if len(keys) == 1 {
		return keys
	}
	var lasting []tokenstore.Key
	for _, k := range keys {
		if k.Kind != index.Access {
			lasting = append(lasting, k)
		}
	}
	return lasting
}

// fold returns, for each row, the row that is moved for it: itself, or the one
// of the same token whose access token lives longest.
func fold(tokens []tokenstore.OAuthToken) []int {
	parent := make([]int, len(tokens))
	owner := map[tokenstore.Key]int{}
	for i, t := range tokens {
		parent[i] = i
		for _, k := range identity(t) {
			j, ok := owner[k]
			if !ok {
				owner[k] = i
				continue
			}
			// Two users may hold one refresh token; they are two tokens.
			j = root(parent, j)
			if a, b := tokens[i].UserName, tokens[j].UserName; a == b || a == "" {
				parent[root(parent, i)] = j
			} else if b == "" {
				parent[j], owner[k] = root(parent, i), i
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

// verify finds every token by each of its keys and by its ID, and compares it.
func (im *importing) verify(ctx context.Context) error {
	for i, want := range im.stored {
		if want.ID == "" || im.report.Rows[i].Outcome == Folded {
			continue
		}
		for _, k := range tokenstore.KeysOf(want) {
			found, err := im.destination.FindToken(ctx, queryFor(k))
			if err := im.compare(ctx, i, k.String(), found, err, want, k); err != nil {
				return err
			}
		}
		found, err := im.destination.FindTokenByID(ctx, want.ID)
		if err := im.compare(ctx, i, "id", found, err, want, tokenstore.Key{}); err != nil {
			return err
		}
	}
	return nil
}

// compare notes what a find found. Where several tokens hold a key, a find
// gives one of them, which need not be this one.
func (im *importing) compare(ctx context.Context, i int, key string, found tokenstore.OAuthToken, err error, want tokenstore.OAuthToken, k tokenstore.Key) error {
	im.report.Finds++
	lost := func(reason string) {
		im.report.Lost = append(im.report.Lost, Lost{Number: i + 1, Key: key, Reason: reason})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, tokenstore.ErrNotFound):
		lost("not found")
	case err != nil:
		lost(err.Error())
	case found == want:
	case found.ID != want.ID && tokenstore.Holds(found, k):
	default:
		lost("found with other values")
	}
	return nil
}

// queryFor returns the query that finds by one key. A find by grant or refresh
// token needs client values, which are not compared.
func queryFor(k tokenstore.Key) tokenstore.OAuthToken {
	switch k.Kind {
	case index.User:
		return tokenstore.OAuthToken{UserName: k.Value}
	case index.Access:
		return tokenstore.OAuthToken{AccessToken: k.Value}
	case index.Grant:
		return tokenstore.OAuthToken{ClientID: "any", ClientSecret: "any", GrantToken: k.Value}
	default:
		return tokenstore.OAuthToken{ClientID: "any", ClientSecret: "any", RefreshToken: k.Value}
	}
}
