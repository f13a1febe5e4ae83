package secretstore_test

import (
	"context"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// recovering is a service that keeps what a secret held before it was deleted.
type recovering struct {
	*memory.Secrets
	data []byte
}

func (r *recovering) Recover(context.Context, string) ([]byte, error) { return r.data, nil }

// TestUndeleteKeepsWhatItDoesNotKnow: what a person or a later release has added to a token
// comes back with it, and so does its note.
func TestUndeleteKeepsWhatItDoesNotKnow(t *testing.T) {
	for form, options := range bothForms {
		ctx, secrets := t.Context(), &recovering{Secrets: memory.New()}
		store := open(t, secrets, append([]secretstore.Option{noWait}, options...)...)
		saved := saves(t, store, firstToken)
		noted, swapped, err := store.SwapToken(ctx, tokenstore.Noted{OAuthToken: saved}, tokenstore.OAuthToken{}, "a note")
		if err != nil || !swapped {
			t.Fatal(swapped, err)
		}
		name := "tokenstore/tokens/" + saved.ID
		secret, err := secrets.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		object, err := driver.DecodeObject(secret.Data)
		if err != nil {
			t.Fatal(err)
		}
		object.Set("team", "billing")
		secret.Data = object.Encode()
		if _, err := secrets.Put(ctx, secret); err != nil {
			t.Fatal(err)
		}
		secrets.data = secret.Data
		if err := store.DeleteToken(ctx, saved.ID); err != nil {
			t.Fatal(err)
		}
		if back, err := store.UndeleteToken(ctx, saved.ID); err != nil || back != saved {
			t.Fatalf("%s: %v, %v", form, back, err)
		}
		if found, err := store.FindNoted(ctx, tokenstore.OAuthToken{UserName: saved.UserName}); err != nil || found.OAuthToken != saved || found.Note != noted.Note {
			t.Errorf("%s: found %v with the note %q, %v", form, found.OAuthToken, found.Note, err)
		}
		if secret, err = secrets.Get(ctx, name); err != nil {
			t.Fatal(err)
		}
		if object, err = driver.DecodeObject(secret.Data); err != nil {
			t.Fatal(err)
		}
		if team, err := object.Text("team"); team != "billing" {
			t.Errorf("%s: the field that was added is %q, %v", form, team, err)
		}
		if report, err := store.Check(ctx); err != nil || report.KeysAdded > 0 || report.Tokens != 1 || report.Tombstones > 0 {
			t.Errorf("%s: %+v, %v", form, report, err)
		}
	}
}
