package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/pause"
	"example.com/tokenstore/secretstore"
)

// TestRepairLeavesWhatItCannotRead repairs while a token cannot be read, since a
// person has broken it. Once it is mended it is found, and listed, as before.
func TestRepairLeavesWhatItCannotRead(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
			options := append([]secretstore.Option{secretstore.WithClock(func() time.Time { return now }), secretstore.WithScanLimit(0)}, form...)
			store := open(t, secrets, options...)
			token, err := store.SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"}))
			if err != nil {
				t.Fatal(err)
			}
			secret, err := secrets.Get(ctx, "tokenstore/tokens/"+token.ID)
			if err != nil {
				t.Fatal(err)
			}
			secrets.Edit(secret.Name, []byte(`{"a comma too many":"",}`))
			now = now.Add(48 * time.Hour)
			report, err := store.Reindex(ctx, secretstore.ReindexOptions{})
			if err != nil || !slices.Equal(report.Unreadable, []string{token.ID}) || report.HintsRemoved != 0 {
				t.Errorf("the repair gives %+v, %v", report, err)
			}
			if tokens, err := store.GetTokens(ctx); !errors.Is(err, tokenstore.ErrUnreadable) || len(tokens) != 0 {
				t.Errorf("after the repair the unreadable token is not named: %v", err)
			}
			secrets.Edit(secret.Name, secret.Data)
			store = open(t, secrets, options...)
			if found, err := store.FindToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh"})); err != nil || found != token {
				t.Errorf("the mended token is not found by its refresh token: %v", err)
			}
			if tokens, err := store.GetTokens(ctx); err != nil || len(tokens) != 1 {
				t.Errorf("%d tokens are listed, %v", len(tokens), err)
			}
		})
	}
}

// TestSecretsOfOthersThatLookLikeOurs has foreign secrets among the tokens, with a field
// whose name the store also uses. They are neither tokens nor tombstones, so nothing lists,
// changes or removes them.
func TestSecretsOfOthersThatLookLikeOurs(t *testing.T) {
	for _, data := range []string{`{"generation":"7"}`, `{"generation":3,"password":"fake"}`, `{"generation":"5","refresh_token":"fake-of-others"}`} {
		ctx, secrets := t.Context(), memory.New()
		secrets.Edit("tokenstore/tokens/x", []byte(data))
		store := open(t, secrets)
		if tokens, err := store.GetTokens(ctx); err != nil || len(tokens) != 0 {
			t.Errorf("%s: %d tokens are listed, %v", data, len(tokens), err)
		}
		if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{ID: "x", RefreshToken: "fake"}); !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("%s: a save with the ID gives %v", data, err)
		}
		if err := store.DeleteToken(ctx, "x"); err != nil {
			t.Error(err)
		}
		if report, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil || report.Foreign != 1 {
			t.Errorf("%s: the repair gives %+v, %v", data, report, err)
		}
		if secret, err := secrets.Get(ctx, "tokenstore/tokens/x"); err != nil || string(secret.Data) != data {
			t.Errorf("%s is now %s, %v", data, secret.Data, err)
		}
	}
}

// TestRepairRefusesAFanOut checks that an invalid fan-out is an invalid argument.
func TestRepairRefusesAFanOut(t *testing.T) {
	for _, fanout := range []int{-1, index.MaxFanout + 1} {
		_, err := open(t, memory.New(), secretstore.WithDocument(1)).Reindex(t.Context(), secretstore.ReindexOptions{Fanout: fanout})
		if !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("fan-out %d: %v", fanout, err)
		}
		if _, err := secretstore.New(memory.New(), secretstore.WithDocument(fanout)); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("a new index of fan-out %d: %v", fanout, err)
		}
	}
}

