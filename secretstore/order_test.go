package secretstore_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// lateService is a service that, for two seconds after a write, returns an earlier state:
// as many states back as behind says.
type lateService struct {
	*testing.T
	secrets driver.Secrets
	behind  int

	mu   sync.Mutex
	time time.Time
}

func (w *lateService) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func newLateService(t *testing.T) *lateService {
	w := &lateService{T: t, time: time.Unix(1_700_000_000, 0)}
	w.secrets = drivertest.Stale(memory.New(), drivertest.Staleness{
		For: 2 * time.Second, Clock: w.now,
		Choose: func(_ string, states int) int { return min(w.behind, states-1) },
	})
	return w
}

// process returns the store of another process, whose clock is ahead by skew.
func (w *lateService) process(skew time.Duration, options ...secretstore.Option) *secretstore.Store {
	return w.over(w.secrets, skew, options...)
}

func (w *lateService) over(secrets driver.Secrets, skew time.Duration, options ...secretstore.Option) *secretstore.Store {
	return open(w.T, secrets, append(options,
		secretstore.WithClock(func() time.Time { return w.now().Add(skew) }),
		secretstore.WithSleep(func(_ context.Context, d time.Duration) error { w.pass(d); return nil }))...)
}

func (w *lateService) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

func (w *lateService) save(s tokenstore.Store, access string) tokenstore.OAuthToken {
	w.Helper()
	token, err := s.SaveToken(w.Context(), client(tokenstore.OAuthToken{ID: "1", UserName: "fake-user", AccessToken: access, RefreshToken: "fake-refresh"}))
	if err != nil {
		w.Fatal(err)
	}
	return token
}

// edit changes the secret of the token as a person does: the access token is
// another one, and the other fields that are named are gone.
func (w *lateService) edit(access string, removed ...string) {
	w.Helper()
	const name = "tokenstore/tokens/1"
	behind := w.behind
	w.behind = 0
	defer func() { w.behind = behind }()
	secret, err := w.secrets.Get(w.Context(), name)
	if err != nil {
		w.Fatal(err)
	}
	secret.Data = editedData(w, secret.Data, func(fields map[string]any) {
		fields["access_token"] = access
		for _, field := range removed {
			delete(fields, field)
		}
	})
	if _, err := w.secrets.Put(w.Context(), secret); err != nil {
		w.Fatal(err)
	}
}

// paste is an edit that leaves nothing of the store's own.
func (w *lateService) paste(access string) { w.edit(access, "generation", "created", "keys") }

// finds checks which access token is found; none if the text is empty.
func (w *lateService) finds(who string, s tokenstore.Store, access string) {
	w.Helper()
	found, err := s.FindTokenByID(w.Context(), "1")
	if found.AccessToken != access || (err != nil) != (access == "") || err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		w.Errorf("%s finds the access token %q, %v; want %q", who, found.AccessToken, err, access)
	}
}

func (w *lateService) findsAtOnce(who string, s tokenstore.Store, access string) {
	w.Helper()
	start := w.now()
	if w.finds(who, s, access); w.now() != start {
		w.Errorf("%s has waited for %v", who, w.now().Sub(start))
	}
}

// TestTokenWithoutGenerationIsReadInOrder has a person paste a token over its
// secret, without the generation that shows the order of states. No process goes back to
// the pasted state after it has seen a later one, all see it in the end, and none waits
// where the order is clear.
func TestTokenWithoutGenerationIsReadInOrder(t *testing.T) {
	w := newLateService(t)
	writer, reader, newcomer := w.process(0), w.process(0), w.process(0)
	w.save(writer, "fake-1")
	w.finds("the reader", reader, "fake-1")

	// Pasted twice in a row: the service may still return the first paste.
	w.paste("fake-2")
	w.finds("the writer", writer, "fake-2")
	w.paste("fake-3")
	w.finds("the writer", writer, "fake-3")
	w.behind = 1
	w.finds("the writer that has seen the second paste", writer, "fake-3")
	w.findsAtOnce("the writer, again", writer, "fake-3")
	w.pass(time.Minute)
	w.findsAtOnce("the reader, a minute after the paste", reader, "fake-3")

	w.behind = 0
	w.save(writer, "fake-4")
	w.finds("the newcomer", newcomer, "fake-4")
	w.pass(1500 * time.Millisecond)
	w.behind = 1
	w.findsAtOnce("the reader that has not seen the save", reader, "fake-3")
	w.finds("the writer", writer, "fake-4")
	w.finds("the newcomer", newcomer, "fake-4")
	w.finds("the reader", reader, "fake-4")

	w.pass(time.Minute)
	w.paste("fake-5")
	w.pass(time.Minute)
	if err := writer.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	w.pass(1500 * time.Millisecond)
	w.finds("the process that deleted the token", writer, "")
}

