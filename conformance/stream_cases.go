// A store that yields its tokens one by one reads them a part at a time, while others save
// and delete. The cases here compare the sequence with what GetTokens returns.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"example.com/tokenstore"
)

const (
	ruleStream        = "Tokens yields every token, each once: those that GetTokens returns, in any order"
	ruleStreamStop    = "a caller may stop ranging over Tokens at any token, and range again"
	ruleStreamContext = "Tokens honours its context: if it has ended, the sequence ends with the context's error before all tokens were yielded"
	ruleStreamStays   = "Tokens yields every token that is stored from the first step to the last, each once, while others are saved, rotated and deleted"
	ruleStreamDamaged = "a token that cannot be read yields an error that matches ErrUnreadable, and the others follow"
)

// streamCases test Tokens.
func streamCases() []Case {
	return []Case{
		{Name: "stream-empty", Rule: ruleStream, run: func(t *trial) { t.streams() }},
		{Name: "stream", Rule: ruleStream, run: func(t *trial) {
			t.streamer(t.store)
			t.seed(r1, r2, r3)
			t.save(token{UserName: "u1", AccessToken: aNew})
			t.must("delete", t.store.DeleteToken(t.ctx, "2"))
			t.save(token{RefreshToken: rNew, ClientID: c1, ClientSecret: s1})
			t.streams()
		}},
		{Name: "stream-many", Rule: ruleStream, run: func(t *trial) {
			t.streamer(t.store)
			t.saveMany(t.settings.tokens)
			t.streams()
		}},
		{Name: "stream-late", Rule: ruleStreamStays, run: func(t *trial) {
			sequence := t.streamer(t.store).Tokens(t.ctx)
			t.seed(r1, r2, r3)
			for n := range 2 {
				yielded, faults := t.collect(t.ctx, sequence)
				t.must("range over Tokens", errors.Join(faults...))
				if len(yielded) != 3-n {
					t.fails("a sequence that was made earlier yields %d tokens, of %d that were stored before its first step", len(yielded), 3-n)
				}
				t.must("delete", t.store.DeleteToken(t.ctx, "2"))
			}
		}},
		{Name: "stream-stop", Rule: ruleStreamStop, run: streamStop},
		{Name: "stream-context-ended", Rule: ruleStreamContext, run: func(t *trial) {
			streamer := t.streamer(t.store)
			t.seed(r1, r2, r3)
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			t.endsWithContext(ctx, streamer.Tokens(ctx), 0, func() {})
		}},
		{Name: "stream-context-midway", Rule: ruleStreamContext, run: func(t *trial) {
			streamer := t.streamer(t.store)
			t.seed(r1, r2, r3)
			ctx, cancel := context.WithCancel(t.ctx)
			defer cancel()
			t.endsWithContext(ctx, streamer.Tokens(ctx), 1, cancel)
		}},
		{Name: "concurrent-stream", Rule: ruleStreamStays, run: streamWhileSaving},
		{Name: "damaged-streamed", Rule: ruleStreamDamaged, run: func(t *trial) {
			streamer := t.streamer(t.store)
			a, b := t.two()
			t.writes(a.ID, `{"refresh_token":"fakecred-by-hand"}`)
			yielded, faults := t.collect(t.ctx, streamer.Tokens(t.ctx))
			if len(yielded) != 1 || yielded[b.ID] != b {
				t.fails("with one of two tokens damaged, %d are yielded, or not as they are stored", len(yielded))
			}
			if len(faults) != 1 || !errors.Is(faults[0], tokenstore.ErrUnreadable) {
				t.fails("with one of two tokens damaged: %s, instead of one error that matches ErrUnreadable", safe(errors.Join(faults...)))
			}
		}},
	}
}

// streamer returns the Tokens of a handle's store, or of one that it wraps, or ends the
// case.
func (t *trial) streamer(h *handle) tokenstore.Streamer {
	streamer, ok := tokenstore.As[tokenstore.Streamer](h.store)
	if !ok {
		t.lacks("the store has no Tokens")
	}
	return streamer
}

// saveMany saves n tokens of different users, together if the store can.
func (t *trial) saveMany(n int) {
	tokens := make([]token, n)
	for i := range tokens {
		tokens[i] = withoutID(row(fmt.Sprint(i), fmt.Sprint("user-", i), c1, s1))
	}
	if many, ok := tokenstore.As[manySaver](t.store.store); ok {
		t.must("save many", repeated(func() error {
			_, err := many.SaveTokens(t.ctx, tokens)
			return err
		}, throttled))
		return
	}
	for _, tok := range tokens {
		t.save(tok)
	}
}

// collect ranges to the end, and returns the tokens by ID, and the errors. It records a
// token that is yielded twice. If the sequence is throttled, it ranges again.
func (t *trial) collect(ctx context.Context, tokens iter.Seq2[token, error]) (yielded map[string]token, faults []error) {
	_ = repeated(func() error {
		yielded, faults = t.collectOnce(ctx, tokens)
		return errors.Join(faults...)
	}, throttled)
	return yielded, faults
}

func (t *trial) collectOnce(ctx context.Context, tokens iter.Seq2[token, error]) (yielded map[string]token, faults []error) {
	yielded = map[string]token{}
	for tok, err := range tokens {
		t.store.checkErr(ctx, "range over Tokens", err)
		if err != nil {
			if tok != (token{}) {
				t.fails("a token is yielded together with an error")
			}
			faults = append(faults, err)
			continue
		}
		t.store.checkToken("range over Tokens", tok)
		if _, again := yielded[tok.ID]; again {
			t.fails("the token %s is yielded twice", show(tok.ID, false))
		}
		yielded[tok.ID] = tok
	}
	return yielded, faults
}

