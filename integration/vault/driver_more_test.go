package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/vaultserver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

func put(t *testing.T, s driver.Secrets, name, text, revision string) string {
	t.Helper()
	data, err := json.Marshal(map[string]string{"value": text})
	must(t, err)
	r, err := s.Put(t.Context(), driver.Secret{Name: name, Data: data, Revision: revision})
	must(t, err)
	return r
}

// TestRemoval follows a deleted name to its end: marked at once, and removed by a later
// Delete when the mark is old. A writer from before fails throughout.
func TestRemoval(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	kv := client.KVv2(mount)
	secrets := newSecrets(t, client, vault.WithMount(mount))
	later := newSecrets(t, client, vault.WithMount(mount), vault.WithClock(func() time.Time { return time.Now().Add(2 * time.Hour) }))
	ctx := t.Context()

	first := put(t, secrets, "a", "1", "")
	old := put(t, secrets, "a", "2", first)
	must(t, secrets.Delete(ctx, "a", old))
	if _, err := kv.GetVersion(ctx, "a", 2); err == nil {
		if got, _ := kv.GetVersion(ctx, "a", 2); got.Data != nil {
			t.Error("what was deleted can still be read")
		}
	}
	// A second driver meets the mark when it reads, and removes it with its next
	// Delete, even of another name.
	if _, err := later.Get(ctx, "a"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	must(t, secrets.Delete(ctx, "other", old))
	if _, err := kv.GetMetadata(ctx, "a"); err != nil {
		t.Errorf("a young mark was removed: %v", err)
	}
	must(t, later.Delete(ctx, "other", old))
	if _, err := kv.GetMetadata(ctx, "a"); !errors.Is(err, api.ErrSecretNotFound) {
		t.Errorf("an old mark was not removed: %v", err)
	}
	put(t, secrets, "a", "3", "")
	for _, r := range []string{first, old} {
		if r == first { // The number is used again; only the day in between prevents a mix-up.
			continue
		}
		if _, err := secrets.Put(ctx, driver.Secret{Name: "a", Data: []byte(`{}`), Revision: r}); !errors.Is(err, driver.ErrConflict) {
			t.Errorf("a writer from before: %v", err)
		}
	}
}

// TestRemovalAmongCreators has creators reuse the names that a repair removes.
// Everything reported to a creator as stored must stay.
func TestRemovalAmongCreators(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	ahead := vault.WithClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
	repair := newSecrets(t, client, vault.WithMount(mount), ahead)
	creator := newSecrets(t, client, vault.WithMount(mount))
	ctx := t.Context()
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		r := put(t, creator, "a", "before", "")
		must(t, creator.Delete(ctx, "a", r))
		if _, err := repair.Get(ctx, "a"); !errors.Is(err, driver.ErrNotFound) {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if err := repair.Delete(ctx, "other", r); err != nil {
				t.Errorf("repair: %v", err)
			}
		})
		var created string
		both.Go(func() {
			var err error
			if created, err = creator.Put(ctx, driver.Secret{Name: "a", Data: []byte(`{"value":"after"}`)}); err != nil {
				t.Errorf("creator: %v", err)
			}
		})
		both.Wait()
		got, err := creator.Get(ctx, "a")
		if err != nil || got.Revision != created {
			t.Fatalf("what was created is gone: %v", err)
		}
		must(t, creator.Delete(ctx, "a", created))
	}
}

// TestLostReplies loses every fifth reply of the real server after the request was
// applied, and the client retries it. Every Put reports the truth.
func TestLostReplies(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	c := client.CloneConfig()
	c.MinRetryWait, c.MaxRetryWait = time.Millisecond, 2*time.Millisecond
	httpClient := *c.HttpClient
	inner := httpClient.Transport
	var mu sync.Mutex
	n := 0
	httpClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := inner.RoundTrip(r)
		mu.Lock()
		defer mu.Unlock()
		if n++; err == nil && n%5 == 0 {
			_ = resp.Body.Close()
			return nil, errors.New("connection reset by peer")
		}
		return resp, err
	})
	c.HttpClient = &httpClient
	lossy, err := api.NewClient(c)
	must(t, err)
	lossy.SetToken(client.Token())
	secrets := newSecrets(t, lossy, vault.WithMount(mount))
	r := ""
	for i := range 100 {
		r = put(t, secrets, "a", strings.Repeat("x", i+1), r)
	}
	got, err := secrets.Get(t.Context(), "a")
	must(t, err)
	meta, err := client.KVv2(mount).GetMetadata(t.Context(), "a")
	must(t, err)
	if got.Revision != r || meta.CurrentVersion != 100 {
		t.Errorf("100 writes made %d versions", meta.CurrentVersion)
	}
}

