package conformance

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore"
)

// wrongFinds find the wrong token, or none.
func wrongFinds() []wrongStore {
	anyOf := func(kinds ...tokenstore.KeyKind) func(token) []tokenstore.Key {
		return func(q token) []tokenstore.Key { return keysIn(q, kinds...) }
	}
	return []wrongStore{
		{"falls through after an unknown user", "F05", wrongRules(func(r *rules) {
			r.keys = func(q token) []tokenstore.Key {
				return append(keysIn(q, tokenstore.UserKey), tokenstore.FindKeys(edited(q, func(q *token) { q.UserName = "" }))...)
			}
		})},
		{"falls through after an unknown user to the access token", "find-id-unknown-then-user-final", wrongRules(func(r *rules) { r.keys = anyOf(tokenstore.UserKey, tokenstore.AccessKey) })},
		{"falls through after an unknown access token", "F08", wrongRules(func(r *rules) {
			r.keys = anyOf(tokenstore.UserKey, tokenstore.AccessKey, tokenstore.GrantKey, tokenstore.RefreshKey)
		})},
		{"compares the client ID", "F22", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, q token) bool {
				return tokenstore.Holds(row, k) && (q.ClientID == "" || q.ClientID == row.ClientID)
			}
		})},
		{"compares the client secret in a find by grant", "find-grant-client-not-compared", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, q token) bool {
				return tokenstore.Holds(row, k) && (k.Kind != tokenstore.GrantKey || q.ClientSecret == row.ClientSecret)
			}
		})},
		{"compares the client of a user", "find-user-ignores-client", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, q token) bool {
				return tokenstore.Holds(row, k) && (k.Kind != tokenstore.UserKey || q.ClientID == "" || q.ClientID == row.ClientID)
			}
		})},
		{"takes the first row if nothing applies", "F01", wrongRules(func(r *rules) { r.otherwise = takeFirst })},
		{"takes the first row for client values alone", "F35", wrongRules(func(r *rules) {
			r.otherwise = func(d *data, q token) (token, error) {
				if q.UserName == "" && q.ClientID != "" && len(tokenstore.KeysOf(q)) == 0 {
					return takeFirst(d, q)
				}
				return token{}, tokenstore.ErrNotFound
			}
		})},
		{"finds by refresh token without client values", "F14", wrongRules(func(r *rules) { r.keys = looseKeys(func(token) bool { return true }) })},
		{"is content with a client ID", "F15", wrongRules(func(r *rules) { r.keys = looseKeys(func(q token) bool { return q.ClientID != "" }) })},
		{"is content with a client secret", "find-refresh-secret-only", wrongRules(func(r *rules) { r.keys = looseKeys(func(q token) bool { return q.ClientSecret != "" }) })},
		{"accepts an empty client secret", "F36", wrongRules(func(r *rules) { r.keys = looseKeys(func(q token) bool { return q.ClientID != "" }) })},
		{"finds by access token beside a client ID", "F10", wrongRules(func(r *rules) {
			r.keys = func(q token) []tokenstore.Key {
				return tokenstore.FindKeys(edited(q, func(q *token) { q.ClientID = "" }))
			}
		})},
		{"finds by access token beside both client values", "F11", wrongRules(func(r *rules) {
			r.keys = func(q token) []tokenstore.Key {
				return append(tokenstore.FindKeys(q), keysIn(q, tokenstore.AccessKey)...)
			}
		})},
		{"looks at the refresh token before the grant token", "F18", wrongRules(func(r *rules) { r.keys = reversed(tokenstore.FindKeys) })},
		{"takes the first row that has the grant or the refresh token", "F31", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, q token) bool {
				return tokenstore.Holds(row, k) || (k.Kind == tokenstore.GrantKey && row.RefreshToken == q.RefreshToken && q.RefreshToken != "")
			}
		})},
		{"does not go on to the refresh token", "F19", wrongRules(func(r *rules) {
			r.keys = func(q token) []tokenstore.Key { return tokenstore.FindKeys(q)[:min(1, len(tokenstore.FindKeys(q)))] }
		})},
		{"stops at an unknown ID", "F34", wrongRules(func(r *rules) { r.unknownIDFinal = true })},
		{"ignores the ID", "F23", wrongRules(func(r *rules) { r.query = withoutID })},
		{"looks at the ID last", "find-id-with-user", wrongRules(func(r *rules) { r.byIDFirst = false })},
		{"takes the newest of several", "F32", wrongRules(func(r *rules) { r.newest = true })},
		{"lets an empty grant token match", "F20", wrongRules(func(r *rules) {
			r.keys = func(q token) []tokenstore.Key {
				if q.UserName == "" && q.ClientID != "" && q.ClientSecret != "" && q.RefreshToken != "" {
					return []tokenstore.Key{{Kind: tokenstore.GrantKey, Value: q.GrantToken}, {Kind: tokenstore.RefreshKey, Value: q.RefreshToken}}
				}
				return tokenstore.FindKeys(q)
			}
			r.holds = func(row token, k tokenstore.Key, _ token) bool {
				return tokenstore.Holds(row, k) || k.Value == "" && valueOf(row, k.Kind) == ""
			}
		})},
		{"drops expired tokens", "expired", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, _ token) bool {
				return tokenstore.Holds(row, k) && (row.Expiry.IsZero() || row.Expiry.After(time.Now()))
			}
		})},
		{"mixes the query into the result", "F06", wrongRules(func(r *rules) { r.found = func(row, q token) token { return q.Fill(row) } })},
		{"gives the result the query's ID", "F34", wrongRules(func(r *rules) {
			r.found = func(row, q token) token { return edited(row, func(t *token) { t.ID = cmp.Or(q.ID, t.ID) }) }
		})},
		{"leaves the secret out of the result", "F02", wrongRules(func(r *rules) {
			r.found = func(row, _ token) token { return edited(row, func(t *token) { t.ClientSecret = "" }) }
		})},
		{"uses the redirect URL as a key", "find-domain-is-no-key", wrongRules(func(r *rules) {
			r.otherwise = func(d *data, q token) (token, error) {
				if q.RedirectURL != "" && len(tokenstore.KeysOf(q)) == 0 {
					return takeFirst(d, q)
				}
				return token{}, tokenstore.ErrNotFound
			}
		})},
		{"mixes up the kinds of keys", "find-kinds-apart", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, _ token) bool {
				return slices.ContainsFunc(tokenstore.KeysOf(row), func(o tokenstore.Key) bool { return o.Value == k.Value })
			}
		})},
	}
}

