package tokenstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// TestTokenWithoutGenerationIsReadInOrder has a person paste a token over its
// secret, without the generation that tells the order of states, where the
// service shows older states for two seconds. Nobody goes back to the pasted
// state once it has seen what came after it, everybody sees it in the end, and
// nobody waits where the order is clear.
func TestTokenWithoutGenerationIsReadInOrder(t *testing.T) {
	ctx, now, behind := t.Context(), time.Unix(1_700_000_000, 0), 0
	clock := func() time.Time { return now }
	move := func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }
	secrets := drivertest.Stale(memory.New(), drivertest.Staleness{
		For: 2 * time.Second, Clock: clock,
		Choose: func(_ string, states int) int { return min(behind, states-1) },
	})
	process := func() *tokenstore.SecretStore {
		return open(t, secrets, tokenstore.WithClock(clock), tokenstore.WithSleep(move))
	}
	finds := func(who string, store tokenstore.Store, id, access string) {
		t.Helper()
		found, err := store.FindTokenByID(ctx, id)
		if found.AccessToken != access || (err != nil) != (access == "") || err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s finds the access token %q, %v; want %q", who, found.AccessToken, err, access)
		}
	}
	findsAtOnce := func(who string, store tokenstore.Store, id, access string) {
		t.Helper()
		start := now
		if finds(who, store, id, access); now != start {
			t.Errorf("%s has waited for %v", who, now.Sub(start))
		}
	}
	paste := func(name, access string) {
		t.Helper()
		secret, err := secrets.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]string
		if err := json.Unmarshal(secret.Data, &fields); err != nil {
			t.Fatal(err)
		}
		for _, bookkeeping := range []string{"generation", "created", "keys"} {
			delete(fields, bookkeeping)
		}
		fields["access_token"] = access
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := secrets.Put(ctx, driver.Secret{Name: name, Data: data, Revision: secret.Revision}); err != nil {
			t.Fatal(err)
		}
	}

	writer, reader, newcomer := process(), process(), process()
	token, err := writer.SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user", AccessToken: "fake-1", RefreshToken: "fake-refresh"}))
	if err != nil {
		t.Fatal(err)
	}
	name := "tokenstore/tokens/" + token.ID
	finds("the reader", reader, token.ID, "fake-1")

	// Pasted at once, and twice: the first paste may still be shown.
	paste(name, "fake-2")
	finds("the writer", writer, token.ID, "fake-2")
	paste(name, "fake-3")
	finds("the writer", writer, token.ID, "fake-3")
	behind = 1
	finds("the writer that has seen the second paste", writer, token.ID, "fake-3")
	findsAtOnce("the writer, again", writer, token.ID, "fake-3")
	_ = move(ctx, time.Minute)
	findsAtOnce("the reader, a minute after the paste", reader, token.ID, "fake-3")

	behind = 0
	token.AccessToken = "fake-4"
	if _, err := writer.SaveToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	finds("the newcomer", newcomer, token.ID, "fake-4")
	_ = move(ctx, 1500*time.Millisecond) // By now the pasted state would be given a later generation.
	behind = 1
	findsAtOnce("the reader that has not seen the save", reader, token.ID, "fake-3")
	behind = 0
	findsAtOnce("the reader", reader, token.ID, "fake-4")
	behind = 1
	finds("the writer", writer, token.ID, "fake-4")
	finds("the newcomer", newcomer, token.ID, "fake-4")
	finds("the reader", reader, token.ID, "fake-4")

	_ = move(ctx, time.Minute)
	paste(name, "fake-5")
	_ = move(ctx, time.Minute)
	if err := writer.DeleteToken(ctx, token.ID); err != nil {
		t.Fatal(err)
	}
	_ = move(ctx, 1500*time.Millisecond)
	finds("who deleted the token", writer, token.ID, "")
}
