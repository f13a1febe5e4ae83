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
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// hoarder keeps older versions of a secret until they are retired, and fails to retire a
// number of times. If it has a window, it ignores tombstones that were written more than
// a third of the window ago.
type hoarder struct {
	driver.Secrets

	mu       sync.Mutex // guards the fields below: DeleteTokens deletes several tokens concurrently
	failures int
	kept     map[string]bool

	window  time.Duration
	now     time.Time
	written map[string]time.Time
}

func (h *hoarder) Unwrap() driver.Secrets      { return h.Secrets }
func (h *hoarder) RetireWindow() time.Duration { return h.window }

func (h *hoarder) Put(ctx context.Context, s driver.Secret) (string, error) {
	revision, err := h.Secrets.Put(ctx, s)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && s.Revision != "" {
		h.kept[s.Name] = true
	}
	if h.window > 0 {
		h.written[s.Name] = h.now
	}
	return revision, err
}

func (h *hoarder) Retire(_ context.Context, name, _ string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failures > 0 {
		h.failures--
		return driver.ErrUnavailable
	}
	if h.now.Sub(h.written[name]) <= h.window/3 {
		delete(h.kept, name)
	}
	return nil
}

// TestDeletionThatLeftVersionsIsFinishedByTheNext deletes while the service
// cannot drop older versions, which hold credentials, and once again.
func TestDeletionThatLeftVersionsIsFinishedByTheNext(t *testing.T) {
	for _, index := range []struct {
		name   string
		option secretstore.Option
	}{{"entries", secretstore.WithEntries()}, {"document", secretstore.WithDocument(1)}} {
		t.Run(index.name, func(t *testing.T) {
			h := &hoarder{Secrets: memory.New(), kept: map[string]bool{}}
			s, err := secretstore.New(h, index.option)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: fmt.Sprint("user", i), RefreshToken: fmt.Sprint("fake", i)}); err != nil {
					t.Fatal(err)
				}
			}
			clear(h.kept)
			h.failures = 2
			if err := s.DeleteTokens(t.Context()); !errors.Is(err, tokenstore.ErrUnavailable) {
				t.Errorf("DeleteTokens while the service retires nothing: %v", err)
			}
			if tokens, err := s.GetTokens(t.Context()); err != nil || len(tokens) != 0 {
				t.Errorf("then %d tokens are stored, %v", len(tokens), err)
			}
			if err := s.DeleteTokens(t.Context()); err != nil {
				t.Errorf("DeleteTokens again: %v", err)
			}
			for name := range h.kept {
				if strings.HasPrefix(name, "tokenstore/tokens/") {
					t.Errorf("%s keeps older versions", name)
				}
			}
		})
	}
}

// TestMissedRetirementIsMadeGood deletes a token, loses the retirement, and
// deletes it again once the time for that has passed.
func TestMissedRetirementIsMadeGood(t *testing.T) {
	h := &hoarder{
		Secrets: memory.New(), kept: map[string]bool{}, failures: 1,
		window: 15 * time.Second, now: time.Unix(1_700_000_000, 0), written: map[string]time.Time{},
	}
	s, err := secretstore.New(h, secretstore.WithDocument(1),
		secretstore.WithClock(func() time.Time { return h.now }),
		secretstore.WithSleep(func(ctx context.Context, d time.Duration) error { h.now = h.now.Add(d); return ctx.Err() }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", UserName: "user", RefreshToken: "fake"}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteToken(t.Context(), "1"); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("DeleteToken while the service retires nothing: %v", err)
	}
	h.now = h.now.Add(10 * time.Second)
	if err := s.DeleteToken(t.Context(), "1"); err != nil {
		t.Errorf("DeleteToken again: %v", err)
	}
	if h.kept["tokenstore/tokens/1"] {
		t.Error("older versions of the deleted token remain")
	}
}