// TestCheckReadsAtTheSameTime checks tokens on a service that takes a second for
// each call. The secrets of the index are far more than those of the tokens, and
// both are read several at a time.
func TestCheckReadsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := memory.New()
		writer := open(t, secrets)
		for i := range 64 {
			token := tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: fmt.Sprint("fake-refresh-", i)}
			if _, err := writer.SaveToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		slow := drivertest.Delay(secrets, func(drivertest.Call) time.Duration { return time.Second }, pause.For)
		counted, counts := drivertest.Count(slow)
		start := time.Now()
		report, err := open(t, counted, secretstore.WithParallelism(8)).Check(t.Context())
		if err != nil || report.Tokens != 64 {
			t.Fatalf("%+v, %v", report, err)
		}
		if took := time.Since(start); took > time.Duration(counts.Total()/8+10)*time.Second {
			t.Errorf("%d calls took %v, though 8 were allowed at a time", counts.Total(), took)
		}
	})
}

// TestRepairWritesAtTheSameTime rebuilds a lost index, deletes all tokens, and
// sweeps what that leaves, on a service that takes a second for each call.
func TestRepairWritesAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tokens, allowed = 64, 8
		ctx, secrets := t.Context(), memory.New()
		writer := open(t, secrets)
		for i := range tokens {
			token := tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: fmt.Sprint("fake-refresh-", i)}
			if _, err := writer.SaveToken(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		for name, err := range secrets.List(ctx, "tokenstore/index/") {
			if err != nil {
				t.Fatal(err)
			}
			secrets.Remove(name)
		}
		slow := drivertest.Delay(secrets, func(drivertest.Call) time.Duration { return time.Second }, pause.For)
		counted, counts := drivertest.Count(slow)
		store := open(t, counted, secretstore.WithParallelism(allowed))
		reindex := func() (secretstore.Report, error) { return store.Reindex(ctx, secretstore.ReindexOptions{}) }
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"rebuild", func() error {
				report, err := reindex()
				if report.KeysAdded != 2*tokens {
					t.Errorf("%d keys were added", report.KeysAdded)
				}
				return err
			}},
			{"delete", func() error { return store.DeleteTokens(ctx) }},
			{"sweep", func() error {
				time.Sleep(48 * time.Hour)
				report, err := reindex()
				if report.TombstonesSwept != tokens || report.IndexSwept != 2*tokens {
					t.Errorf("swept: %+v", report)
				}
				return err
			}},
		} {
			counts.Reset()
			start := time.Now()
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			took := time.Since(start) % (48 * time.Hour)
			if took > time.Duration(counts.Total()/allowed+20)*time.Second {
				t.Errorf("%s: %d calls took %v, though %d were allowed at a time", step.name, counts.Total(), took, allowed)
			}
		}
	})
}

