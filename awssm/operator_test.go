package awssm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// TestRecoveringADeletedToken follows the page's steps. Processes that saw the token
// deleted find it again, and so do those that start afterwards.
func TestRecoveringADeletedToken(t *testing.T) {
	ctx, w := t.Context(), newWorld(awssmtest.Real())
	running, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	saved, err := running.SaveToken(ctx, adaptertest.Token("ada"))
	if err == nil {
		err = running.DeleteToken(ctx, saved.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	secret := "tokenstore/tokens/" + saved.ID
	if _, err := w.service.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: &secret}); err != nil {
		t.Fatal(err)
	}
	d, err := w.service.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &secret})
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]string{} // versions by label
	for id, labels := range d.VersionIdsToStages {
		for _, label := range labels {
			on[label] = id
		}
	}
	if _, err := w.service.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &secret, VersionStage: aws.String("AWSCURRENT"),
		MoveToVersionId: aws.String(on["AWSPREVIOUS"]), RemoveFromVersionId: aws.String(on["AWSCURRENT"]),
	}); err != nil {
		t.Fatal(err)
	}
	after, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*secretstore.Store{running, after} {
		if !adaptertest.Present(t, s, saved) {
			t.Error("the token is not as it was")
		}
		if all, err := s.GetTokens(ctx); err != nil || len(all) != 1 {
			t.Errorf("the list has %d tokens (%v)", len(all), err)
		}
	}
}

// TestBrokenIndex has a person overwrite the index with garbage: as the page says, its
// secret is deleted, and the repair rebuilds it from the tokens.
func TestBrokenIndex(t *testing.T) {
	ctx, w := t.Context(), newWorld(awssmtest.Real())
	before, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ada", "bob", ""} {
		if _, err := before.SaveToken(ctx, adaptertest.Token(user)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.service.Edit("tokenstore/index/root", "nonsense"); err != nil {
		t.Fatal(err)
	}
	after, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.FindToken(ctx, adaptertest.Token("")); !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), "tokenstore/index/root") {
		t.Fatalf("with a broken index: %v", err)
	}
	if err := w.service.Remove("tokenstore/index/root"); err != nil {
		t.Fatal(err)
	}
	if _, err := after.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ada", "bob"} {
		if !adaptertest.Present(t, after, adaptertest.Token(user)) {
			t.Errorf("the token of %s is not as it was", user)
		}
	}
	if _, err := after.FindToken(ctx, adaptertest.Token("")); err != nil {
		t.Errorf("the token without a user: %v", err)
	}
}

// TestIndexThatHasHadItsDay uses up the writes of the documents of two keys, which no fan-out
// divides. The error says until when, and whatever does not write the index goes on.
func TestIndexThatHasHadItsDay(t *testing.T) {
	ctx, w := t.Context(), newWorld(awssmtest.Real())
	store, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	const users, each = 16, 90 // The secret of each token has its own limit.
	user := ""
	for i := 0; err == nil && i < users*each; i++ {
		token := adaptertest.Token(fmt.Sprint("user", i%users))
		token.GrantToken = fmt.Sprint("grant", i/users%2)
		user = token.UserName
		_, err = store.SaveToken(ctx, token)
	}
	if !errors.Is(err, tokenstore.ErrQuota) || !strings.Contains(err.Error(), " until 20") || !strings.Contains(err.Error(), "finds and refreshes go on") {
		t.Fatal(err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: user}); err != nil {
		t.Error(err)
	}
	if saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: user, AccessToken: "refreshed"}); err != nil || saved.AccessToken != "refreshed" {
		t.Error(err)
	}
}

// expired is a client whose credentials are expired for some calls.
type expired struct {
	awssm.API
	refusals int
}

func (e *expired) refuse() error {
	if e.refusals--; e.refusals >= 0 {
		return &smithy.GenericAPIError{Code: "ExpiredTokenException"}
	}
	return nil
}

func (e *expired) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	if err := e.refuse(); err != nil {
		return nil, err
	}
	return e.API.BatchGetSecretValue(ctx, in, o...)
}

func (e *expired) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if err := e.refuse(); err != nil {
		return nil, err
	}
	return e.API.GetSecretValue(ctx, in, o...)
}

// TestExpiredCredentialsAreNoMissingPermission checks that batches are used again once the
// credentials are renewed.
func TestExpiredCredentialsAreNoMissingPermission(t *testing.T) {
	service := awssmtest.New(awssmtest.Real(), nil)
	client := &expired{API: service}
	s, err := awssm.NewSecrets(client)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"a/1", "a/2", "a/3"}
	for _, name := range names {
		if _, err := s.Put(t.Context(), driver.Secret{Name: name, Data: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	batch, _ := driver.As[driver.BatchGetter](s)
	client.refusals = 1 + len(names)
	if _, err := batch.GetBatch(t.Context(), names); !errors.Is(err, driver.ErrDenied) {
		t.Fatalf("with expired credentials: %v", err)
	}
	before := service.Calls()
	if got, err := batch.GetBatch(t.Context(), names); err != nil || len(got) != len(names) {
		t.Fatalf("%d secrets (%v)", len(got), err)
	}
	if after := service.Calls(); after["GetSecretValue"] != before["GetSecretValue"] {
		t.Error("the secrets are read one by one")
	}
}