// TestPasteOverAHighGeneration pastes over a token whose generation is ahead of
// the reader's clock: it was saved more often than once a second, or by a process
// whose clock is ahead.
func TestPasteOverAHighGeneration(t *testing.T) {
	for name, skew := range map[string]time.Duration{"many saves": 0, "a clock ahead": time.Minute} {
		for _, who := range []string{"the writer", "a newcomer"} {
			t.Run(name+"/"+who, func(t *testing.T) {
				w := newLateService(t)
				writer, newcomer := w.process(skew), w.process(0)
				for i := range 20 {
					w.save(writer, "fake-"+string(rune('a'+i)))
				}
				w.pass(10 * time.Second)
				w.paste("fake-pasted")
				store := map[string]tokenstore.Store{"the writer": writer, "a newcomer": newcomer}[who]
				w.finds(who, store, "fake-pasted")
				w.behind = 1
				w.finds(who+", shown an old state", store, "fake-pasted")
			})
		}
	}
}

// TestEditIsNotReadBackwards has a person change a field, and leave the
// generation as it was.
func TestEditIsNotReadBackwards(t *testing.T) {
	w := newLateService(t)
	store := w.process(0)
	w.save(store, "fake-1")
	w.pass(time.Minute)
	w.edit("fake-2")
	w.findsAtOnce("the store", store, "fake-2")
	w.behind = 1
	w.finds("the store, shown the state before the edit", store, "fake-2")
}

// TestOwnInsertIsThere has the service return nothing right after an insert: the process
// that inserted the token finds and deletes it.
func TestOwnInsertIsThere(t *testing.T) {
	w := newLateService(t)
	store := w.process(0)
	w.save(store, "fake-1")
	w.behind = 9
	w.finds("the process that inserted the token", store, "fake-1")
	w.behind = 0
	w.pass(time.Minute)
	if err := store.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	w.save(store, "fake-2")
	w.behind = 9
	if err := store.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	w.behind = 0
	w.pass(time.Minute)
	w.finds("everybody, after the deletion", w.process(0), "")
}

// TestRemovedTokenDoesNotComeBack removes a secret, as a service does some time
// after a deletion. A process that has seen that it is gone does not find it again, not
// even in a state that it has missed, unless it is put back.
func TestRemovedTokenDoesNotComeBack(t *testing.T) {
	w := newLateService(t)
	reader, writer := w.process(0), w.process(0)
	w.save(writer, "fake-0")
	w.finds("the reader", reader, "fake-0")
	w.pass(time.Minute)
	w.save(writer, "fake-1")
	w.pass(time.Minute)
	secret, err := w.secrets.Get(t.Context(), "tokenstore/tokens/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.secrets.Delete(t.Context(), secret.Name, secret.Revision); err != nil {
		t.Fatal(err)
	}
	w.finds("the reader, after the removal", reader, "")
	w.behind = 1
	w.finds("the reader, shown an old state", reader, "")
	w.pass(time.Minute)
	secret.Revision = ""
	if _, err := w.secrets.Put(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.finds("the reader, after somebody has put it back", reader, "fake-1")
}

// TestReaderThatGivesUpKeepsALaterState has a save of the same process end while
// a reader's last look at an older state is on its way back.
func TestReaderThatGivesUpKeepsALaterState(t *testing.T) {
	w := newLateService(t)
	var answered atomic.Pointer[func()]
	store := w.over(drivertest.Intercept(w.secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		err := do(ctx)
		if f := answered.Load(); c.Method == drivertest.Get && f != nil {
			(*f)()
		}
		return err
	}), 0)
	w.save(store, "fake-1")
	w.paste("fake-2")
	var looks atomic.Int64
	look := func() {
		if looks.Add(1) == 9 {
			answered.Store(nil)
			w.pass(50 * time.Millisecond)
			w.save(store, "fake-3")
		}
	}
	answered.Store(&look)
	w.finds("the reader", store, "fake-3")
	if answered.Load() != nil {
		t.Fatalf("the reader has looked %d times only", looks.Load())
	}
	w.behind = 1
	w.finds("the same process, after its save", store, "fake-3")
}

// TestIndexWithoutGenerationIsReadInOrder has a person remove the generation of
// an index document.
func TestIndexWithoutGenerationIsReadInOrder(t *testing.T) {
	w := newLateService(t)
	store := w.process(0, secretstore.WithDocument(1), secretstore.WithScanLimit(0))
	w.save(store, "fake-1")
	w.pass(time.Minute)
	root, err := w.secrets.Get(t.Context(), "tokenstore/index/root")
	if err != nil {
		t.Fatal(err)
	}
	root.Data = editedData(t, root.Data, func(fields map[string]any) { delete(fields, "generation") })
	if _, err := w.secrets.Put(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	other := client(tokenstore.OAuthToken{UserName: "fake-other", RefreshToken: "fake-other-refresh"})
	if _, err := store.SaveToken(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	w.behind = 1
	if _, err := store.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: other.RefreshToken})); err != nil {
		t.Errorf("a process does not find by a key that it has just indexed: %v", err)
	}
}
