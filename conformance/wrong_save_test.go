package conformance

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore"
)

// wrongSaves write the wrong row, or wrong values.
func wrongSaves() []wrongStore {
	update := func(f func(row, asked token) token) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) { r.update = func(row, asked token) (token, error) { return f(row, asked), nil } })
	}
	checkInsert := func(f func(token) error) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) { r.checkInsert = f })
	}
	newID := func(f func(*data) (string, error)) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) { r.newID = f })
	}
	return []wrongStore{
		{"keeps the old expiry", "S39", update(func(row, asked token) token {
			return edited(tokenstore.Update(row, asked), func(t *token) {
				if asked.Expiry.IsZero() {
					t.Expiry = row.Expiry
				}
			})
		})},
		{"keeps an expiry that had no access token", "expiry-first-access", update(func(row, asked token) token {
			return edited(tokenstore.Update(row, asked), func(t *token) {
				if row.AccessToken == "" && asked.Expiry.IsZero() {
					t.Expiry = row.Expiry
				}
			})
		})},
		{"drops the expiry with every save", "expiry-kept", update(func(row, asked token) token {
			return edited(tokenstore.Update(row, asked), func(t *token) { t.Expiry = asked.Normal().Expiry })
		})},
		{"overwrites stored values with empty ones", "S31", update(func(row, asked token) token {
			return edited(asked, func(t *token) { t.ID = row.ID }).Normal()
		})},
		{"changes the ID", "S15", update(func(row, asked token) token {
			return edited(tokenstore.Update(row, asked), func(t *token) { t.ID = cmp.Or(asked.ID, row.ID) })
		})},
		{"keeps the old client", "S24", update(func(row, asked token) token {
			return edited(tokenstore.Update(row, asked), func(t *token) { t.ClientID, t.ClientSecret = row.ClientID, row.ClientSecret })
		})},
		{"lets the later expiry win", "later-wins", update(func(row, asked token) token {
			if !asked.Expiry.IsZero() && asked.Expiry.Before(row.Expiry) {
				return row
			}
			return tokenstore.Update(row, asked)
		})},
		{"forgets a grant token once it is spent", "grant-stays", update(func(row, asked token) token {
			return edited(tokenstore.Update(row, asked), func(t *token) {
				if row.RefreshToken == "" && asked.RefreshToken != "" {
					t.GrantToken = ""
				}
			})
		})},
		{"refuses a save that changes nothing", "S21", wrongRules(func(r *rules) {
			r.update = func(row, asked token) (token, error) {
				if updated := tokenstore.Update(row, asked); updated != row {
					return updated, nil
				}
				return token{}, fmt.Errorf("%w: no row was changed", tokenstore.ErrConflict)
			}
		})},
		{"returns its argument", "S02", wrongRules(func(r *rules) {
			r.result = func(saved, asked token) token { return edited(asked, func(t *token) { t.ID = saved.ID }).Normal() }
		})},
		{"returns no ID", "S02", wrongRules(func(r *rules) { r.result = func(saved, _ token) token { return withoutID(saved) } })},
		{"looks at the user before the ID", "S13", wrongRules(func(r *rules) { r.byIDFirst = false })},
		{"inserts under an unknown ID", "S15", wrongRules(func(r *rules) { r.unknownIDFinal = true })},
		{"inserts without secrets", "S17", checkInsert(token.Validate)},
		{"inserts nothing at all", "S18", checkInsert(func(t token) error {
			if t == (token{}) {
				return nil
			}
			return tokenstore.CheckInsert(t)
		})},
		{"refuses an access token alone", "S09", checkInsert(func(t token) error {
			if t.RefreshToken == "" && t.GrantToken == "" {
				return tokenstore.ErrInvalidToken
			}
			return tokenstore.CheckInsert(t)
		})},
		{"refuses a refresh token without a client", "S11", checkInsert(func(t token) error {
			if t.RefreshToken != "" && t.ClientID == "" {
				return tokenstore.ErrInvalidToken
			}
			return tokenstore.CheckInsert(t)
		})},
		{"ignores the given ID", "S36", wrongRules(func(r *rules) { r.ask = withoutID })},
		{"uses IDs again", "S27", newID(func(d *data) (string, error) { return strconv.Itoa(len(d.rows) + 1), nil })},
		{"compares IDs as strings for the greatest", "S26", newID(func(d *data) (string, error) {
			greatest := "0"
			for _, r := range d.rows {
				greatest = max(greatest, r.ID)
			}
			n, _ := strconv.Atoi(greatest)
			return strconv.Itoa(n + 1), nil
		})},
		{"expects IDs to be numbers", "S25", newID(func(d *data) (string, error) {
			for _, r := range d.rows {
				if _, err := strconv.Atoi(strings.TrimPrefix(r.ID, "generated-")); err != nil {
					return "", fmt.Errorf("%w: not a number", tokenstore.ErrUnreadable)
				}
			}
			return d.NewID()
		})},
		{"gives two tokens one ID", "S38", newID(func(*data) (string, error) { return "1", nil })},
	}
}

