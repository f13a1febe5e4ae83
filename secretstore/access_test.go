// Access tokens that an index of entries may lack.

package secretstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// entries are the options of a program with one secret per key, whose finds have no other
// search than that for what is left out.
func entries(more ...secretstore.Option) []secretstore.Option {
	return append([]secretstore.Option{secretstore.WithEntries(), secretstore.WithScanLimit(0), noWait}, more...)
}

func leavesOut(more ...secretstore.Option) []secretstore.Option {
	return entries(append(more, secretstore.WithoutAccessIndex())...)
}

func indexesAccess(more ...secretstore.Option) []secretstore.Option {
	return entries(append(more, secretstore.WithAccessIndex())...)
}

func byAccess(access string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{AccessToken: access}
}

// Whichever program has saved an access token last, every other one finds the token by it,
// updates that token by it, and does not find it by the one before.
func TestAccessTokenIsFoundByEveryProgram(t *testing.T) {
	programs := map[string][]secretstore.Option{"one that leaves out": leavesOut(), "one that indexes": indexesAccess()}
	before := maps.Clone(programs)
	before["one from before"] = entries()
	for inserting, first := range before {
		for saving, second := range before {
			for finding, third := range programs {
				secrets := memory.New()
				saves(t, open(t, secrets, first...), firstToken)
				refreshed := saves(t, open(t, secrets, second...), tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"})
				finds(t, open(t, secrets, third...), byAccess("a2"), refreshed)
				if found, err := open(t, secrets, third...).FindToken(t.Context(), byAccess("a1")); !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("%s inserts, %s saves: %s finds %v by the old access token, %v", inserting, saving, finding, found, err)
				}
				moved := saves(t, open(t, secrets, third...), tokenstore.OAuthToken{AccessToken: "a2", APIDomain: "https://example.com"})
				if moved.ID != refreshed.ID || moved.UserName != "u1" {
					t.Errorf("%s inserts, %s saves: a save of %s by the access token gives %v", inserting, saving, finding, moved)
				}
			}
		}
	}
}

// A token without other keys has its access token in the index, also after it has lost them,
// and none has to be found by a search after it has got them.
func TestAccessTokenOfATokenThatGainsOrLosesItsUser(t *testing.T) {
	secrets := memory.New()
	s := open(t, secrets, leavesOut()...)
	stored := saves(t, s, tokenstore.OAuthToken{AccessToken: "a1"})
	cold, calls := observedStore(t, secrets, leavesOut()...)
	finds(t, cold, byAccess("a1"), stored)
	if calls.reads != 2 {
		t.Errorf("a find by the only key makes %v calls", calls)
	}
	owned := saves(t, s, tokenstore.OAuthToken{ID: stored.ID, UserName: "u1", AccessToken: "a2"})
	finds(t, open(t, secrets, leavesOut()...), byAccess("a2"), owned)

	secret, err := secrets.Get(t.Context(), "tokenstore/tokens/"+stored.ID)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit(secret.Name, editedData(t, secret.Data, func(fields map[string]any) { delete(fields, "user_name") }))
	lost := owned
	lost.UserName = ""
	finds(t, open(t, secrets, leavesOut()...), byAccess("a2"), lost)
	if again := saves(t, open(t, secrets, leavesOut()...), tokenstore.OAuthToken{AccessToken: "a2", APIDomain: "https://example.com"}); again.ID != stored.ID {
		t.Errorf("a save by the access token inserts %v", again)
	}
	cold, calls = observedStore(t, secrets, leavesOut()...)
	if _, err := cold.FindToken(t.Context(), byAccess("a2")); err != nil || calls.reads != 2 {
		t.Errorf("after the save of a token that lost its user, a find makes %v calls: %v", calls, err)
	}
}

