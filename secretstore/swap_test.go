package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// findNoted returns the token of firstToken's user with its note.
func findNoted(t testing.TB, s *secretstore.Store) tokenstore.Noted {
	t.Helper()
	return findNotedBy(t, s, tokenstore.OAuthToken{UserName: firstToken.UserName})
}

func findNotedBy(t testing.TB, s *secretstore.Store, query tokenstore.OAuthToken) tokenstore.Noted {
	t.Helper()
	n, err := s.FindNoted(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mustSwap swaps, which must happen.
func mustSwap(t testing.TB, s *secretstore.Store, old tokenstore.Noted, next tokenstore.OAuthToken, note string) tokenstore.Noted {
	t.Helper()
	now, swapped, err := s.SwapToken(t.Context(), old, next, note)
	if err != nil || !swapped {
		t.Fatalf("swapped: %v, %v", swapped, err)
	}
	return now
}

// mustSave saves a token.
func mustSave(t testing.TB, s *secretstore.Store, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := s.SaveToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// TestSwapCalls counts the calls of swaps: none reads what FindNoted has read.
func TestSwapCalls(t *testing.T) {
	for _, f := range callForms {
		indexes := f.name == callForms[1].name
		for _, c := range []struct {
			name   string
			next   tokenstore.OAuthToken
			others tokenstore.OAuthToken // saved by another process after the read
			want   calls
		}{
			{"note", tokenstore.OAuthToken{}, tokenstore.OAuthToken{}, calls{0, 1, 0}},
			{"other fields", tokenstore.OAuthToken{APIDomain: "d", Expiry: time.Unix(1_800_000_000, 0)}, tokenstore.OAuthToken{}, calls{0, 1, 0}},
			{"note after a save", tokenstore.OAuthToken{}, tokenstore.OAuthToken{UserName: "u1", APIDomain: "d"}, calls{1, 2, 0}},
			{"access token", tokenstore.OAuthToken{AccessToken: "a2"}, tokenstore.OAuthToken{}, calls{0, 1, 0}},
		} {
			if indexes && c.next.AccessToken != "" {
				continue // Its entries are read and written.
			}
			secrets := memory.New()
			mustSave(t, open(t, secrets, f.form...), firstToken)
			s, counted := observedStore(t, secrets, append([]secretstore.Option{noWait}, f.form...)...)
			old := findNoted(t, s)
			if c.others != (tokenstore.OAuthToken{}) {
				mustSave(t, open(t, secrets, f.form...), c.others)
			}
			*counted = calls{}
			now := mustSwap(t, s, old, c.next, "n1")
			if *counted != c.want {
				t.Errorf("%s, %s: %v, want %v", f.name, c.name, *counted, c.want)
			}
			*counted = calls{}
			mustSwap(t, s, now, tokenstore.OAuthToken{}, "n2")
			if want := (calls{0, 1, 0}); *counted != want {
				t.Errorf("%s, a swap of what %s returned: %v, want %v", f.name, c.name, *counted, want)
			}
		}
	}
}

// TestEditedNoteIsNoEditOfKeys checks that the swap of a token whose note a person has
// edited does not claim its keys again.
func TestEditedNoteIsNoEditOfKeys(t *testing.T) {
	for _, f := range callForms {
		secrets := memory.New()
		saved := mustSave(t, open(t, secrets, f.form...), firstToken)
		s, counted := observedStore(t, secrets, append([]secretstore.Option{noWait}, f.form...)...)
		secret, err := secrets.Get(t.Context(), s.SecretName(saved.ID))
		if err != nil {
			t.Fatal(err)
		}
		secrets.Edit(secret.Name, editedData(t, secret.Data, func(fields map[string]any) { fields["note"] = "by hand" }))
		old := findNoted(t, s)
		if old.Note != "by hand" {
			t.Errorf("the note is %q", old.Note)
		}
		*counted = calls{}
		mustSwap(t, s, old, tokenstore.OAuthToken{}, "")
		mustSave(t, s, tokenstore.OAuthToken{UserName: "u1", APIDomain: "d"})
		if want := (calls{1, 2, 0}); *counted != want {
			t.Errorf("%s: %v, want %v", f.name, *counted, want)
		}
	}
}

// TestNoteThatIsNoText checks that what a person has put in the place of the note counts as
// none, stays, and is replaced by the next note.
func TestNoteThatIsNoText(t *testing.T) {
	secrets := memory.New()
	s := open(t, secrets, noWait)
	saved := mustSave(t, s, firstToken)
	secret, err := secrets.Get(t.Context(), s.SecretName(saved.ID))
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit(secret.Name, editedData(t, secret.Data, func(fields map[string]any) { fields["note"] = []string{"by hand"} }))
	holds := func(text string) {
		t.Helper()
		if secret, err := secrets.Get(t.Context(), secret.Name); err != nil || !strings.Contains(string(secret.Data), text) {
			t.Errorf("stored is %s, %v, want %s", secret.Data, err, text)
		}
	}
	old := findNoted(t, s)
	if old.Note != "" {
		t.Errorf("the note is %q", old.Note)
	}
	old = mustSwap(t, s, old, tokenstore.OAuthToken{AccessToken: "a2"}, "")
	holds(`"note":["by hand"]`)
	mustSwap(t, s, old, tokenstore.OAuthToken{}, "n")
	holds(`"note":"n"`)
}

// TestSwapReadsWhatTheCallerChanged checks that the answer is the present token, and not
// what was read, if old is not what was read.
func TestSwapReadsWhatTheCallerChanged(t *testing.T) {
	secrets := memory.New()
	s := open(t, secrets, noWait)
	mustSave(t, s, firstToken)
	old := findNoted(t, s)
	saved := mustSave(t, open(t, secrets), tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"})
	old.AccessToken = "a2"
	if now := mustSwap(t, s, old, tokenstore.OAuthToken{}, "n"); now.OAuthToken != saved || now.Note != "n" {
		t.Errorf("now %v, %q", now, now.Note)
	}
	old.AccessToken = "a3"
	now, swapped, err := s.SwapToken(t.Context(), old, tokenstore.OAuthToken{}, "n")
	if err != nil || swapped || now.OAuthToken != saved {
		t.Errorf("swapped: %v, %v; now %v", swapped, err, now)
	}
}

// TestSwapOfAnotherStoresRead checks that what one store has read is nothing to another one,
// although their secrets have the same revisions.
func TestSwapOfAnotherStoresRead(t *testing.T) {
	one, other := open(t, memory.New()), open(t, memory.New())
	mustSave(t, one, firstToken)
	with := firstToken
	with.APIDomain = "of the other"
	want := mustSave(t, other, with)
	if now := mustSwap(t, other, findNoted(t, one), tokenstore.OAuthToken{}, "n"); now.OAuthToken != want {
		t.Errorf("now %+v", now.APIDomain)
	}
	if found := findNoted(t, other); found.OAuthToken != want || found.Note != "n" {
		t.Errorf("stored is %q, %q", found.APIDomain, found.Note)
	}
}

// TestSwapOfNothingIsAComparison checks that a swap that changes nothing compares with the
// current state, although this process reads an older one.
func TestSwapOfNothingIsAComparison(t *testing.T) {
	w := newLateService(t)
	s := w.process(0)
	w.save(s, "a1")
	old := findNotedBy(w, s, tokenstore.OAuthToken{ID: "1"})
	w.pass(time.Minute)
	w.behind = 1
	saved := w.save(w.process(0), "a2")
	now, swapped, err := s.SwapToken(t.Context(), old, tokenstore.OAuthToken{}, "")
	if err != nil || swapped || now.OAuthToken != saved {
		t.Errorf("swapped: %v, %v; now %v", swapped, err, now.AccessToken)
	}
}

// TestSwapNeverComparesWithAnOlderState checks that a swap does not happen, and does not
// answer, by a state that the process knows to be overwritten.
func TestSwapNeverComparesWithAnOlderState(t *testing.T) {
	w := newLateService(t)
	s := w.process(0)
	w.save(s, "a1")
	old := findNotedBy(w, s, tokenstore.OAuthToken{ID: "1"})
	saved := w.save(s, "a2")
	w.behind = 1 // The service still shows a1.
	old.Read = nil
	now, swapped, err := s.SwapToken(t.Context(), old, tokenstore.OAuthToken{AccessToken: "a3"}, "n")
	if err != nil || swapped || now.OAuthToken != saved {
		t.Errorf("swapped: %v, %v; now %v", swapped, err, now.AccessToken)
	}
}

// TestSwapOfUnknownOutcome checks that a lost reply is not a conflict, that nothing is
// written twice, and that the note tells what has happened.
func TestSwapOfUnknownOutcome(t *testing.T) {
	for _, lost := range []drivertest.Outcome{drivertest.LoseReply, drivertest.Unreached} {
		secrets, puts := memory.New(), 0
		mustSave(t, open(t, secrets), firstToken)
		s := open(t, drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
			if c.Method == drivertest.Put {
				puts++
				return lost
			}
			return drivertest.Outcome{}
		}))
		_, swapped, err := s.SwapToken(t.Context(), findNoted(t, s), tokenstore.OAuthToken{}, "mine")
		if !errors.Is(err, tokenstore.ErrUnavailable) || swapped || puts != 1 {
			t.Errorf("swapped: %v, %v after %d writes", swapped, err, puts)
		}
		if found := findNoted(t, s); (found.Note == "mine") != lost.Done {
			t.Errorf("the note is %q", found.Note)
		}
	}
}

// TestSwapIsTooLarge checks that a note that does not fit is an error, and nothing changes.
func TestSwapIsTooLarge(t *testing.T) {
	s := open(t, memory.New(memory.WithLimits(driver.Limits{MaxSize: 400, WritesPerDay: 7})))
	mustSave(t, s, firstToken)
	old := findNoted(t, s)
	if _, swapped, err := s.SwapToken(t.Context(), old, tokenstore.OAuthToken{}, strings.Repeat("x", 300)); !errors.Is(err, tokenstore.ErrTooLarge) || swapped {
		t.Errorf("swapped: %v, %v", swapped, err)
	}
	if found := findNoted(t, s); found.Note != "" || found.OAuthToken != old.OAuthToken {
		t.Errorf("stored is %v with %q", found, found.Note)
	}
	if n := s.WritesPerDay(); n != 7 {
		t.Errorf("%d writes a day", n)
	}
	if n := secretstore.NewMemory().WritesPerDay(); n != 0 {
		t.Errorf("%d writes a day in memory", n)
	}
}

// TestSwapWhileOthersFence checks that fences, which change no content, do not make a swap
// fail, and keep the note.
func TestSwapWhileOthersFence(t *testing.T) {
	onEachForm(t, func(b *bench) {
		b.save(firstToken)
		s := b.process()
		old := mustSwap(t, s, findNoted(t, s), tokenstore.OAuthToken{}, "n1")
		// An insert of another token with a key that this one seems to get is a fence.
		b.now = b.now.Add(time.Second)
		dead := open(b.T, drivertest.Inject(b, func(c drivertest.Call) drivertest.Outcome {
			if c.Method == drivertest.Put && strings.Contains(c.Name, "/tokens/") {
				return drivertest.Denied
			}
			return drivertest.Outcome{}
		}), append([]secretstore.Option{noWait, secretstore.WithClock(func() time.Time { return b.now })}, b.form...)...)
		if _, err := dead.SaveToken(b.Context(), tokenstore.OAuthToken{UserName: "u1", RefreshToken: "r9"}); !errors.Is(err, tokenstore.ErrDenied) {
			b.Fatal(err)
		}
		before := b.secret(old.OAuthToken).Revision
		b.save(tokenstore.OAuthToken{RefreshToken: "r9"})
		if b.secret(old.OAuthToken).Revision == before {
			b.Fatal("nothing was fenced")
		}
		if now := mustSwap(t, s, old, tokenstore.OAuthToken{RefreshToken: "r2"}, "n2"); now.RefreshToken != "r2" {
			b.Errorf("now %v", now)
		}
		if found := findNoted(t, b.process()); found.Note != "n2" || found.RefreshToken != "r2" {
			b.Errorf("stored is %q with %q", found.RefreshToken, found.Note)
		}
	})
}

// TestNotesOutliveRepairs checks that no repair, and no change of the pepper, drops a note.
func TestNotesOutliveRepairs(t *testing.T) {
	onEachForm(t, func(b *bench) {
		saved := b.save(firstToken)
		s := b.process()
		mustSwap(t, s, findNoted(t, s), tokenstore.OAuthToken{}, "n")
		b.repair()
		peppered := open(b.T, b, append([]secretstore.Option{noWait, secretstore.WithPepper([]byte("another fake pepper"))}, b.form...)...)
		if _, err := peppered.Reindex(b.Context(), secretstore.ReindexOptions{ChangePepper: true}); err != nil {
			b.Fatal(err)
		}
		n, err := peppered.FindNoted(b.Context(), tokenstore.OAuthToken{ID: saved.ID})
		if err != nil || n.Note != "n" {
			b.Errorf("%q, %v", n.Note, err)
		}
	})
}

// TestPing tells what is wrong apart, in one call if nothing is.
func TestPing(t *testing.T) {
	onEachForm(t, func(b *bench) {
		if err := b.process().Ping(b.Context()); !errors.Is(err, tokenstore.ErrNotFound) {
			b.Errorf("nothing is there: %v", err)
		}
		b.Edit(b.process().SecretName("theirs"), []byte(`{"password":"fake"}`))
		b.Edit("tokenstore/index/notes", []byte(`{}`))
		if err := b.process().Ping(b.Context()); !errors.Is(err, tokenstore.ErrNotFound) {
			b.Errorf("only strangers are there: %v", err)
		}
		b.save(firstToken)
		s, counted := observedStore(b.T, b, append([]secretstore.Option{noWait}, b.form...)...)
		for i := range 3 {
			*counted = calls{}
			if err := s.Ping(b.Context()); err != nil {
				b.Error(err)
			}
			if i > 0 && (*counted != calls{1, 0, 0}) || counted.reads > 2 || counted.writes > 0 {
				b.Errorf("ping %d: %v", i, *counted)
			}
		}
		broken := func(fault func(drivertest.Call) drivertest.Outcome) error {
			return open(b.T, drivertest.Inject(b, fault), append([]secretstore.Option{noWait}, b.form...)...).Ping(b.Context())
		}
		for kind, outcome := range map[error]drivertest.Outcome{
			tokenstore.ErrDenied:      drivertest.Denied,
			tokenstore.ErrUnavailable: drivertest.Unreached,
			tokenstore.ErrNoContainer: {Err: fmt.Errorf("%w: fake", driver.ErrNoContainer)},
		} {
			if err := broken(func(drivertest.Call) drivertest.Outcome { return outcome }); !errors.Is(err, kind) {
				b.Errorf("%v: %v", kind, err)
			}
			if err := broken(drivertest.FailMethod(drivertest.Get, outcome)); !errors.Is(err, kind) {
				b.Errorf("%v of reads: %v", kind, err)
			}
		}
	})
	// A role that may not list can still tell that there is no root.
	denied := drivertest.Inject(memory.New(), drivertest.FailMethod(drivertest.List, drivertest.Denied))
	if err := open(t, denied, secretstore.WithDocument(1)).Ping(t.Context()); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("no root: %v", err)
	}
	if err := open(t, denied, secretstore.WithEntries()).Ping(t.Context()); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("entries that cannot be listed: %v", err)
	}
}

// TestPingLosesItsSecret checks that a ping goes on to another secret of the index when the
// one that it has read is gone.
func TestPingLosesItsSecret(t *testing.T) {
	ctx := context.Background()
	secrets := memory.New()
	s := open(t, secrets, secretstore.WithEntries())
	mustSave(t, s, firstToken)
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	for name, err := range secrets.List(ctx, "tokenstore/index/") {
		if err != nil {
			t.Fatal(err)
		}
		secrets.Remove(name)
		if err := s.Ping(ctx); err != nil {
			t.Errorf("a secret of the index is gone: %v", err)
		}
	}
}
