// Refresh tokens that the index leaves out.

package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
)

func documents(fanout int, more ...secretstore.Option) []secretstore.Option {
	return append([]secretstore.Option{secretstore.WithDocument(fanout), secretstore.WithoutAccessIndex(), secretstore.WithScanLimit(0), noWait}, more...)
}

func byRefresh(refresh string) tokenstore.OAuthToken {
	return client(tokenstore.OAuthToken{RefreshToken: refresh})
}

func saves(t *testing.T, s *secretstore.Store, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := s.SaveToken(t.Context(), token)
	if err != nil {
		t.Fatalf("save %v: %v", token, err)
	}
	return saved
}

func finds(t *testing.T, s *secretstore.Store, query, want tokenstore.OAuthToken) {
	t.Helper()
	if found, err := s.FindToken(t.Context(), query); err != nil || found != want {
		t.Errorf("find %v: %v, %v", query, found, err)
	}
}

// A process follows the index, whatever its own options; the options decide for a new one.
func TestRotatingFollowsTheIndex(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		secrets := memory.New()
		saves(t, open(t, secrets, documents(fanout, secretstore.WithRotating())...), firstToken)
		other, calls := observedStore(t, secrets, documents(fanout)...)
		for i := range 3 {
			*calls = struct{ reads, writes, indexWrites int }{}
			rotated := saves(t, other, tokenstore.OAuthToken{UserName: "u1", RefreshToken: fmt.Sprint("rotated", i)})
			if i > 0 && (calls.reads != 1 || calls.writes != 1) || calls.indexWrites > 0 {
				t.Errorf("fan-out %d: rotation %d makes %v calls", fanout, i, calls)
			}
			finds(t, open(t, secrets, documents(fanout)...), byRefresh(rotated.RefreshToken), rotated)
			finds(t, other, byRefresh(rotated.RefreshToken), rotated)
		}

		secrets = memory.New()
		saves(t, open(t, secrets, documents(fanout)...), firstToken)
		late, calls := observedStore(t, secrets, documents(fanout, secretstore.WithRotating())...)
		saves(t, late, tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"})
		if calls.indexWrites == 0 {
			t.Errorf("fan-out %d: a process's own option changes an index in use", fanout)
		}
	}
}

// A process that remembers the index from before the repair finds what is left out since, and
// leaves it out itself.
func TestRotatingLater(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		secrets := memory.New()
		now := time.Unix(1_800_000_000, 0)
		clock := secretstore.WithClock(func() time.Time { return now })
		remembers := open(t, secrets, documents(fanout, clock)...)
		saves(t, remembers, firstToken)
		saves(t, remembers, client(tokenstore.OAuthToken{UserName: "u2", RefreshToken: "r2"}))
		repairer := open(t, secrets, documents(fanout, clock)...)
		for range 2 { // Again, it changes nothing.
			if _, err := repairer.Reindex(t.Context(), secretstore.ReindexOptions{Rotating: true}); err != nil {
				t.Fatal(err)
			}
		}
		rotated := saves(t, repairer, tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"})
		finds(t, remembers, byRefresh("rotated"), rotated)
		if _, err := remembers.FindToken(t.Context(), byRefresh("r1")); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("the old refresh token: %v", err)
		}
		saved := saves(t, open(t, secrets, documents(fanout, clock)...), client(tokenstore.OAuthToken{RefreshToken: "rotated", AccessToken: "a2"}))
		if saved.ID != rotated.ID || saved.UserName != "u1" {
			t.Errorf("a save without a user, by the refresh token of a user's token, went to %v", saved)
		}
		now = now.Add(48 * time.Hour)
		report, err := repairer.Reindex(t.Context(), secretstore.ReindexOptions{})
		if err != nil || report.KeysAdded != 0 || report.HintsRemoved != 1 {
			t.Errorf("fan-out %d: the repair adds %d keys and removes %d hints: %v", fanout, report.KeysAdded, report.HintsRemoved, err)
		}
		finds(t, open(t, secrets, documents(fanout, clock)...), byRefresh("rotated"), saved)
	}
}

// An index of entries has no limit that rotations use up.
func TestRotatingNeedsDocuments(t *testing.T) {
	if _, err := secretstore.New(memory.New(), secretstore.WithRotating()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("New: %v", err)
	}
	for _, dry := range []bool{false, true} {
		_, err := open(t, memory.New()).Reindex(t.Context(), secretstore.ReindexOptions{Rotating: true, DryRun: dry})
		if !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("Reindex: %v", err)
		}
	}
	secrets := memory.New()
	saves(t, open(t, secrets, documents(1)...), firstToken)
	if _, err := open(t, secrets, documents(1)...).Reindex(t.Context(), secretstore.ReindexOptions{Rotating: true, DryRun: true}); err != nil {
		t.Fatal(err)
	}
	if root, _ := secrets.Get(t.Context(), "tokenstore/index/root"); strings.Contains(string(root.Data), "omits") {
		t.Errorf("a dry run changes the index: %s", root.Data)
	}
}