func takeFirst(d *data, _ token) (token, error) {
	if len(d.rows) == 0 {
		return token{}, tokenstore.ErrNotFound
	}
	return d.rows[0], nil
}

// looseKeys are the keys of a find that asks less of the client values.
func looseKeys(enough func(token) bool) func(token) []tokenstore.Key {
	return func(q token) []tokenstore.Key {
		if q.UserName == "" && q.AccessToken == "" && enough(q) {
			return keysIn(q, tokenstore.GrantKey, tokenstore.RefreshKey)
		}
		return tokenstore.FindKeys(q)
	}
}

func reversed(keys func(token) []tokenstore.Key) func(token) []tokenstore.Key {
	return func(q token) []tokenstore.Key {
		all := keys(q)
		slices.Reverse(all)
		return all
	}
}

// wrongKeys compare keys otherwise than byte for byte.
func wrongKeys() []wrongStore {
	compare := func(same func(a, b string) bool) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, _ token) bool {
				v := valueOf(row, k.Kind)
				return v != "" && k.Value != "" && same(v, k.Value)
			}
		})
	}
	by := func(change func(string) string) func(*data) tokenstore.Store {
		return compare(func(a, b string) bool { return change(a) == change(b) })
	}
	return []wrongStore{
		{"folds case", "F26", compare(strings.EqualFold)},
		{"folds case as some languages do", "pair-case", by(func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "ß", "ss") })},
		{"folds accents, as collations do", "pair-accent", by(strings.NewReplacer("é", "e").Replace)},
		{"normalises keys", "pair-normal-form", by(strings.NewReplacer("e\u0301", "\u00e9").Replace)},
		{"ignores trailing spaces", "pair-trailing-space", by(func(s string) string { return strings.TrimRight(s, " ") })},
		{"ignores leading spaces", "pair-leading-space", by(func(s string) string { return strings.TrimLeft(s, " ") })},
		{"ends a key at a NUL", "pair-after-nul", by(func(s string) string { return strings.SplitN(s, "\x00", 2)[0] })},
		{"ends a key after 255 bytes", "pair-long", by(func(s string) string { return s[:min(255, len(s))] })},
		{"ends a key after 4,096 bytes", "pair-very-long", by(func(s string) string { return s[:min(4096, len(s))] })},
		{"finds by a prefix", "pair-prefix", compare(func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) })},
		{"compares keys as numbers", "pair-number-point", by(func(s string) string {
			if n, err := strconv.ParseFloat(s, 64); err == nil {
				return strconv.FormatFloat(n, 'g', -1, 64)
			}
			return s
		})},
		{"undoes escapes in keys", "pair-escape", by(strings.NewReplacer("%2F", "/").Replace)},
	}
}