// TestKeptVersions: an entry of the index is limited to one version when it is written
// for the third time, a token to the caller's number.
func TestKeptVersions(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	secrets := newSecrets(t, client, vault.WithMount(mount), vault.WithMaxVersions(4))
	for name, want := range map[string]int{"tokenstore/index/abc": 1, "tokenstore/tokens/abc": 4} {
		r := ""
		for range 6 {
			r = put(t, secrets, name, "x", r)
		}
		meta, err := client.KVv2(mount).GetMetadata(t.Context(), name)
		must(t, err)
		if len(meta.Versions) != want {
			t.Errorf("%s keeps %d versions instead of %d", name, len(meta.Versions), want)
		}
	}
}

// TestVersion1 refuses a mount of version 1, writes nothing there, and works after and
// during its upgrade.
func TestVersion1(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "1")
	store := newStore(t, client, vault.WithMount(mount))
	ctx := t.Context()
	must(t, client.KVv1(mount).Put(ctx, "theirs", map[string]any{"note": "x"}))
	_, err := store.SaveToken(ctx, fakeToken("mail@example.com:1"))
	if !errors.Is(err, vault.ErrNotKV2) || tokenstore.Retryable(err) {
		t.Errorf("save: %v", err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "u"}); !errors.Is(err, vault.ErrNotKV2) {
		t.Errorf("find: %v", err)
	}
	if names, err := client.Logical().ListWithContext(ctx, mount); err != nil || len(names.Data["keys"].([]any)) != 1 {
		t.Errorf("something was written: %v", err)
	}
	if _, err := newStore(t, client, vault.WithMount("no-such-mount")).FindTokenByID(ctx, "1"); !errors.Is(err, vault.ErrNotKV2) {
		t.Errorf("no mount: %v", err)
	}
	must(t, client.Sys().TuneMountAllowNilWithContext(ctx, mount, api.TuneMountConfigInput{Options: &map[string]string{"version": "2"}}))
	_, err = store.SaveToken(ctx, fakeToken("mail@example.com:1"))
	must(t, err)
	got, err := client.KVv2(mount).Get(ctx, "theirs")
	if err != nil || got.Data["note"] != "x" {
		t.Errorf("what was there before: %v", err)
	}
}

// TestTooLarge fills a secret beyond the limit of integrated storage.
func TestTooLarge(t *testing.T) {
	s := vaultserver.New(t)
	secrets := newSecrets(t, s.Quick(t), vault.WithMaxSize(8<<20))
	fields := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		fields[name] = strings.Repeat("x", 900<<10)
	}
	data, err := json.Marshal(fields)
	must(t, err)
	_, err = secrets.Put(t.Context(), driver.Secret{Name: "a", Data: data})
	if !errors.Is(err, driver.ErrTooLarge) || tokenstore.Retryable(err) || len(err.Error()) > 300 {
		t.Errorf("%.300v", err)
	}
	if _, err := secrets.Get(t.Context(), "a"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("after it: %v", err)
	}
	// The largest size that the store allows by default fits.
	standard := newSecrets(t, s.Quick(t))
	l, ok := driver.As[driver.Limited](standard)
	if !ok {
		t.Fatal("no limits")
	}
	put(t, standard, "b", strings.Repeat("<", l.Limits().MaxSize/7), "") // Vault writes "<" in six bytes.
	put(t, standard, "c", strings.Repeat("x", l.Limits().MaxSize-20), "")
}

// BenchmarkGetTokens lists 10,000 tokens, as the store does and with one read after
// another, and reports the ratio.
func BenchmarkGetTokens(b *testing.B) {
	const tokens = 10_000
	client := newClient(b)
	mount := newMount(b, client, "2")
	parallel := newStore(b, client, vault.WithMount(mount))
	sequential := newStore(b, client, vault.WithMount(mount), vault.WithStoreOptions(secretstore.WithParallelism(1)))
	seed(b, newSecrets(b, client, vault.WithMount(mount)), tokens)
	once := func(store *secretstore.Store) time.Duration {
		start := time.Now()
		all, err := store.GetTokens(context.WithoutCancel(b.Context()))
		if err != nil || len(all) != tokens {
			b.Fatal(len(all), err)
		}
		return time.Since(start)
	}
	var slow, quick time.Duration
	for b.Loop() {
		slow += once(sequential)
		quick += once(parallel)
	}
	b.ReportMetric(slow.Seconds()/float64(b.N), "s/sequential")
	b.ReportMetric(quick.Seconds()/float64(b.N), "s/parallel")
	b.ReportMetric(slow.Seconds()/quick.Seconds(), "ratio")
}

// seed stores tokens as a person would, without an index, which GetTokens does not need.
func seed(b *testing.B, secrets driver.Secrets, tokens int) {
	b.Helper()
	numbers := make(chan int)
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for n := range numbers {
				id := fmt.Sprintf("token%05d", n)
				data, err := tokenstore.EncodeToken(tokenstore.OAuthToken{
					ID: id, UserName: "mail@example.com:" + id, RefreshToken: "fake-refresh-" + id, AccessToken: "fake-access-" + id,
				})
				if err == nil {
					_, err = secrets.Put(b.Context(), driver.Secret{Name: "tokenstore/tokens/" + id, Data: data})
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range tokens {
		numbers <- n
	}
	close(numbers)
	running.Wait()
}
