package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/integration/internal/need"
)

// The environment of a worker process: its number, and the store's prefix.
const (
	envWorker = "TOKENSTORE_TEST_AWS_WORKER"
	envPrefix = "TOKENSTORE_TEST_AWS_PREFIX"
)

const (
	processes  = 2
	writers    = 8 // in each process
	savesOfOne = 5 // of each writer
)

// TestWriters lets 16 writers in two processes save one token. Each save increments the
// secret's generation, so a lost update shows.
func TestWriters(t *testing.T) {
	w, prefix := newWorld(t), need.Prefix(t)
	store, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	token := tokenstore.OAuthToken{UserName: "ada", RefreshToken: "1000.fake", ClientID: "1000.CLIENT", ClientSecret: "fake"}
	saved, err := store.SaveToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	before := w.generation(t, prefix, saved.ID)
	var wg sync.WaitGroup
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), envWorker+"="+strconv.Itoa(i), envPrefix+"="+prefix, need.EnvAWS+"="+need.AWS(t))
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("worker %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
	if got, want := w.generation(t, prefix, saved.ID)-before, processes*writers*savesOfOne; got != want {
		t.Errorf("%d updates instead of %d", got, want)
	}
	final, err := store.FindTokenByID(t.Context(), saved.ID)
	if err != nil {
		t.Fatal(err)
	}
	if final.APIDomain != "https://"+final.AccessToken || final.RedirectURL != final.APIDomain || final.RefreshToken != token.RefreshToken {
		t.Errorf("a torn state: access token of %s, API domain %s, redirect URL %s", final.AccessToken, final.APIDomain, final.RedirectURL)
	}
	all, err := store.GetTokens(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}

// generation reads how often a token's secret was written.
func (w *world) generation(t *testing.T, prefix, id string) int {
	t.Helper()
	value, err := w.value(t.Context(), prefix+"tokens/"+id)
	if err != nil {
		t.Fatal(err)
	}
	var fields struct {
		Generation int `json:"generation,string"`
	}
	if err := json.Unmarshal([]byte(value), &fields); err != nil {
		t.Fatal("the secret has no generation")
	}
	return fields.Generation
}

// work is a worker process.
func work(ctx context.Context) error {
	number, err := strconv.Atoi(os.Getenv(envWorker))
	if err != nil {
		return err
	}
	store, err := awssm.New(newClient(os.Getenv(need.EnvAWS)), awssm.WithPrefix(os.Getenv(envPrefix)))
	if err != nil {
		return err
	}
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for n := range savesOfOne {
				mark := fmt.Sprintf("w%d-%d-%d", number, i, n)
				token := tokenstore.OAuthToken{UserName: "ada", AccessToken: mark, APIDomain: "https://" + mark, RedirectURL: "https://" + mark}
				for tries := 0; ; tries++ {
					_, errs[i] = store.SaveToken(ctx, token)
					if !errors.Is(errs[i], tokenstore.ErrConflict) || tries == 50 {
						break
					}
				}
				if errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