// A search stops at the hit, and a miss names no token.
func TestSearchStopsAtTheHit(t *testing.T) {
	const tokens = 1000
	var mu sync.Mutex
	read := map[string]bool{}
	secrets := drivertest.Intercept(memory.New().Batched(), func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		mu.Lock()
		for _, name := range append(c.Names, c.Name) {
			read[name] = true
		}
		mu.Unlock()
		return do(ctx)
	})
	s := open(t, secrets, documents(1, secretstore.WithRotating())...)
	var all []tokenstore.OAuthToken
	for i := range tokens {
		all = append(all, client(tokenstore.OAuthToken{UserName: fmt.Sprint("user", i), RefreshToken: fmt.Sprint("r", i)}))
	}
	if _, err := s.SaveTokens(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].RefreshToken = fmt.Sprint("rotated", i)
	}
	if _, err := s.SaveTokens(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	lister := index.NewDocument(secrets, index.Config{Prefix: "tokenstore/index/"}).(index.Lister)
	ids, _, err := lister.IDs(t.Context())
	if err != nil || len(ids) != tokens {
		t.Fatalf("%d IDs, %v", len(ids), err)
	}
	first, err := s.FindTokenByID(t.Context(), ids[10])
	if err != nil {
		t.Fatal(err)
	}
	clear(read)
	finds(t, open(t, secrets, documents(1)...), byRefresh(first.RefreshToken), first)
	if len(read) > 300 {
		t.Errorf("a find read %d secrets for one of the first tokens", len(read))
	}
	// A process that has seen a token knows where to look.
	cold := open(t, secrets, documents(1)...)
	if _, err := cold.FindToken(t.Context(), byRefresh("no such token")); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a miss: %v", err)
	}
	clear(read)
	finds(t, cold, byRefresh(first.RefreshToken), first)
	if len(read) > 3 {
		t.Errorf("a find read %d secrets for a token that was seen", len(read))
	}
	// A group of saves without a user reads the tokens once.
	counting, calls := observedStore(t, secrets, documents(1)...)
	var free []tokenstore.OAuthToken
	for i := range 50 {
		free = append(free, byRefresh(fmt.Sprint("free", i)))
	}
	free = append(free, client(tokenstore.OAuthToken{RefreshToken: first.RefreshToken, AccessToken: "a-new"}))
	saved, err := counting.SaveTokens(t.Context(), free)
	if err != nil || saved[50].ID != first.ID {
		t.Errorf("saved %v, %v", saved[50], err)
	}
	if calls.reads > 20 {
		t.Errorf("a group of saves made %d reads", calls.reads)
	}
}

// A token that is inserted with a key, and the deletion of the one that had it, do not hide
// the key from a search that reads the tokens meanwhile.
func TestSearchFollowsARenamedUser(t *testing.T) {
	for kind, query := range map[string]tokenstore.OAuthToken{"refresh": byRefresh("rotated"), "access": {AccessToken: "a1"}} {
		secrets := memory.New()
		other := open(t, secrets, documents(1, secretstore.WithRotating())...)
		saves(t, other, firstToken)
		old := saves(t, other, tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"})
		renamed := false
		searching := drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
			if !renamed && c.Name == "tokenstore/tokens/"+old.ID {
				renamed = true
				moved := old
				moved.ID, moved.UserName = "", "u2"
				saves(t, other, moved)
				if err := other.DeleteToken(ctx, old.ID); err != nil {
					t.Error(err)
				}
			}
			return do(ctx)
		})
		found, err := open(t, searching, documents(1)...).FindToken(t.Context(), query)
		if err != nil || found.UserName != "u2" || !renamed {
			t.Errorf("by %s token: %v, %v", kind, found, err)
		}
	}
}

// A person's edit that leaves a token without its user is seen by the repair and the next
// save: the refresh token is then in the index, where an adoption looks.
func TestRotatedTokenLosesItsUser(t *testing.T) {
	for _, by := range []string{"repair", "save"} {
		secrets := memory.New()
		s := open(t, secrets, documents(1, secretstore.WithRotating())...)
		saves(t, s, client(tokenstore.OAuthToken{ID: "x", UserName: "u1", RefreshToken: "r1"}))
		saves(t, s, tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"})
		name := "tokenstore/tokens/x"
		stored, err := secrets.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		secrets.Edit(name, editedData(t, stored.Data, func(fields map[string]any) { delete(fields, "user_name") }))
		if by == "repair" {
			_, err = s.Reindex(t.Context(), secretstore.ReindexOptions{})
		} else {
			_, err = s.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "x", AccessToken: "a2"})
		}
		if err != nil {
			t.Fatal(err)
		}
		// By a process that has not seen the token.
		adopted := saves(t, open(t, secrets, documents(1)...), client(tokenstore.OAuthToken{UserName: "u2", RefreshToken: "rotated"}))
		if adopted.ID != "x" {
			t.Errorf("after the %s, a user's save inserts %v", by, adopted)
		}
	}
}

