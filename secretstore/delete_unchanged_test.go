package secretstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// interrupter lets something happen before the first write of a secret whose name contains
// a text.
type interrupter struct {
	driver.Secrets
	text   string
	before func()
}

func (i *interrupter) Unwrap() driver.Secrets { return i.Secrets }

func (i *interrupter) Put(ctx context.Context, s driver.Secret) (string, error) {
	if before := i.before; before != nil && strings.Contains(s.Name, i.text) {
		i.before = nil
		before()
	}
	return i.Secrets.Put(ctx, s)
}

// TestDeleteUnchangedComparesAgain: a token that somebody changes between the comparison and
// the deletion is compared again.
func TestDeleteUnchangedComparesAgain(t *testing.T) {
	for what, c := range map[string]struct {
		change tokenstore.OAuthToken
		want   error
	}{
		"another refresh token": {tokenstore.OAuthToken{ID: "1", RefreshToken: "r-new"}, tokenstore.ErrConflict},
		"another domain":        {tokenstore.OAuthToken{ID: "1", APIDomain: "https://x.example"}, nil},
	} {
		i := &interrupter{Secrets: memory.New(), text: "/1"}
		s, others := newStore(t, i), newStore(t, i.Secrets)
		seen := mustSave(t, others, tokenstore.OAuthToken{ID: "1", UserName: "u", RefreshToken: "r", AccessToken: "a"})
		i.before = func() { mustSave(t, others, c.change) }
		if got := s.DeleteUnchanged(t.Context(), []tokenstore.OAuthToken{seen})[0]; i.before != nil || !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
		if _, err := others.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"}); (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestDeleteUnchangedFinishes a deletion that left versions, which its error says.
func TestDeleteUnchangedFinishes(t *testing.T) {
	h := &hoarder{Secrets: memory.New(), kept: map[string]bool{}}
	s, err := secretstore.New(h)
	if err != nil {
		t.Fatal(err)
	}
	seen := []tokenstore.OAuthToken{mustSave(t, s, tokenstore.OAuthToken{ID: "1", RefreshToken: "r"}), {ID: "2"}}
	h.failures = 1
	if errs := s.DeleteUnchanged(t.Context(), seen); !errors.Is(errs[0], tokenstore.ErrUnavailable) || !errors.Is(errs[1], tokenstore.ErrNotFound) {
		t.Error(errs)
	}
	if len(h.kept) != 1 {
		t.Fatalf("%d kept", len(h.kept))
	}
	if errs := s.DeleteUnchanged(t.Context(), seen); !errors.Is(errs[0], tokenstore.ErrNotFound) || len(h.kept) != 0 {
		t.Error(errs, h.kept)
	}
}

// TestDeleteUnchangedLeavesWhatIsDamaged: nobody has seen what a person has made of it.
func TestDeleteUnchangedLeavesWhatIsDamaged(t *testing.T) {
	t.Parallel() // A store reads a damaged secret again for seconds.
	secrets := memory.New()
	s := newStore(t, secrets)
	seen := mustSave(t, s, tokenstore.OAuthToken{ID: "1", RefreshToken: "r"})
	secrets.Edit("tokenstore/tokens/1", []byte("not JSON"))
	if err := s.DeleteUnchanged(t.Context(), []tokenstore.OAuthToken{seen})[0]; !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Error(err)
	}
	if _, err := s.FindTokenByID(t.Context(), "1"); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("afterwards: %v", err)
	}
}
