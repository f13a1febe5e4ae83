package secretstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// rival is a service on which others write right before some puts of a token by the store
// under test, which then fail.
type rival struct {
	driver.Secrets
	before []func() // one for each put, nil for none
	puts   int
}

func (r *rival) Put(ctx context.Context, s driver.Secret) (string, error) {
	if !strings.HasPrefix(s.Name, "tokenstore/tokens/") {
		return r.Secrets.Put(ctx, s)
	}
	n := r.puts
	r.puts++
	if n < len(r.before) && r.before[n] != nil {
		r.before[n]()
	}
	return r.Secrets.Put(ctx, s)
}

// TestOverwrittenSaveNeedsNoWrite: a save that has met conflicts for longer than a service
// returns old states, and whose fields a single write then has all set, counts as having
// come before that write. In every other case it is written.
func TestOverwrittenSaveNeedsNoWrite(t *testing.T) {
	const user = "u1@zylker.example:1"
	at := func(n int64) time.Time { return time.UnixMilli(1_900_000_000_000 + n).UTC() }
	mine := tokenstore.OAuthToken{UserName: user, AccessToken: "mine", Expiry: at(1)}
	both := tokenstore.OAuthToken{UserName: user, AccessToken: "theirs", Expiry: at(2)}
	for name, c := range map[string]struct {
		slow time.Duration // the first conflict comes that long after the save began
		mine tokenstore.OAuthToken
		then []tokenstore.OAuthToken // saved by others before the second put
		puts int
	}{
		"overwritten":                       {slow: 3 * time.Second, mine: mine, then: []tokenstore.OAuthToken{both}, puts: 2},
		"overwritten too early to know":     {slow: time.Second, mine: mine, then: []tokenstore.OAuthToken{both}, puts: 3},
		"overwritten in part":               {slow: 3 * time.Second, mine: mine, then: []tokenstore.OAuthToken{{UserName: user, APIDomain: "theirs"}}, puts: 3},
		"one field of two":                  {slow: 3 * time.Second, mine: tokenstore.OAuthToken{UserName: user, AccessToken: "mine", Expiry: at(1), APIDomain: "mine"}, then: []tokenstore.OAuthToken{both}, puts: 3},
		"by two writes, one for each field": {slow: 3 * time.Second, mine: tokenstore.OAuthToken{UserName: user, AccessToken: "mine", APIDomain: "mine"}, then: []tokenstore.OAuthToken{{UserName: user, AccessToken: "theirs"}, {UserName: user, APIDomain: "theirs"}}, puts: 3},
		"a key of the index":                {slow: 3 * time.Second, mine: tokenstore.OAuthToken{UserName: user, RefreshToken: "mine"}, then: []tokenstore.OAuthToken{{UserName: user, RefreshToken: "theirs"}}, puts: 3},
	} {
		for _, many := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				now := time.Unix(1_800_000_000, 0)
				options := []secretstore.Option{
					secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithClock(func() time.Time { return now }),
					secretstore.WithSleep(func(context.Context, time.Duration) error { return nil }),
				}
				secrets := memory.New()
				others := open(t, secrets, options...)
				save := func(token tokenstore.OAuthToken) {
					if _, err := others.SaveToken(t.Context(), token); err != nil {
						t.Fatal(err)
					}
				}
				save(tokenstore.OAuthToken{UserName: user, RefreshToken: "r", AccessToken: "first", Expiry: at(0), ClientID: "c", ClientSecret: "s"})
				r := &rival{Secrets: secrets}
				r.before = []func(){
					func() { now = now.Add(c.slow); save(tokenstore.OAuthToken{UserName: user, RedirectURL: "a conflict"}) },
					func() {
						for _, token := range c.then {
							save(token)
						}
					},
				}
				store := open(t, r, options...)
				var got tokenstore.OAuthToken
				var err error
				if many {
					var all []tokenstore.OAuthToken
					if all, err = store.SaveTokens(t.Context(), []tokenstore.OAuthToken{c.mine}); err == nil {
						got = all[0]
					}
				} else {
					got, err = store.SaveToken(t.Context(), c.mine)
				}
				if err != nil || r.puts != c.puts {
					t.Errorf("%v, %d puts of the token, want %d", err, r.puts, c.puts)
				}
				if c.mine.AccessToken != "" && got.AccessToken != "mine" || c.mine.APIDomain != "" && got.APIDomain != "mine" {
					t.Errorf("the result is not that of this save: %+v", got)
				}
				stored, err := others.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
				if wrote := stored.AccessToken == "mine" || stored.RefreshToken == "mine"; err != nil || wrote != (c.puts == 3) {
					t.Errorf("stored %q, %v", stored.AccessToken, err)
				}
			})
		}
	}
}

// TestASwapDoesNotOverwrite: a swap that followed the save unseen would have been refused, so
// it is never the write that makes a save needless.
func TestASwapDoesNotOverwrite(t *testing.T) {
	const user = "u1@zylker.example:1"
	now := time.Unix(1_800_000_000, 0)
	options := []secretstore.Option{
		secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithClock(func() time.Time { return now }),
		secretstore.WithSleep(func(context.Context, time.Duration) error { return nil }),
	}
	for name, notes := range map[string][2]string{"that sets a note": {"", "theirs"}, "that drops a note": {"claimed", ""}, "that keeps a note": {"theirs", "theirs"}, "without a note": {"", ""}} {
		t.Run(name, func(t *testing.T) {
			secrets := memory.New()
			others := open(t, secrets, options...)
			token := tokenstore.OAuthToken{UserName: user, RefreshToken: "r", AccessToken: "first", ClientID: "c", ClientSecret: "s"}
			saves(t, others, token)
			swap := func(next tokenstore.OAuthToken, note string) {
				old, err := others.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: user})
				if err != nil {
					t.Fatal(err)
				}
				if _, swapped, err := others.SwapToken(t.Context(), old, next, note); err != nil || !swapped {
					t.Fatal(swapped, err)
				}
			}
			swap(tokenstore.OAuthToken{}, notes[0])
			r := &rival{Secrets: secrets, before: []func(){
				func() {
					now = now.Add(3 * time.Second)
					saves(t, others, tokenstore.OAuthToken{UserName: user, RedirectURL: "a conflict"})
				},
				func() { swap(tokenstore.OAuthToken{AccessToken: "theirs"}, notes[1]) },
			}}
			if got := saves(t, open(t, r, options...), tokenstore.OAuthToken{UserName: user, AccessToken: "mine"}); got.AccessToken != "mine" {
				t.Errorf("the save gives %q", got.AccessToken)
			}
			if stored, err := others.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user}); err != nil || stored.AccessToken != "mine" {
				t.Errorf("stored is %q, %v", stored.AccessToken, err)
			}
		})
	}
}