// wrongAdoptions adopt the wrong token, or fail to adopt the right one.
func wrongAdoptions() []wrongStore {
	return []wrongStore{
		{"never adopts", "S32", wrongRules(func(r *rules) { r.adoptable = func(token) bool { return false } })},
		{"adopts another user's token", "S04", wrongRules(func(r *rules) { r.adoptable = func(token) bool { return true } })},
		{"adopts by access token", "adopt-never-by-access", wrongRules(func(r *rules) {
			r.adoptionKeys = func(t token) []tokenstore.Key {
				return append(tokenstore.AdoptionKeys(t), keysIn(t, tokenstore.AccessKey)...)
			}
		})},
		{"adopts without client values", "adopt-needs-client", wrongRules(func(r *rules) {
			r.adoptionKeys = func(t token) []tokenstore.Key {
				if t.UserName == "" {
					return nil
				}
				return keysIn(t, tokenstore.GrantKey, tokenstore.RefreshKey)
			}
		})},
		{"adopts with a client ID alone", "adopt-needs-client-secret", wrongRules(func(r *rules) {
			r.adoptionKeys = func(t token) []tokenstore.Key {
				if t.UserName == "" || t.ClientID == "" {
					return nil
				}
				return keysIn(t, tokenstore.GrantKey, tokenstore.RefreshKey)
			}
		})},
		{"adopts the newest", "adopt-oldest", wrongRules(func(r *rules) { r.newest = true })},
		{"adopts by refresh token before grant token", "adopt-grant-first", wrongRules(func(r *rules) { r.adoptionKeys = reversed(tokenstore.AdoptionKeys) })},
		{"adopts by grant token only", "adopt-refresh-after-grant", wrongRules(func(r *rules) {
			r.adoptionKeys = func(t token) []tokenstore.Key {
				all := tokenstore.AdoptionKeys(t)
				return all[:min(1, len(all))]
			}
		})},
		{"adopts nothing if an unknown ID was given", "adopt-despite-unknown-id", wrongRules(func(r *rules) {
			r.adoptionKeys = func(t token) []tokenstore.Key {
				if t.ID != "" {
					return nil
				}
				return tokenstore.AdoptionKeys(t)
			}
		})},
		{"adopts only if the oldest match has no user", "adopt-despite-older-owned", onlyTheOldest()},
		{"adopts only tokens of the same client", "adopt-client-not-compared", wrongRules(func(r *rules) {
			r.holds = func(row token, k tokenstore.Key, asked token) bool {
				return tokenstore.Holds(row, k) && (row.UserName != "" || asked.UserName == "" || row.ClientID == asked.ClientID)
			}
		})},
	}
}

// onlyTheOldest considers only the oldest match, even if it has a user.
func onlyTheOldest() func(*data) tokenstore.Store {
	return wrongRules(func(r *rules) {
		right := rightRules()
		r.otherwise = func(d *data, asked token) (token, error) {
			for _, k := range tokenstore.AdoptionKeys(asked) {
				if row, ok := right.first(d, func(row token) bool { return tokenstore.Holds(row, k) }); ok && row.UserName == "" {
					return row, nil
				}
			}
			return token{}, tokenstore.ErrNotFound
		}
		r.adoptable = func(token) bool { return false }
	})
}

