// Swaps by many callers at the same time.

package conformance

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"example.com/tokenstore"
)

// swapOnce has many callers swap the same old token.
func swapOnce(t *trial) {
	t.seed(r1, r2)
	handles := t.handles()
	for round := range 4 {
		want, err := t.store.FindToken(t.ctx, token{UserName: "u1"})
		t.must("find", err)
		old, err := t.store.FindNoted(t.ctx, token{UserName: "u1"})
		t.must("find noted", err)
		if round%2 == 1 {
			old.Read = nil
		}
		var mu sync.Mutex
		var winners []noted
		together(many/4, func(i int) {
			next := token{AccessToken: secret(fmt.Sprint("access-", round, "-", i)), RefreshToken: secret(fmt.Sprint("refresh-", round, "-", i)), Expiry: at(i)}
			now, swapped, err := t.patientSwap(handles[i%len(handles)], old, next, fmt.Sprint("by ", i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.fails("swap: %s", safe(err))
			case swapped:
				winners = append(winners, now)
			case now.AccessToken == old.AccessToken:
				t.fails("a swap has not happened, although nothing had changed")
			}
		})
		if len(winners) != 1 {
			t.fails("%d swaps of one old token have happened", len(winners))
			return
		}
		if winners[0].UserName != want.UserName {
			t.breaks(ruleSwapOwner, "the user is %s", show(winners[0].UserName, false))
		}
		t.noted(winners[0].OAuthToken, winners[0].Note)
		t.holds(winners[0].OAuthToken, r2)
	}
}

// swapChain has many callers count in the note, while others save other fields.
func swapChain(t *trial) {
	t.swapper(t.store) // Not in one of the goroutines, which alone would end.
	t.seed(r1, r2)
	handles := t.handles()
	const counters, counts, savers = 6, 5, 4
	together(counters+savers, func(i int) {
		h := handles[i%len(handles)]
		if i >= counters {
			for n := range counts {
				tok := token{ID: "1", APIDomain: fmt.Sprint("d", n)}
				if i%2 == 0 {
					tok = token{ID: "1", RedirectURL: fmt.Sprint("u", n)}
				}
				if _, err := h.patient(t.ctx, tok); err != nil {
					t.fails("save: %s", safe(err))
				}
			}
			return
		}
		for range counts {
			t.countIn(h)
		}
	})
	want := edited(r1, func(t *token) { t.APIDomain, t.RedirectURL = fmt.Sprint("d", counts-1), fmt.Sprint("u", counts-1) })
	t.noted(want, strconv.Itoa(counters*counts))
	t.holds(want, r2)
}

// countIn adds one to the number in the note.
func (t *trial) countIn(h *handle) {
	const attempts = 1000
	old, err := t.patientNoted(h, token{UserName: "u1"})
	for n := 0; err == nil && n < attempts; n++ {
		count, _ := strconv.Atoi(old.Note) // An empty note is zero.
		now, swapped, fault := t.patientSwap(h, old, token{}, strconv.Itoa(count+1))
		if old, err = now, fault; swapped {
			return
		}
	}
	t.fails("count in the note: %s", safe(err))
}

// findWhileSwapping swaps the access token and the note together, and finds them.
func findWhileSwapping(t *trial) {
	t.swapper(t.store)
	t.seed(r1, r2)
	handles := t.handles()
	const swaps, finders, finds = 40, 4, 2000
	var done atomic.Bool
	together(1+finders, func(i int) {
		if i == 0 {
			defer done.Store(true)
			old, err := t.patientNoted(t.store, token{UserName: "u1"})
			for n := 0; n < swaps && err == nil; n++ {
				var swapped bool
				if old, swapped, err = t.patientSwap(t.store, old, token{AccessToken: secret(fmt.Sprint("access-", n))}, fmt.Sprint("access-", n)); !swapped && err == nil {
					t.fails("a swap has not happened, although nobody else writes")
					return
				}
			}
			if err != nil {
				t.fails("swap: %s", safe(err))
			}
			return
		}
		for n := 0; n < finds && !done.Load(); n++ {
			found, err := handles[(i+n)%len(handles)].FindNoted(t.ctx, token{UserName: "u1"})
			switch {
			case tokenstore.Retryable(err):
			case err != nil:
				t.fails("find noted while others swap: %s", safe(err))
			case found.OAuthToken != r1 && found.AccessToken != secret(found.Note):
				t.fails("find noted while others swap: the note is that of another access token")
			}
			runtime.Gosched()
		}
	})
}
