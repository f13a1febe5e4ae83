// Opening by URL: what is refused, and that no error quotes a credential.

package tokenstore_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
)

func TestOpenMemory(t *testing.T) {
	store, err := tokenstore.Open(t.Context(), "memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	saved, err := store.SaveToken(t.Context(), full())
	if err != nil {
		t.Fatal(err)
	}
	if found, err := store.FindTokenByID(t.Context(), saved.ID); err != nil || found != full() {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for url, wantText := range map[string]string{
		"":                                "known schemes: ",
		"nosuch:fake-secret":              "memory",
		"memory:?password=fake-secret":    `unknown parameter "password"; this store takes none`,
		"memory:?fake-secret":             "unknown parameter; this store takes none",
		"memory:?%zz=fake-secret":         "malformed",
		"memory://user:fake-secret@host/": "must not contain a user name or password",
		"mem ory:fake-secret\x7f":         "not a URL",
		"memory:fake-secret":              `must be exactly "memory:"`,
	} {
		_, err := tokenstore.Open(t.Context(), url)
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), wantText) {
			t.Errorf("Open(%q) gave %v, want ErrInvalidArgument with %q", url, err, wantText)
		} else if strings.Contains(err.Error(), "fake-secret") {
			t.Errorf("the error quotes the URL: %v", err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, url := range []string{"memory:", "memory:?a=b", "nosuch://x", "memory://u:p@h/x?y#z", "%", ":", "memory:%zz"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		store, err := tokenstore.Open(t.Context(), url)
		if err == nil {
			store.Close()
			return
		}
		if !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("Open(%q) gave %v, want ErrInvalidArgument", url, err)
		}
	})
}

// TestUsagesDescribeEachScheme: one that is not described is listed all the same.
func TestUsagesDescribeEachScheme(t *testing.T) {
	open := func(context.Context, *url.URL) (tokenstore.OpenStore, error) { return nil, nil } //nolint:nilnil // It is never called.
	tokenstore.Register("described", open)
	tokenstore.Describe("described", tokenstore.Usage{Example: "described:x", About: "a test", ReadOnly: true})
	tokenstore.Register("bare", open)
	tokenstore.Describe("unregistered", tokenstore.Usage{Example: "unregistered:x"})
	got := map[string]tokenstore.Usage{}
	var schemes []string
	for _, u := range tokenstore.Usages() {
		got[u.Scheme] = u
		schemes = append(schemes, u.Scheme)
	}
	if want := (tokenstore.Usage{Scheme: "described", Example: "described:x", About: "a test", ReadOnly: true}); got["described"] != want {
		t.Errorf("got %+v, want %+v", got["described"], want)
	}
	if want := (tokenstore.Usage{Scheme: "bare", Example: "bare:"}); got["bare"] != want {
		t.Errorf("got %+v, want %+v", got["bare"], want)
	}
	if !slices.Equal(schemes, tokenstore.Schemes()) {
		t.Errorf("described are %v, registered %v", schemes, tokenstore.Schemes())
	}
}