// streams checks that Tokens yields what GetTokens returns.
func (t *trial) streams() {
	yielded, faults := t.collect(t.ctx, t.streamer(t.store).Tokens(t.ctx))
	t.must("range over Tokens", errors.Join(faults...))
	listed := t.list()
	if len(yielded) != len(listed) {
		t.fails("Tokens yields %d tokens, and GetTokens returns %d", len(yielded), len(listed))
	}
	for _, want := range listed {
		if got, ok := yielded[want.ID]; !ok {
			t.fails("Tokens does not yield %s", show(want.ID, false))
		} else if got != want {
			t.fails("Tokens yields %s: %s", show(want.ID, false), difference(got, want))
		}
	}
}

// streamStop stops at each token, uses the store in between and from inside the loop, and
// then ranges to the end.
func streamStop(t *trial) {
	streamer := t.streamer(t.store)
	t.seed(r1, r2, r3)
	sequence := streamer.Tokens(t.ctx)
	for stop := range 3 {
		n := 0
		t.must("range over Tokens", repeated(func() error {
			n = 0
			// A sequence that holds a lock while it yields would wait for itself.
			return t.bounded(t.ctx, t.settings.patience, "a save while ranging over Tokens", func(context.Context) error {
				for _, err := range sequence {
					if err != nil {
						return err
					}
					_, err := t.store.SaveToken(t.ctx, token{ID: "1", APIDomain: fmt.Sprintf("https://api.example/%d/%d", stop, n)})
					if err != nil {
						return err
					}
					if n++; n > stop {
						break
					}
				}
				return nil
			})
		}, throttled))
		if n != stop+1 {
			t.fails("after %d tokens the sequence has ended, of 3", n)
		}
	}
	if yielded, _ := t.collect(t.ctx, sequence); len(yielded) != 3 {
		t.fails("ranging again yields %d tokens, of 3", len(yielded))
	}
	t.streams()
}

// endsWithContext checks that a sequence of 3 tokens ends with the context's error when its
// context ends after n of them.
func (t *trial) endsWithContext(ctx context.Context, tokens iter.Seq2[token, error], n int, end func()) {
	yielded := 0
	last := repeated(func() (last error) {
		yielded = 0
		for _, err := range tokens {
			if last != nil {
				t.fails("the sequence goes on after the error with which it ended")
				return nil
			}
			if last = err; err == nil {
				yielded++
			}
			if yielded == n {
				end()
			}
			if yielded > 3 {
				break
			}
		}
		return last
	}, throttled)
	if yielded >= 3 || !isContextError(ctx, last) {
		t.fails("with an ended context, %d of 3 tokens are yielded, and then: %s", yielded, safe(last))
	}
}

// streamWhileSaving ranges over the tokens while some of them rotate all their keys, and
// others are saved and deleted.
func streamWhileSaving(t *trial) {
	handles := t.handles()
	streamer := t.streamer(t.store)
	const stay, rounds = 12, 6
	users := map[string]string{} // of the tokens that stay, by ID
	for i := range stay {
		user := fmt.Sprint("stays-", i)
		users[t.save(withoutID(row(fmt.Sprint("s", i), user, c1, s1))).ID] = user
	}
	for round := range rounds {
		together(len(handles)*3+1, func(i int) {
			if i == len(handles)*3 {
				t.streamed(streamer, users)
				return
			}
			t.disturb(handles[i%len(handles)], fmt.Sprintf("%d-%d", round, i), i/len(handles))
		})
	}
	t.streams()
}

// disturb rotates some of the tokens that stay, or saves and deletes others.
func (t *trial) disturb(h *handle, name string, kind int) {
	for n := range 4 {
		switch kind {
		case 0, 1:
			_, err := h.patient(t.ctx, withoutID(row(fmt.Sprint(name, "-", n), fmt.Sprint("stays-", (n*3+kind)%12), c1, s1)))
			if err != nil {
				t.fails("save: %s", safe(err))
			}
		default:
			saved, err := h.patient(t.ctx, withoutID(row(name, fmt.Sprint("goes-", name, "-", n%2), c1, s1)))
			if err == nil {
				err = h.DeleteToken(t.ctx, saved.ID)
			}
			if err != nil && !tokenstore.Retryable(err) {
				t.fails("save and delete: %s", safe(err))
			}
		}
	}
}

// streamed ranges over Tokens, and checks that the tokens that stay are there, and no
// others but those that come and go.
func (t *trial) streamed(streamer tokenstore.Streamer, users map[string]string) {
	yielded, faults := t.collect(t.ctx, streamer.Tokens(t.ctx))
	if len(faults) > 0 {
		if err := faults[0]; !tokenstore.Retryable(err) {
			t.fails("range over Tokens: %s", safe(err))
		}
		return
	}
	for id, user := range users {
		if got, ok := yielded[id]; !ok {
			t.fails("a token that is stored all the time is not yielded")
		} else if got.UserName != user {
			t.fails("a token is yielded with the values of another")
		}
	}
	for id, got := range yielded {
		if users[id] == "" && !strings.HasPrefix(got.UserName, "goes-") {
			t.fails("a token is yielded that nobody has saved")
		}
	}
}
