// How long calls wait for other processes.

package tokensource_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// crash leaves a claim, as a process does that dies while it redeems.
func crash(t *testing.T, store tokenstore.Store) {
	t.Helper()
	gone := make(chan struct{})
	crashed := open(t, store, redeemerFunc(func(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
		<-gone
		return tokenstore.OAuthToken{}, context.Canceled
	}))
	t.Cleanup(func() { close(gone) }) // Before the Source is closed.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := crashed.Token(ctx, byUser); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the caller of a process that dies got %v", err)
	}
}

// TestTakeoverServesAllWaiters: a takeover's claim is longer than the one before it, but those
// who have waited for that one wait for the takeover too.
func TestTakeoverServesAllWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: 2 * time.Second}
		crash(t, store)
		start := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			s := open(t, store, p)
			wg.Go(func() { want(t, s, "access-1") })
		}
		wg.Wait()
		if d := time.Since(start); d < 55*time.Second || d > 75*time.Second {
			t.Errorf("it took %s", d)
		}
	})
}

// TestNobodyWaitsForLongerThanTwoClaims: if takeover after takeover leads to nothing, a call
// ends after two claims, and one that meets a claim that lasts longer than that ends at once,
// and says when to come back.
func TestNobodyWaitsForLongerThanTwoClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		store.perDay = 96 // Claims double up to half an hour.
		p.fail(errors.New("no answer"))
		for i := range 4 {
			start := time.Now()
			err := wantError(t, open(t, store, p), tokenstore.ErrUnavailable)
			d := time.Since(start)
			if d > 2*time.Minute+15*time.Second {
				t.Errorf("call %d waited for %s", i, d)
			}
			if i == 3 && (d > time.Minute || !err.Next.After(time.Now())) {
				t.Errorf("call %d waited for %s, and is told to come back at %s", i, d, err.Next)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestWaitingCostsFewReads: while another process's claim stands and the access token is good, callers get that, and
// the process looks at the row now and then only.
func TestWaitingCostsFewReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(55*time.Second)), &provider{delay: 9 * time.Second}
		other, s := open(t, store, p), open(t, store, p)
		want(t, other, "access-0")
		time.Sleep(time.Millisecond)
		before, _ := store.counts()
		for range 8000 {
			want(t, s, "access-0")
			time.Sleep(time.Millisecond)
		}
		if after, _ := store.counts(); after-before > 12 || after-before < 3 {
			t.Errorf("%d reads for 8,000 calls in 8 s", after-before)
		}
		time.Sleep(5 * time.Second)
		want(t, s, "access-0") // It reads in the background.
		time.Sleep(time.Second)
		want(t, s, "access-1")
	})
}

// TestNobodyWantsIt: a refresh that only waits for another process ends when nobody waits for it any more.
func TestNobodyWantsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		crash(t, store)
		s := open(t, store, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Token(ctx, byUser); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if p.asked() != 0 {
			t.Error("refreshed although nobody wanted it")
		}
		want(t, s, "access-1")
	})
}

// TestOldRefusalIsForgotten: a call that waits in vain for another process says nothing of the refusal of a refresh
// token that a person has replaced meanwhile.
func TestOldRefusalIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{spent: map[string]bool{"refresh-0": true}}
		once := true
		store.fault = func(_ context.Context, op string) error {
			if op == "swap" && p.asked() == 1 && once {
				once = false
				store.edit(func(r *tokenstore.Noted) { r.RefreshToken = "pasted" })
				crash(t, store) // It claims what was pasted.
				return errUnknown
			}
			return nil
		}
		s := open(t, store, p)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		p.fail(nil)
		_, err := s.Token(ctx, byUser)
		if errors.Is(err, tokensource.ErrNeedsConsent) {
			t.Errorf("Token: %v", err)
		}
	})
}