// wrongValues change the values that they store.
func wrongValues() []wrongStore {
	each := func(change func(string) string) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) {
			r.stored = func(t token) token {
				for _, f := range texts {
					*f.of(&t) = change(*f.of(&t))
				}
				return t
			}
		})
	}
	expiry := func(change func(time.Time) time.Time) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) {
			r.stored = func(t token) token {
				if !t.Expiry.IsZero() {
					t.Expiry = change(t.Expiry)
				}
				return t
			}
		})
	}
	return []wrongStore{
		{"cuts strings at 255 bytes", "text-long", each(func(s string) string { return s[:min(255, len(s))] })},
		{"trims strings", "text-space", each(strings.TrimSpace)},
		{"drops carriage returns", "text-line-break", each(func(s string) string { return strings.ReplaceAll(s, "\r", "") })},
		{"ends a string at a NUL", "text-nul", each(func(s string) string { return strings.SplitN(s, "\x00", 2)[0] })},
		{"doubles quotes", "text-quote", each(func(s string) string { return strings.ReplaceAll(s, "'", "''") })},
		{"escapes markup", "text-markup", each(strings.NewReplacer("<", "&lt;").Replace)},
		{"drops a byte order mark", "text-byte-order-mark", each(func(s string) string { return strings.TrimPrefix(s, "\ufeff") })},
		{"formats strings", "S29", each(func(s string) string {
			if !strings.Contains(s, "%s") {
				return s
			}
			return fmt.Sprintf(s, "", 0)
		})},
		{"treats the word null as empty", "text-words", each(func(s string) string {
			if s == "null" {
				return ""
			}
			return s
		})},
		{"replaces invalid UTF-8", "text-invalid-utf8", wrongRules(func(r *rules) {
			r.ask = func(t token) token {
				for _, f := range texts {
					*f.of(&t) = strings.ToValidUTF8(*f.of(&t), "\ufffd")
				}
				t.ID = strings.ToValidUTF8(t.ID, "\ufffd")
				return t
			}
		})},
		{"cuts values that are too large", "too-large", each(func(s string) string { return s[:min(64<<10, len(s))] })},
		{"loses the old token when the new one is too large", "too-large", tooLargeLoses()},
		{"forgets the API domain", "save-every-field", wrongRules(func(r *rules) {
			r.stored = func(t token) token { return edited(t, func(t *token) { t.APIDomain = "" }) }
		})},
		{"keeps the expiry to the second", "expiry-millisecond", expiry(func(t time.Time) time.Time { return t.Truncate(time.Second) })},
		{"mistakes early expiries for seconds", "expiry-1970", expiry(func(t time.Time) time.Time {
			if ms := t.UnixMilli(); len(strconv.FormatInt(ms, 10)) == 10 {
				return time.Unix(ms, 0).UTC()
			}
			return t
		})},
		{"returns expiries in another zone", "expiry-millisecond", expiry(func(t time.Time) time.Time { return t.In(time.FixedZone("here", 3600)) })},
		{"keeps the wall clock time and drops the zone", "expiry-zone", wrongRules(func(r *rules) {
			r.ask = func(t token) token {
				if e := t.Expiry; !e.IsZero() {
					t.Expiry = time.Date(e.Year(), e.Month(), e.Day(), e.Hour(), e.Minute(), e.Second(), e.Nanosecond(), time.UTC)
				}
				return t
			}
		})},
		{"rounds to the millisecond", "expiry-nanosecond", wrongRules(func(r *rules) {
			r.ask = func(t token) token {
				if !t.Expiry.IsZero() {
					t.Expiry = t.Expiry.Round(time.Millisecond)
				}
				return t
			}
		})},
		{"clamps an expiry to the range", "expiry-after-2286", wrongRules(func(r *rules) {
			r.ask = func(t token) token {
				if last := time.UnixMilli(9_999_999_999_999); t.Expiry.After(last) {
					t.Expiry = last
				}
				return t
			}
		})},
	}
}

// tooLargeLoses refuses a large token after it has deleted the old one.
func tooLargeLoses() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		if len(t.AccessToken) > 64<<10 {
			return token{}, cmp.Or(s.DeleteToken(ctx, t.ID), tokenstore.ErrTooLarge)
		}
		return s.SaveToken(ctx, t)
	}})
}
