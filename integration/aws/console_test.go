package aws

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
)

// editing is a client of the service that lets a person act before its next call of an
// operation.
type editing struct {
	*secretsmanager.Client
	person func()
}

func (e *editing) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, o ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	if person := e.person; person != nil {
		e.person = nil
		person()
	}
	return e.Client.UpdateSecretVersionStage(ctx, in, o...)
}

// change edits one field of a token as the console's key/value editor does: it reads
// the whole secret and stores a new current version.
func (w *world) change(ctx context.Context, secret, field, value string) error {
	text, err := w.value(ctx, secret)
	if err != nil {
		return err
	}
	fields := map[string]string{} // Every value is a string, as the editor needs it.
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return errors.New("the secret is not a flat object of strings")
	}
	fields[field] = value
	data, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return w.save(ctx, secret, string(data))
}

// TestConsoleEdit changes a refresh token by hand during a save: neither is lost.
func TestConsoleEdit(t *testing.T) {
	ctx, w, prefix := t.Context(), newWorld(t), need.Prefix(t)
	client := &editing{Client: w.client}
	store, err := awssm.New(client, awssm.WithPrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(ctx, fakeToken("ada"))
	if err != nil {
		t.Fatal(err)
	}
	client.person = func() {
		if err := w.change(ctx, prefix+"tokens/"+saved.ID, "refresh_token", "1000.by-hand"); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "ada", AccessToken: "1000.renewed"}); err != nil {
		t.Fatal(err)
	}
	other, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []tokenstore.OAuthToken{
		{UserName: "ada"},
		{ClientID: "c", ClientSecret: "s", RefreshToken: "1000.by-hand"},
	} {
		found, err := other.FindToken(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		if found.RefreshToken != "1000.by-hand" || found.AccessToken != "1000.renewed" {
			t.Error("an edit or a save is lost")
		}
	}
}

// TestOpen opens a store by its URL, with credentials from the environment.
func TestOpen(t *testing.T) {
	endpoint := need.AWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	prefix := need.Prefix(t)
	store, err := tokenstore.Open(t.Context(), "awssm://"+prefix+"?region=eu-central-1&fanout=4&recovery_days=0&endpoint="+url.QueryEscape(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(t.Context(), fakeToken("ada"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := newClient(endpoint).DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(prefix + "tokens/" + saved.ID)})
	if err != nil || len(secret.Tags) != 1 || aws.ToString(secret.Tags[0].Key) != "managed-by" {
		t.Errorf("the secret's tags: %v", err)
	}
	if err := store.DeleteToken(t.Context(), saved.ID); err != nil {
		t.Error(err)
	}
	if _, err := store.FindTokenByID(t.Context(), saved.ID); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// TestUnreachable distinguishes an endpoint without a server from every other fault.
func TestUnreachable(t *testing.T) {
	need.AWS(t)
	s, err := awssm.NewSecrets(newClient("http://127.0.0.1:1", func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a/b"); !errors.Is(err, driver.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), driver.Secret{Name: "a/b", Data: []byte(`{}`)}); !errors.Is(err, driver.ErrUnavailable) {
		t.Error(err)
	}
}