// TestRepairGoesOnBesideABrokenIndexEntry repairs while two entries of the index cannot be
// parsed: both are named, and everything that does not depend on them is repaired.
func TestRepairGoesOnBesideABrokenIndexEntry(t *testing.T) {
	ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
	store := open(t, secrets, secretstore.WithClock(func() time.Time { return now }), noWait)
	entry := func(i int) string {
		return "tokenstore/index/" + index.Hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: fmt.Sprint("fake-refresh-", i)}, nil)
	}
	for i := range 5 {
		token := client(tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: fmt.Sprint("fake-refresh-", i)})
		if _, err := store.SaveToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	stray := index.Hash(tokenstore.Key{Kind: tokenstore.GrantKey, Value: "fake-grant"}, nil)
	if _, err := index.NewEntries(secrets, index.Config{Prefix: "tokenstore/index/", Now: func() time.Time { return now }}).View().
		Claim(ctx, index.Claim{Hash: stray, ID: "nobody", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	secrets.Edit(entry(1), []byte("{"))
	secrets.Edit(entry(2), []byte(`{"@a":"what?"}`))
	secrets.Remove(entry(3))
	now = now.Add(48 * time.Hour)
	for _, repair := range []bool{false, true} {
		report, err := store.Reindex(ctx, secretstore.ReindexOptions{DryRun: !repair})
		if !errors.Is(err, tokenstore.ErrUnreadable) || report.Tokens != 5 || report.KeysAdded != 1 || report.HintsRemoved != 1 {
			t.Errorf("repair %t: %+v, %v", repair, report, err)
		}
		for _, i := range []int{1, 2} {
			if err != nil && strings.Count(err.Error(), entry(i)) != 1 {
				t.Errorf("%s is not named once: %v", entry(i), err)
			}
		}
	}
	lost := client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-3"})
	if _, err := open(t, secrets, secretstore.WithScanLimit(0)).FindToken(ctx, lost); err != nil {
		t.Errorf("the token whose key was lost is not found by it: %v", err)
	}
	// The remedy that the error gives.
	secrets.Remove(entry(1))
	secrets.Remove(entry(2))
	if report, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil || report.KeysAdded != 2 {
		t.Errorf("after the broken entries were deleted: %+v, %v", report, err)
	}
}

// TestRepairGoesOnBesideABrokenDocument breaks one document of an index and deletes
// another: the deleted one is rebuilt, and the broken one is named.
func TestRepairGoesOnBesideABrokenDocument(t *testing.T) {
	const fanout = 4
	ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
	again := func() *secretstore.Store {
		return open(t, secrets, secretstore.WithDocument(fanout), noWait, secretstore.WithClock(func() time.Time { return now }), secretstore.WithScanLimit(0))
	}
	const tokens = 20
	query := func(i int) tokenstore.OAuthToken {
		return client(tokenstore.OAuthToken{RefreshToken: fmt.Sprint("fake-refresh-", i)})
	}
	for i := range tokens {
		token := query(i)
		token.UserName = fmt.Sprint("fake-user-", i)
		if _, err := again().SaveToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	var documents []string
	for name, err := range secrets.List(ctx, "tokenstore/index/") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/root") {
			documents = append(documents, name)
		}
	}
	secrets.Edit(documents[0], []byte("{"))
	secrets.Remove(documents[1])
	now = now.Add(48 * time.Hour)
	unfound := func() (unreadable, missing int) {
		for i := range tokens {
			switch _, err := again().FindToken(ctx, query(i)); {
			case errors.Is(err, tokenstore.ErrUnreadable):
				unreadable++
			case err != nil:
				missing++
			}
		}
		return unreadable, missing
	}
	if unreadable, missing := unfound(); unreadable == 0 || missing == 0 {
		t.Fatalf("%d finds meet the broken document, %d the lost one", unreadable, missing)
	}
	report, err := again().Reindex(ctx, secretstore.ReindexOptions{})
	if !errors.Is(err, tokenstore.ErrUnreadable) || strings.Count(err.Error(), documents[0]) != 1 || strings.Contains(err.Error(), documents[1]) {
		t.Errorf("reindex: %v", err)
	}
	if report.Tokens != tokens || report.KeysAdded == 0 || len(report.Index) != fanout {
		t.Errorf("reindex: %+v", report)
	}
	if _, missing := unfound(); missing != 0 {
		t.Errorf("%d tokens are still not found", missing)
	}
	secrets.Remove(documents[0])
	if _, err := again().Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
		t.Errorf("after the broken document was deleted: %v", err)
	}
	if unreadable, missing := unfound(); unreadable+missing != 0 {
		t.Errorf("%d tokens are still not found", unreadable+missing)
	}
}

// TestRepairThatEndsEarlySaysWhy has a repair meet a broken entry of the index, and
// then a service that takes no further call. Its error is of the latter kind.
func TestRepairThatEndsEarlySaysWhy(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	if _, err := open(t, secrets).SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", GrantToken: "fake-grant"})); err != nil {
		t.Fatal(err)
	}
	broken := "tokenstore/index/" + index.Hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "fake-refresh"}, nil)
	secrets.Edit(broken, []byte("{"))
	secrets.Remove("tokenstore/index/" + index.Hash(tokenstore.Key{Kind: tokenstore.GrantKey, Value: "fake-grant"}, nil))
	throttled := drivertest.Inject(secrets, drivertest.FailMethod(drivertest.Put, drivertest.Outcome{Err: driver.ErrThrottled}))
	_, err := open(t, throttled, noWait).Reindex(ctx, secretstore.ReindexOptions{})
	if !errors.Is(err, tokenstore.ErrThrottled) || errors.Is(err, tokenstore.ErrUnreadable) || !tokenstore.Retryable(err) || !strings.Contains(err.Error(), broken) {
		t.Errorf("reindex: %v", err)
	}
}