// A token without a user always has its refresh token in the index, where an adoption looks.
func TestTokenWithoutAUserIsIndexed(t *testing.T) {
	secrets := memory.New()
	s := open(t, secrets, documents(1, secretstore.WithRotating())...)
	saves(t, s, client(tokenstore.OAuthToken{ID: "x", RefreshToken: "r1"}))
	saves(t, s, client(tokenstore.OAuthToken{ID: "x", RefreshToken: "rotated"}))
	s = open(t, secrets, documents(1)...)
	adopted := saves(t, s, client(tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"}))
	if adopted.ID != "x" {
		t.Errorf("a user's save inserts %v", adopted)
	}
	// A user's token that holds it is not adopted, though a find finds it.
	saves(t, s, tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated again"})
	if other := saves(t, s, client(tokenstore.OAuthToken{UserName: "u2", RefreshToken: "rotated again"})); other.ID == "x" {
		t.Errorf("a user's save takes over another user's token: %v", other)
	}
}

// The error of a rotation that the index has no writes left for says what to do; that of an
// insert does not.
func TestQuotaErrorOfARotation(t *testing.T) {
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 2}))
	s := open(t, secrets, documents(1)...)
	saves(t, s, firstToken)
	saves(t, s, client(tokenstore.OAuthToken{UserName: "u2", RefreshToken: "r2"}))
	const advice = "reindex --rotating"
	_, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"})
	if !errors.Is(err, tokenstore.ErrQuota) || !strings.Contains(err.Error(), advice) {
		t.Errorf("a rotation: %v", err)
	}
	for what, token := range map[string]tokenstore.OAuthToken{
		"an insert": client(tokenstore.OAuthToken{UserName: "u3", RefreshToken: "r3"}), "another grant token": {UserName: "u1", GrantToken: "g2"},
	} {
		if _, err := s.SaveToken(t.Context(), token); !errors.Is(err, tokenstore.ErrQuota) || strings.Contains(err.Error(), advice) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = s.SaveTokens(t.Context(), []tokenstore.OAuthToken{{UserName: "u1", RefreshToken: "rotated"}})
	if !errors.Is(err, tokenstore.ErrQuota) || !strings.Contains(err.Error(), advice) {
		t.Errorf("a rotation among several saves: %v", err)
	}
	// What it says helps at once, also in a process that remembers the index from before.
	if _, err := open(t, secrets, documents(1)...).Reindex(t.Context(), secretstore.ReindexOptions{Rotating: true}); err != nil {
		t.Fatal(err)
	}
	saves(t, s, tokenstore.OAuthToken{UserName: "u1", RefreshToken: "rotated"})
}

// The check recommends it for rotations, and not for new tokens or edits of other keys.
func TestCheckRecommendsRotating(t *testing.T) {
	for what, c := range map[string]struct {
		save  func(i int) tokenstore.OAuthToken
		wants bool
	}{
		"rotations": {func(i int) tokenstore.OAuthToken {
			return tokenstore.OAuthToken{UserName: "u1", RefreshToken: fmt.Sprint("r", i)}
		}, true},
		"new tokens": {func(i int) tokenstore.OAuthToken {
			return client(tokenstore.OAuthToken{UserName: fmt.Sprint("new", i), RefreshToken: fmt.Sprint("new", i)})
		}, false},
		"grant tokens": {func(i int) tokenstore.OAuthToken {
			return tokenstore.OAuthToken{UserName: "u1", GrantToken: fmt.Sprint("g", i)}
		}, false},
	} {
		for _, rotating := range []bool{false, true} {
			now := time.Unix(1_800_000_000, 0)
			secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 90}))
			options := documents(1, secretstore.WithClock(func() time.Time { return now }))
			if rotating {
				options = append(options, secretstore.WithRotating())
			}
			s := open(t, secrets, options...)
			saves(t, s, firstToken)
			for i := range 40 {
				now = now.Add(20 * time.Minute)
				saves(t, s, c.save(i))
			}
			report, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if warns := strings.Contains(strings.Join(report.Warnings, "\n"), "reindex --rotating"); warns != (c.wants && !rotating) {
				t.Errorf("%s, rotating %v: %q", what, rotating, report.Warnings)
			}
		}
	}
}
