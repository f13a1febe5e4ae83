package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
)

// TestUndelete deletes a token, and brings it back while LocalStack keeps it: another process
// finds it by its keys.
func TestUndelete(t *testing.T) {
	t.Parallel() // It waits for the deletion to take effect.
	ctx, w, prefix := t.Context(), newWorld(t), need.Prefix(t)
	store, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(ctx, fakeToken("ada"))
	if err == nil {
		err = store.DeleteToken(ctx, saved.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Fatalf("it is not deleted: %v", err)
	}
	if back, err := store.UndeleteToken(ctx, saved.ID); err != nil || back != saved {
		t.Fatalf("%v is not what it was: %v", back, err)
	}
	other, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range tokenstore.KeysOf(saved) {
		if found, err := other.FindToken(ctx, tokenstore.QueryFor(key)); err != nil || found != saved {
			t.Errorf("%s: %v, %v", key.Kind, found, err)
		}
	}
	if _, err := other.UndeleteToken(ctx, saved.ID); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("again: %v", err)
	}
}

// TestUndeleteAfterTheConsole: a person schedules the secret of a token for deletion. A diagnosis
// names it, and it comes back.
func TestUndeleteAfterTheConsole(t *testing.T) {
	t.Parallel()
	ctx, w, prefix := t.Context(), newWorld(t), need.Prefix(t)
	store, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(ctx, fakeToken("ada"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := awssm.SecretName(strings.Trim(prefix, "/") + "/tokens/" + saved.ID)
	if err == nil {
		_, err = w.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &secret})
	}
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	named := func() bool {
		found, err := other.Diagnose(ctx, tokenstore.RoleReader)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(found, func(f tokenstore.Finding) bool {
			return f.Code == secretstore.CodeTokenScheduled && f.Where == saved.ID
		})
	}
	if !named() {
		t.Error("no finding names the token")
	}
	if back, err := other.UndeleteToken(ctx, saved.ID); err != nil || back != saved {
		t.Errorf("%v is not what it was: %v", back, err)
	}
	if named() {
		t.Error("a finding names a token that is back")
	}
}
