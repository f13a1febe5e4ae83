package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
)

// envURL is the store of a worker process that is opened by URL.
const envURL = "TOKENSTORE_TEST_AWS_URL"

const (
	churners = 4 // in each process
	churns   = 6 // of each churner
)

// churn is a worker process: its goroutines insert tokens, rotate their refresh tokens and
// delete every third, and all these writes go to one index.
func churn(ctx context.Context) error {
	store, err := tokenstore.Open(ctx, os.Getenv(envURL))
	if err != nil {
		return err
	}
	defer store.Close()
	errs := make([]error, churners)
	var wg sync.WaitGroup
	for i := range churners {
		wg.Go(func() {
			for n := range churns {
				if errs[i] = churnOne(ctx, store, fmt.Sprintf("%s-%d-%d", os.Getenv(envWorker), i, n), n%3 == 2); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// churnOne takes one token through its life.
func churnOne(ctx context.Context, store tokenstore.Store, user string, deleted bool) error {
	var saved tokenstore.OAuthToken
	err := again(func() (err error) { saved, err = store.SaveToken(ctx, fakeToken(user)); return err })
	if err == nil {
		err = again(func() error {
			_, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: user, RefreshToken: "1000.rotated." + user})
			return err
		})
	}
	if err == nil && deleted {
		err = again(func() error { return store.DeleteToken(ctx, saved.ID) })
	}
	return err
}

// again repeats a call until no concurrent change interferes.
func again(call func() error) error {
	err := call()
	for tries := 0; tries < 50 && (errors.Is(err, tokenstore.ErrConflict) || errors.Is(err, tokenstore.ErrQuota)); tries++ {
		err = call()
	}
	return err
}

// TestReplicasByURL has two processes that share only the URL write one index as fast
// as they can.
func TestReplicasByURL(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	w, prefix := newWorld(t), need.Prefix(t)
	// With a fan-out, the index accepts more than 96 writes a day.
	address := "awssm://" + strings.TrimSuffix(prefix, "/") + "?region=eu-central-1&fanout=4&endpoint=" + url.QueryEscape(need.AWS(t))
	var wg sync.WaitGroup
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=replica%d", envWorker, i), envURL+"="+address)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("replica %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
	store, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	report, err := store.Check(t.Context())
	if err != nil || report.KeysAdded != 0 || len(report.Unreadable) != 0 {
		t.Errorf("the check reports %+v, %v", report, err)
	}
	all, err := store.GetTokens(t.Context())
	if want := processes * churners * (churns - churns/3); err != nil || len(all) != want {
		t.Errorf("%d tokens, not %d: %v", len(all), want, err)
	}
	for _, token := range all {
		query := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: "1000.rotated." + token.UserName}
		if found, err := store.FindToken(t.Context(), query); err != nil || found.ID != token.ID {
			t.Errorf("%s by its refresh token: %v", token.UserName, err)
		}
	}
	w.wantFewLabels(t, prefix)
}

// wantFewLabels checks the labels that the processes have left behind.
func (w *world) wantFewLabels(t *testing.T, prefix string) {
	t.Helper()
	s, err := w.secrets()
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		d, err := w.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
		if err != nil {
			t.Fatal(err)
		}
		labels := 0
		for _, l := range d.VersionIdsToStages {
			labels += len(l)
		}
		if labels > processes+2 {
			t.Errorf("%s has %d labels: %v", name, labels, d.VersionIdsToStages)
		}
	}
}

// damage makes a secret lose its current version, as two processes with a shared label did.
func (w *world) damage(t *testing.T, name string) {
	t.Helper()
	d, err := w.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	if err != nil {
		t.Fatal(err)
	}
	for id, labels := range d.VersionIdsToStages {
		for _, label := range labels {
			if label != "AWSCURRENT" {
				continue
			}
			_, err := w.client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: &name, VersionStage: &label, RemoveFromVersionId: &id, MoveToVersionId: aws.String("no-such-version-but-long-enough-for-one"),
			})
			if err == nil {
				t.Fatal("LocalStack refuses the move as AWS does")
			}
		}
	}
	// The next candidate drops the version that was current.
	if _, err := w.client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &name, SecretString: aws.String("lost"), VersionStages: []string{"tokenstore-candidate-0"},
	}); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedSecret uses secrets without a current version: they are reported, a write
// repairs them, and so does Reindex for the index.
func TestDamagedSecret(t *testing.T) {
	ctx, w, prefix := t.Context(), newWorld(t), need.Prefix(t)
	s, err := w.secrets()
	if err != nil {
		t.Fatal(err)
	}
	name := prefix + "single"
	if _, err := s.Put(ctx, driver.Secret{Name: name, Data: []byte(`{"n":"1"}`)}); err != nil {
		t.Fatal(err)
	}
	w.damage(t, name)
	lost, err := s.Get(ctx, name)
	if err != nil || lost.Revision == "" || len(lost.Data) != 0 {
		t.Fatalf("%q, revision %q, %v", lost.Data, lost.Revision, err)
	}
	var wg sync.WaitGroup
	won := make([]bool, 4)
	for i := range won {
		wg.Go(func() {
			other, err := w.secrets()
			if err == nil {
				_, err = other.Put(ctx, driver.Secret{Name: name, Data: fmt.Appendf(nil, `{"n":"by %d"}`, i), Revision: lost.Revision})
			}
			if won[i] = err == nil; err != nil && !errors.Is(err, driver.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	now, err := s.Get(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range won {
		if is := string(now.Data) == fmt.Sprintf(`{"n":"by %d"}`, i); is != w {
			t.Errorf("writer %d won: %v, but the stored version is its own: %v", i, w, is)
		}
	}

	store, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ada", "bob", "cyd"} {
		if _, err := store.SaveToken(ctx, fakeToken(user)); err != nil {
			t.Fatal(err)
		}
	}
	w.damage(t, prefix+"index/root")
	if store, err = w.store(prefix); err != nil {
		t.Fatal(err)
	}
	if _, err := store.GetTokens(ctx); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("the damaged index: %v", err)
	}
	if _, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
		t.Fatal(err)
	}
	if all, err := store.GetTokens(ctx); err != nil || len(all) != 3 {
		t.Errorf("%d tokens after the repair, %v", len(all), err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: "1000.refresh.bob"}); err != nil {
		t.Error(err)
	}
}