// TestRepairLeavesAHintThatIsClaimedAgain has a save fail before it writes the
// token, a day pass, and the same save be done again while a repair is about to
// remove the hint that the first one has left. The second save claims the key for
// the same generation.
func TestRepairLeavesAHintThatIsClaimedAgain(t *testing.T) {
	for name, form := range map[string]secretstore.Option{"entries": secretstore.WithEntries(), "document": secretstore.WithDocument(1)} {
		t.Run(name, func(t *testing.T) {
			ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
			process := func(secrets driver.Secrets) *secretstore.Store {
				return open(t, secrets, form, secretstore.WithScanLimit(0), secretstore.WithClock(func() time.Time { return now }))
			}
			token, err := process(secrets).SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-1"}))
			if err != nil {
				t.Fatal(err)
			}
			secret := "tokenstore/tokens/" + token.ID
			token.RefreshToken = "fake-2"
			cutOff := drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
				if c.Method == drivertest.Put && c.Name == secret {
					return drivertest.Unreached
				}
				return drivertest.Outcome{}
			})
			if _, err := process(cutOff).SaveToken(ctx, token); !errors.Is(err, tokenstore.ErrUnavailable) {
				t.Fatal(err)
			}
			now = now.Add(48 * time.Hour)

			claimed, repaired, saved := make(chan struct{}), make(chan struct{}), make(chan error)
			saver := process(drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
				if c.Method == drivertest.Put && c.Name == secret {
					close(claimed)
					<-repaired
				}
				return do(ctx)
			}))
			looks := 0
			repairer := process(drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
				err := do(ctx)
				if c.Method == drivertest.Get && c.Name == secret {
					if looks++; looks == 2 { // Its last one before it removes hints.
						go func() { _, err := saver.SaveToken(ctx, token); saved <- err }()
						<-claimed
					}
				}
				return err
			}))
			if _, err := repairer.Reindex(ctx, secretstore.ReindexOptions{}); err != nil || looks != 2 {
				t.Fatalf("%v, after %d looks at the token", err, looks)
			}
			close(repaired)
			if err := <-saved; err != nil {
				t.Fatal(err)
			}
			if _, err := process(secrets).FindToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-2"})); err != nil {
				t.Errorf("a stored token is not found: %v", err)
			}
		})
	}
}

// TestRepairSeesToAnEdit has a person take the user out of a token, a repair
// remove the user's key from the index, and the person put the user back: the
// token is as its last writer left it, and yet its next save has to index a key.
func TestRepairSeesToAnEdit(t *testing.T) {
	for name, form := range map[string]secretstore.Option{"entries": secretstore.WithEntries(), "document": secretstore.WithDocument(1)} {
		t.Run(name, func(t *testing.T) {
			ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
			store := open(t, secrets, form, noWait, secretstore.WithScanLimit(0), secretstore.WithClock(func() time.Time { return now }))
			token := client(tokenstore.OAuthToken{ID: "1", UserName: "fake-user", RefreshToken: "fake-refresh"})
			if _, err := store.SaveToken(ctx, token); err != nil {
				t.Fatal(err)
			}
			edit := func(user string) {
				t.Helper()
				now = now.Add(48 * time.Hour)
				secret, err := secrets.Get(ctx, "tokenstore/tokens/1")
				if err != nil {
					t.Fatal(err)
				}
				secrets.Edit(secret.Name, editedData(t, secret.Data, func(fields map[string]any) { fields["user_name"] = user }))
			}
			edit("")
			if report, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil || report.HintsRemoved != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
			edit("fake-user")
			token.APIDomain = "https://api.example"
			if _, err := store.SaveToken(ctx, client(tokenstore.OAuthToken{RefreshToken: token.RefreshToken, APIDomain: token.APIDomain})); err != nil {
				t.Fatal(err)
			}
			saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: token.UserName, AccessToken: "fake-access"})
			if token.AccessToken = "fake-access"; err != nil || saved != token {
				t.Errorf("a save by the user goes to %v, %v", saved.ID, err)
			}
		})
	}
}

