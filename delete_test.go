package tokenstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

// hoarder keeps older versions of a secret until it is told to retire them, at
// which it fails so many times. It is used by one goroutine at a time.
type hoarder struct {
	driver.Secrets
	failures int
	kept     map[string]bool
}

func (h *hoarder) Unwrap() driver.Secrets      { return h.Secrets }
func (h *hoarder) RetireWindow() time.Duration { return 0 }

func (h *hoarder) Put(ctx context.Context, s driver.Secret) (string, error) {
	revision, err := h.Secrets.Put(ctx, s)
	if err == nil && s.Revision != "" {
		h.kept[s.Name] = true
	}
	return revision, err
}

func (h *hoarder) Retire(_ context.Context, name, _ string) error {
	if h.failures > 0 {
		h.failures--
		return driver.ErrUnavailable
	}
	delete(h.kept, name)
	return nil
}

// TestDeletionThatLeftVersionsIsFinishedByTheNext deletes while the service
// cannot drop older versions, which hold credentials, and once again.
func TestDeletionThatLeftVersionsIsFinishedByTheNext(t *testing.T) {
	for _, index := range []struct {
		name   string
		option tokenstore.Option
	}{{"entries", tokenstore.WithEntries()}, {"document", tokenstore.WithDocument(1)}} {
		t.Run(index.name, func(t *testing.T) {
			h := &hoarder{Secrets: memory.New(), kept: map[string]bool{}}
			s, err := tokenstore.NewSecretStore(h, index.option)
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