// Programs that index access tokens and programs that do not share a store without taking
// each other's tokens for edited ones, whose keys all have to be claimed.
func TestProgramsThatDifferInAccessTokens(t *testing.T) {
	writers := map[string][]secretstore.Option{"leaves out": leavesOut(), "indexes": indexesAccess(), "from before": entries()}
	for who, first := range writers {
		for what, c := range map[string]struct {
			options []secretstore.Option
			want    calls
		}{
			"leaves out": {leavesOut(), calls{1, 1, 0}},
			// It claims the new access token, and releases the old one if that is in the index.
			"indexes": {indexesAccess(), calls{2, 3, 2}},
		} {
			secrets := memory.New()
			saves(t, open(t, secrets, first...), firstToken)
			if want := &c.want; who == "leaves out" && what == "indexes" {
				want.writes, want.indexWrites = 2, 1
			}
			s, made := observedStore(t, secrets, c.options...)
			saves(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"})
			if *made != c.want {
				t.Errorf("a token of a program that %s, refreshed by one that %s: %v calls, want %v", who, what, *made, c.want)
			}
			*made = calls{}
			if saves(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"}); *made != (calls{1, 0, 0}) {
				t.Errorf("a token of a program that %s, unchanged by one that %s: %v calls", who, what, *made)
			}
		}
	}
	// One whose finds rely on the index claims what another has left out.
	secrets := memory.New()
	saves(t, open(t, secrets, leavesOut()...), firstToken)
	saved := saves(t, open(t, secrets, entries()...), tokenstore.OAuthToken{UserName: "u1", APIDomain: "https://example.com"})
	finds(t, open(t, secrets, entries()...), byAccess("a1"), saved)
}

// A process that has seen a token finds it by an access token that is left out without a
// search.
func TestKnownAccessTokenOfEntries(t *testing.T) {
	for _, options := range [][]secretstore.Option{leavesOut(), indexesAccess()} {
		secrets := memory.New()
		writer := open(t, secrets, leavesOut()...)
		stored := saves(t, writer, firstToken)
		saves(t, writer, client(tokenstore.OAuthToken{UserName: "u2", RefreshToken: "r2", AccessToken: "other"}))
		s, made := observedStore(t, secrets, options...)
		finds(t, s, tokenstore.OAuthToken{UserName: "u1"}, stored)
		*made = calls{}
		finds(t, s, byAccess("a1"), stored)
		if *made != (calls{2, 0, 0}) {
			t.Errorf("a find by an access token that the process has seen makes %v calls", *made)
		}
	}
}

// A repair takes an access token in the index for what it is, although the program that
// repairs leaves them out, and removes it when the token has another one. A program that
// indexes them adds them.
func TestRepairOfAccessTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	clock := secretstore.WithClock(func() time.Time { return now })
	secrets := memory.New()
	saves(t, open(t, secrets, indexesAccess(clock)...), firstToken)
	repair := func(when string, added, removed int, options ...secretstore.Option) {
		t.Helper()
		now = now.Add(48 * time.Hour)
		report, err := open(t, secrets, options...).Reindex(t.Context(), secretstore.ReindexOptions{})
		if err != nil || report.KeysAdded != added || report.HintsRemoved != removed {
			t.Errorf("%s: %d keys are added, %d hints are removed, %v; want %d and %d", when, report.KeysAdded, report.HintsRemoved, err, added, removed)
		}
	}
	repair("of another program's access token", 0, 0, leavesOut(clock)...)
	refreshed := saves(t, open(t, secrets, leavesOut(clock)...), tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"})
	repair("after a refresh that leaves it out", 0, 1, leavesOut(clock)...)
	repair("by a program that indexes them", 1, 0, indexesAccess(clock)...)
	cold, made := observedStore(t, secrets, leavesOut(clock)...)
	finds(t, cold, byAccess("a2"), refreshed)
	if *made != (calls{2, 0, 0}) {
		t.Errorf("after that a find makes %v calls", *made)
	}
}

// reading counts how often each secret is read.
type reading struct {
	mu    sync.Mutex
	times map[string]int
}

func (r *reading) intercept(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
	if c.Method == drivertest.Get || c.Method == drivertest.List {
		r.mu.Lock()
		r.times[c.Name]++
		r.mu.Unlock()
	}
	return do(ctx)
}

// most returns how often a secret of the folder was read at most, and how many were read.
func (r *reading) most(folder string) (most, secrets int) {
	for name, n := range r.times {
		if strings.Contains(name, folder) && !strings.HasSuffix(name, "/") {
			most, secrets = max(most, n), secrets+1
		}
	}
	return most, secrets
}

// Where secrets are read one by one, a check, a repair, many saves and many finds read each
// secret of the index once.
func TestEntriesAreReadOnce(t *testing.T) {
	const tokens = 50
	user, refresh := 1, 2 // how many entries each token has
	for what, c := range map[string]struct {
		do      func(ctx context.Context, s *secretstore.Store, all []tokenstore.OAuthToken) error
		entries int // read of each token
	}{
		"check": {func(ctx context.Context, s *secretstore.Store, _ []tokenstore.OAuthToken) error {
			_, err := s.Check(ctx)
			return err
		}, refresh},
		"reindex": {func(ctx context.Context, s *secretstore.Store, _ []tokenstore.OAuthToken) error {
			_, err := s.Reindex(ctx, secretstore.ReindexOptions{})
			return err
		}, refresh},
		"many finds by every key": {func(ctx context.Context, s *secretstore.Store, all []tokenstore.OAuthToken) error {
			var queries, want []tokenstore.OAuthToken
			for _, token := range all {
				queries, want = append(queries, tokenstore.OAuthToken{ID: token.ID}), append(want, token)
				for _, k := range tokenstore.KeysOf(token) {
					queries, want = append(queries, tokenstore.QueryFor(k)), append(want, token)
				}
			}
			found, err := s.FindTokens(ctx, queries)
			if err == nil && !slices.Equal(found, want) {
				err = errors.New("another token is found")
			}
			return err
		}, refresh}, // That of the refresh and of the access token.
		"many saves after a refresh": {func(ctx context.Context, s *secretstore.Store, all []tokenstore.OAuthToken) error {
			for i := range all {
				all[i] = tokenstore.OAuthToken{UserName: all[i].UserName, AccessToken: fmt.Sprint("refreshed", i)}
			}
			_, err := s.SaveTokens(ctx, all)
			return err
		}, 0},
		"many saves of new tokens": {func(ctx context.Context, s *secretstore.Store, _ []tokenstore.OAuthToken) error {
			all := newWithAccess(2 * tokens)
			_, err := s.SaveTokens(ctx, all[tokens:])
			return err
		}, refresh},
	} {
		secrets := memory.New()
		all, err := open(t, secrets, leavesOut()...).SaveTokens(t.Context(), newWithAccess(tokens))
		if err != nil {
			t.Fatal(err)
		}
		r := &reading{times: map[string]int{}}
		if err := c.do(t.Context(), open(t, drivertest.Intercept(secrets, r.intercept), leavesOut()...), all); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if most, n := r.most("/index/"); most > 1 || n > c.entries*tokens+user { // One more is the root of another form.
			t.Errorf("%s: %d entries of %d tokens are read, and one of them %d times", what, n, tokens, most)
		}
		if most, n := r.most("/tokens/"); most > 1 || n != tokens {
			t.Errorf("%s: %d tokens are read, and one of them %d times", what, n, most)
		}
	}
}

// What a person has broken in the index is reported, and hides and repeats nothing else.
func TestCheckReadsOnceBesideABrokenEntry(t *testing.T) {
	secrets := memory.New()
	if _, err := open(t, secrets, leavesOut()...).SaveTokens(t.Context(), newWithAccess(20)); err != nil {
		t.Fatal(err)
	}
	broken := ""
	for name, err := range secrets.List(t.Context(), "tokenstore/index/") {
		if err != nil {
			t.Fatal(err)
		}
		broken = name
	}
	secrets.Edit(broken, json.RawMessage("broken"))
	r := &reading{times: map[string]int{}}
	report, err := open(t, drivertest.Intercept(secrets, r.intercept), leavesOut()...).Check(t.Context())
	if !errors.Is(err, tokenstore.ErrUnreadable) || strings.Count(fmt.Sprint(err), broken) != 1 || report.Tokens != 20 || report.KeysAdded != 0 {
		t.Errorf("%d tokens, %d keys are missing, %v", report.Tokens, report.KeysAdded, err)
	}
	delete(r.times, broken)
	if most, _ := r.most("/index/"); most > 2 { // Together with the broken one, and alone.
		t.Errorf("another entry is read %d times", most)
	}
}
