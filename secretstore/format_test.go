package secretstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestNothingShowsThePepper prints, logs and marshals a store, its options, its reports
// and its calls to an observer.
func TestNothingShowsThePepper(t *testing.T) {
	pepper := "fake-pepper"
	var calls []secretstore.Call
	options := []secretstore.Option{
		secretstore.WithPepper([]byte(pepper)), secretstore.WithParallelism(1),
		secretstore.WithObserver(func(_ context.Context, c secretstore.Call) { calls = append(calls, c) }),
	}
	store := open(t, memory.New(), options...)
	if _, err := store.SaveToken(t.Context(), client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})); err != nil {
		t.Fatal(err)
	}
	report, err := store.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, failed := store.SaveToken(t.Context(), client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh\xff"}))
	if !errors.Is(failed, tokenstore.ErrInvalidToken) {
		t.Fatal(failed)
	}
	for name, v := range map[string]any{
		"store": store, "in a struct": struct{ S *secretstore.Store }{store}, "in an interface": []tokenstore.Store{store},
		"options": options, "report": report, "calls": calls, "error": failed,
	} {
		var all bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			fmt.Fprintf(&all, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&all, nil)).Info("it", "is", v)
		slog.New(slog.NewJSONHandler(&all, nil)).Info("it", "is", v)
		text, _ := json.Marshal(v)
		all.Write(text)
		for _, hidden := range []string{pepper, "fake-refresh", "fake-client", "fake-secret"} {
			for _, form := range []string{hidden, fmt.Sprintf("%x", hidden), strings.Trim(fmt.Sprint([]byte(hidden)), "[]")} {
				if strings.Contains(all.String(), form) {
					t.Errorf("%s shows %s: %s", name, hidden, all.String())
				}
			}
		}
	}
}
