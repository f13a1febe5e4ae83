package secretstore_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestExists distinguishes an empty store from a place without one.
func TestExists(t *testing.T) {
	onEachForm(t, func(b *bench) {
		exists := func(when string, want bool) {
			b.Helper()
			if got, err := b.process().Exists(b.Context()); err != nil || got != want {
				b.Errorf("%s: %v, %v", when, got, err)
			}
		}
		exists("nothing there", false)
		for id, data := range map[string]string{"theirs": `{"password":"fake"}`, "text": "fake"} {
			b.Edit(b.process().SecretName(id), []byte(data))
		}
		b.Edit("tokenstore/other", []byte(`{}`))
		b.Edit("tokenstore/index/notes", []byte(`{}`))
		exists("strangers there", false)
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
		exists("a token there", true)
		if err := b.process().DeleteTokens(b.Context()); err != nil {
			b.Fatal(err)
		}
		exists("all deleted", true)
		b.save(token)
		for name, err := range b.List(b.Context(), "tokenstore/index/") {
			if err != nil {
				b.Fatal(err)
			}
			b.Remove(name)
		}
		exists("a token without an index", true)
	})
	denied := drivertest.Inject(memory.New(), drivertest.FailMethod(drivertest.List, drivertest.Denied))
	if _, err := open(t, denied).Exists(t.Context()); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("a role that may not list gets %v", err)
	}
}

// TestOtherFormOfIndexIsWarnedOf opens one prefix with two forms of index.
func TestOtherFormOfIndexIsWarnedOf(t *testing.T) {
	const warning = "an index of the other form"
	form := map[string]secretstore.Option{"entries": secretstore.WithEntries(), "document": secretstore.WithDocument(1), "document 16": secretstore.WithDocument(16)}
	for first, wrote := range form {
		for second, reads := range form {
			ctx, secrets := t.Context(), memory.New()
			if _, err := open(t, secrets, wrote).SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			store := open(t, secrets, reads, secretstore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			want := 0
			if (first == "entries") != (second == "entries") {
				want = 1
			}
			for range 3 {
				if _, err := store.GetTokens(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Count(log.String(), warning); got != want {
				t.Errorf("%s, read as %s: logged %d times, want %d", first, second, got, want)
			}
			if _, err := store.SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user-2", RefreshToken: "fake-refresh-2"})); err != nil {
				t.Fatal(err)
			}
			report, err := open(t, secrets, wrote).Check(ctx)
			warned := slices.ContainsFunc(report.Warnings, func(w string) bool { return strings.Contains(w, warning) })
			if err != nil || warned != (want == 1) {
				t.Errorf("%s, written as %s: the check gives %q, %v", first, second, report.Warnings, err)
			}
		}
	}
}