// TestRepairUnderAnotherPepper repairs with another pepper than that of the store,
// as an operator does who forgets it. Programs would then no longer find a token by
// its refresh token, so those tokens are left alone; unless it is meant.
func TestRepairUnderAnotherPepper(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
			under := func(pepper string) *secretstore.Store {
				return open(t, secrets, slices.Concat(form, []secretstore.Option{
					secretstore.WithPepper([]byte(pepper)), secretstore.WithScanLimit(0), noWait,
					secretstore.WithClock(func() time.Time { return now }),
				})...)
			}
			found := func(pepper string) bool {
				t.Helper()
				got, err := under(pepper).FindToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-1"}))
				if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
					t.Fatal(err)
				}
				return err == nil && got.UserName == "fake-user-1"
			}
			for i := range 3 {
				token := client(tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: fmt.Sprint("fake-refresh-", i)})
				if _, err := under("fake-pepper").SaveToken(ctx, token); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(48 * time.Hour)
			other := tokenstore.OAuthToken{UserName: "fake-other", RefreshToken: "fake-refresh-of-other"}
			if _, err := under("").SaveToken(ctx, other); err != nil { // As an import does that was made without the pepper.
				t.Fatal(err)
			}
			for _, dryRun := range []bool{true, false} {
				report, err := under("").Reindex(ctx, secretstore.ReindexOptions{DryRun: dryRun})
				if err != nil || report.Tokens != 4 || report.OtherPepper != 3 || report.KeysAdded+report.HintsRemoved != 0 {
					t.Errorf("without the pepper: %+v, %v", report, err)
				}
			}
			if report, err := under("fake-pepper").Check(ctx); err != nil || report.OtherPepper != 1 || report.KeysAdded != 0 || !found("fake-pepper") {
				t.Errorf("with the pepper, after that: %+v, %v", report, err)
			}
			if report, err := under("").Reindex(ctx, secretstore.ReindexOptions{ChangePepper: true}); err != nil || report.KeysAdded == 0 || !found("") {
				t.Errorf("a change of the pepper: %+v, %v", report, err)
			}
			if _, err := under("").Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
				t.Errorf("after the change: %v", err)
			}
		})
	}
}

// TestAnotherPepperIsLoggedOnce has a program that forgot the pepper read a store.
func TestAnotherPepperIsLoggedOnce(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	for _, user := range []string{"fake-user-1", "fake-user-2"} {
		if _, err := open(t, secrets, secretstore.WithPepper([]byte("fake-pepper"))).SaveToken(ctx, tokenstore.OAuthToken{UserName: user, RefreshToken: "fake"}); err != nil {
			t.Fatal(err)
		}
	}
	for pepper, want := range map[string]int{"": 1, "fake-other": 1, "fake-pepper": 0} {
		var log strings.Builder
		store := open(t, secrets, secretstore.WithPepper([]byte(pepper)), secretstore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		for _, user := range []string{"fake-user-1", "fake-user-2", "fake-user-1"} {
			if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: user}); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(log.String(), "another pepper"); got != want {
			t.Errorf("pepper %q: logged %d times, want %d", pepper, got, want)
		}
	}
}

// TestRepairShowsNoChosenID has an unreadable secret whose ID a caller chose.
func TestRepairShowsNoChosenID(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	store := open(t, secrets, noWait)
	for id, want := range map[string]string{"1000.fake-refresh": "10…", "12345": "12345", "abcdefghijklmnopqrstuvwxyz": "abcdefghijklmnopqrstuvwxyz"} {
		token, err := store.SaveToken(ctx, tokenstore.OAuthToken{ID: id, RefreshToken: "fake"})
		if err != nil {
			t.Fatal(err)
		}
		name := store.SecretName(token.ID)
		secrets.Edit(name, []byte("{"))
		report, err := store.Check(ctx)
		if err != nil || !slices.Equal(report.Unreadable, []string{want}) {
			t.Errorf("unreadable %q, %v, want %q", report.Unreadable, err, want)
		}
		secrets.Remove(name)
	}
}
