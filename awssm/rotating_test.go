// Refresh tokens that rotate with every refresh, under the real quotas.

package awssm_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// TestRotatingWeek rotates the refresh tokens of 500 tokens every hour, with one index
// secret, which takes some 90 writes a day. The whole week needs TOKENSTORE_LONG=1; else it is
// three hours, of which each would use up five days' writes of an index that has them.
func TestRotatingWeek(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	const tokens = 500
	hours := 3
	if os.Getenv("TOKENSTORE_LONG") != "" {
		hours = 7 * 24
	}
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	process := func(options ...secretstore.Option) *secretstore.Store {
		store, err := awssm.New(service, awssm.WithClock(clock.Now, clock.Sleep), awssm.WithStoreOptions(options...))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	m := &adaptertest.Month{T: t, Clock: clock, Store: process(secretstore.WithRotating())}
	loaded := make([]tokenstore.OAuthToken, tokens)
	for i := range loaded {
		loaded[i] = m.Next()
	}
	var err error
	if m.Want, err = m.Store.SaveTokens(t.Context(), loaded); err != nil {
		t.Fatal(err)
	}
	// The other process has no such option, and follows the index.
	for _, m.Store = range []*secretstore.Store{m.Store, process()} {
		for range hours / 2 {
			m.Hour(tokens, 0)
		}
	}
	for range hours % 2 {
		m.Hour(tokens, 0)
	}
	m.Verify(process())
	cold := process()
	for i, want := range m.Want {
		if i%100 == 0 { // It has seen none of them; later it knows which one to read.
			cold = process()
		}
		for _, query := range []tokenstore.OAuthToken{
			{UserName: want.UserName}, {ClientID: "c", ClientSecret: "s", RefreshToken: want.RefreshToken},
		} {
			if found, err := cold.FindToken(t.Context(), query); err != nil || found != want {
				t.Fatalf("token %d: %v", i, err)
			}
		}
	}
	report, err := cold.Check(t.Context())
	if err != nil || report.KeysAdded > 0 || len(report.Warnings) > 0 {
		t.Errorf("the check: %v, %+v", err, report)
	}
	for _, s := range report.Index {
		if s.WritesToday > 2 {
			t.Errorf("%s was written %d times in a day", s.Name, s.WritesToday)
		}
	}
	clock.Advance(25 * time.Hour)
	if report, err = cold.Reindex(t.Context(), secretstore.ReindexOptions{}); err != nil || report.HintsRemoved != tokens {
		t.Errorf("the repair removes %d hints of the first refresh tokens: %v", report.HintsRemoved, err)
	}
	m.Verify(process())
}

// TestRotatingLater has a store in use whose index is written by nothing but rotations. The
// check says so; afterwards they do not write it.
func TestRotatingLater(t *testing.T) {
	t.Parallel()
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	store, err := tokenstoreAt(service, clock)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := store.SaveToken(ctx, adaptertest.Token("user")); err != nil {
		t.Fatal(err)
	}
	rotate := func(times int) {
		t.Helper()
		for range times {
			clock.Advance(20 * time.Minute)
			token := tokenstore.OAuthToken{UserName: "user", RefreshToken: fmt.Sprint("1000.refresh.", clock.Now().Unix())}
			if _, err := store.SaveToken(ctx, token); err != nil {
				t.Fatalf("%v: %v", clock.Now(), err)
			}
		}
	}
	warnings := func() string {
		t.Helper()
		report, err := store.Check(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(report.Warnings, "\n")
	}
	rotate(25)
	if found := warnings(); !strings.Contains(found, "reindex --rotating") {
		t.Errorf("the check warns %q", found)
	}
	other, err := tokenstoreAt(service, clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Reindex(ctx, secretstore.ReindexOptions{Rotating: true}); err != nil {
		t.Fatal(err)
	}
	before := indexWrites(t, store)
	rotate(40)
	if found := warnings(); found != "" {
		t.Errorf("afterwards the check warns %q", found)
	}
	if writes := indexWrites(t, store); writes > before {
		t.Errorf("rotations write the index: %d times in a day, before %d", writes, before)
	}
}

// indexWrites returns how often the index was written in the last day.
func indexWrites(t *testing.T, store *secretstore.Store) (writes int) {
	t.Helper()
	report, err := store.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Index {
		writes += s.WritesToday
	}
	return writes
}

func tokenstoreAt(service *awssmtest.Service, clock *awssmtest.Clock) (*secretstore.Store, error) {
	return awssm.New(service, awssm.WithClock(clock.Now, clock.Sleep))
}
