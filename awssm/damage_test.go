package awssm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// localStack returns a service that behaves like LocalStack.
func localStack() awssmtest.Config {
	return awssmtest.Config{LocalStack: true, ReserveNames: true, RequestTokens: true, Latency: time.Millisecond}
}

// emulator returns a client whose endpoint is not AWS.
func (b *bench) emulator(options ...func(*secretsmanager.Options)) *secretsmanager.Client {
	return b.service.Client(append([]func(*secretsmanager.Options){func(o *secretsmanager.Options) {
		o.BaseEndpoint = aws.String("http://127.0.0.1:4566")
	}}, options...)...)
}

// onEmulator returns a bench whose driver talks to an emulator.
func onEmulator(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, localStack())
	b.secrets = b.another(b.emulator())
	return b
}

// A secret that has lost its current version is neither absent nor empty.
func TestSecretWithoutCurrentVersionIsDamaged(t *testing.T) {
	b := onEmulator(t)
	names := []string{"a/x", "a/y", "a/z"}
	for _, name := range names {
		b.put(name, `{"n":"2"}`, b.put(name, `{"n":"1"}`, ""))
	}
	b.service.Damage("a/x")
	one, err := b.secrets.Get(t.Context(), "a/x")
	if err != nil || one.Revision == "" || len(one.Data) != 0 {
		t.Errorf("%q, revision %q, %v", one.Data, one.Revision, err)
	}
	all, err := b.secrets.GetBatch(t.Context(), names)
	if err != nil || len(all) != len(names) {
		t.Fatalf("%d secrets, %v", len(all), err)
	}
	for _, s := range all {
		if want := map[bool]string{true: "", false: `{"n":"2"}`}[s.Name == "a/x"]; string(s.Data) != want {
			t.Errorf("%s holds %q", s.Name, s.Data)
		}
	}
	// So does a role that may not describe the secret.
	reader := b.another(b.service.As("secretsmanager:GetSecretValue"))
	if _, err := reader.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrUnreadable) {
		t.Errorf("a reader gets %v", err)
	}
}

// Of all processes that repair a damaged secret one wins, and its version stays.
func TestDamagedSecretIsMendedOnce(t *testing.T) {
	for _, revision := range []string{"", noCurrent} {
		b := onEmulator(t)
		b.put("a/x", `{"n":"2"}`, b.put("a/x", `{"n":"1"}`, ""))
		b.service.Damage("a/x")
		var mu sync.Mutex
		var won []string
		var wg sync.WaitGroup
		for i := range 6 {
			// The clock stands still, however long others wait: no lock expires while its
			// process is still using it (TestSlowMendDestroysNothing has that).
			s := b.another(b.emulator(), WithClock(b.clock.Now, func(ctx context.Context, _ time.Duration) error {
				time.Sleep(time.Millisecond)
				return ctx.Err()
			}))
			data := fmt.Sprintf(`{"n":"by %d"}`, i)
			wg.Go(func() {
				err := driver.ErrUnavailable
				for tries := 0; errors.Is(err, driver.ErrUnavailable) && tries < 10_000; tries++ {
					_, err = s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(data), Revision: revision})
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, data)
				case !errors.Is(err, driver.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("with revision %q %d have won", revision, len(won))
		}
		b.wantData("a/x", won[0])
		b.put("a/x", `{"n":"3"}`, b.get("a/x").Revision)
	}
}

// A process stalls before each call of a repair, while another repairs the secret and
// writes to it: the stalled one destroys nothing.
func TestSlowMendDestroysNothing(t *testing.T) {
	for call := 1; call <= 6; call++ {
		b := onEmulator(t)
		b.put("a/x", `{"n":"2"}`, b.put("a/x", `{"n":"1"}`, ""))
		b.service.Damage("a/x")
		other, n, written := b.another(b.emulator()), 0, false
		b.service.Before(func(op, _ string) {
			if n++; n != call {
				return
			}
			if op == "DeleteSecret" {
				b.clock.Advance(deleteTimeout) // It is given up then.
			} else {
				b.clock.Advance(time.Hour)
			}
			if _, err := other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData), Revision: noCurrent}); err == nil {
				written = true
			}
		})
		_, err := b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"late"}`), Revision: noCurrent})
		b.service.Before(nil)
		switch {
		case written && err != nil:
			b.wantData("a/x", liveData)
		case !written && err == nil:
			b.wantData("a/x", `{"n":"late"}`)
		default:
			t.Errorf("before call %d: the other has written: %v, the sleeper: %v", call, written, err)
		}
	}
}

// A process that ends during a repair delays the others, but not forever.
func TestMendAfterACrash(t *testing.T) {
	b := onEmulator(t)
	b.put("a/x", `{"n":"2"}`, b.put("a/x", `{"n":"1"}`, ""))
	b.service.Damage("a/x")
	if held, err := b.secrets.lock(t.Context(), lockName("a/x"), b.clock.Now()); !held || err != nil {
		t.Fatal(held, err)
	}
	b.wantPut("a/x", `{"n":"3"}`, noCurrent, driver.ErrUnavailable)
	b.clock.Advance(time.Hour)
	b.put("a/x", `{"n":"3"}`, noCurrent)
	b.wantData("a/x", `{"n":"3"}`)
	for name, err := range b.secrets.List(t.Context(), "") {
		if name != "a/x" || err != nil {
			t.Errorf("the listing has %q, %v", name, err)
		}
	}
	if _, ok := b.service.Value(lockName("a/x")); ok {
		t.Error("the lock is left behind")
	}
}

func TestLocksAreNoNamesOfTheStore(t *testing.T) {
	for _, n := range []int{1, 200, maxName - len(lockSuffix), maxName - 1, maxName} {
		name := lockName(strings.Repeat("x", n))
		if _, ours := decodeName(name, nameLabel+name); ours || !allowed.MatchString(name) || arnLike.MatchString(name) {
			t.Errorf("%d: %q", n, name)
		}
	}
}

func TestDamagedSecretIsDeleted(t *testing.T) {
	b := onEmulator(t)
	b.put("a/x", `{"n":"2"}`, b.put("a/x", `{"n":"1"}`, ""))
	r := b.get("a/x").Revision
	b.service.Damage("a/x")
	if err := b.secrets.Delete(t.Context(), "a/x", r); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("deleted by a revision of its good days: %v", err)
	}
	if err := b.secrets.Delete(t.Context(), "a/x", b.get("a/x").Revision); err != nil {
		t.Fatal(err)
	}
	b.wantAbsent("a/x")
	b.put("a/x", `{"n":"1"}`, "")
}

// A damaged secret of the index is treated like a missing one: the repair rebuilds it.
func TestDamagedIndexIsRebuilt(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		b := newBench(t, localStack())
		users := []string{"ada", "bob", "cyd", "dan"}
		store := b.store(b.emulator(), WithFanout(fanout))
		for _, user := range users {
			if _, err := store.SaveToken(t.Context(), adaptertest.Token(user)); err != nil {
				t.Fatal(err)
			}
		}
		for name, err := range b.secrets.List(t.Context(), "tokenstore/index/") {
			if err != nil {
				t.Fatal(err)
			}
			b.service.Damage(name)
		}
		store = b.store(b.emulator(), WithFanout(fanout))
		if _, err := store.Reindex(t.Context(), secretstore.ReindexOptions{}); err != nil {
			t.Errorf("fan-out %d: %v", fanout, err)
		}
		for _, user := range users {
			if !adaptertest.Present(t, b.store(b.emulator()), adaptertest.Token(user)) {
				t.Errorf("fan-out %d: %s is not found", fanout, user)
			}
		}
	}
}

// A token whose secret has lost its current version is unreadable; saving it repairs the
// secret, and it can be deleted.
func TestDamagedToken(t *testing.T) {
	b := newBench(t, localStack())
	ids := b.tokens("ada", "bob", "cyd")
	for _, id := range ids {
		b.service.Damage("tokenstore/tokens/" + id)
	}
	fresh := func() *secretstore.Store { return b.store(b.emulator()) }
	if _, err := fresh().FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("a find gives %v", err)
	}
	if saved, err := fresh().SaveToken(t.Context(), adaptertest.Token("ada")); err != nil || saved.ID != ids[0] {
		t.Errorf("saved as %q, not %q: %v", saved.ID, ids[0], err)
	}
	if !adaptertest.Present(t, fresh(), adaptertest.Token("ada")) {
		t.Error("the token that was saved again is not found")
	}
	if err := fresh().DeleteToken(t.Context(), ids[1]); err != nil {
		t.Errorf("deleting one: %v", err)
	}
	if err := fresh().DeleteTokens(t.Context()); err != nil {
		t.Errorf("deleting all: %v", err)
	}
	if all, err := fresh().GetTokens(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}

// A person deletes a damaged secret, and a save uses the name again.
func TestDamagedSecretThatIsScheduledForDeletion(t *testing.T) {
	b := onEmulator(t)
	b.put("a/x", `{"n":"2"}`, b.put("a/x", `{"n":"1"}`, ""))
	b.service.Damage("a/x")
	if err := b.service.Remove("a/x"); err != nil {
		t.Fatal(err)
	}
	b.wantAbsent("a/x")
	b.put("a/x", `{"n":"3"}`, "")
	b.wantData("a/x", `{"n":"3"}`)
}

// tokens stores some, and returns a store whose batches fail as a whole.
func (b *bench) tokens(users ...string) (ids []string) {
	b.Helper()
	store := b.store(b.emulator())
	for _, user := range users {
		saved, err := store.SaveToken(b.Context(), adaptertest.Token(user))
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, saved.ID)
	}
	return ids
}

func (b *bench) store(api API, options ...Option) *secretstore.Store {
	b.Helper()
	store, err := New(api, append([]Option{WithClock(b.clock.Now, b.clock.Sleep)}, options...)...)
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// A batch that fails as a whole with ResourceNotFoundException says about none of its
// secrets that it is absent: they are listed, found by the check, and stay in the index.
func TestBatchThatFailsAsAWholeIsNoAbsence(t *testing.T) {
	users := []string{"ada", "bob", "cyd", "dan"}
	for name, damage := range map[string]bool{"every batch": false, "one damaged secret": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, localStack())
			ids := b.tokens(users...)
			client := b.emulator()
			want := len(users)
			if damage {
				b.service.Damage("tokenstore/tokens/" + ids[0])
				want--
			} else {
				client = b.emulator(func(o *secretsmanager.Options) {
					o.HTTPClient = &scripted{b.service, "BatchGetSecretValue", slices.Repeat([]string{"ResourceNotFoundException"}, 100)}
				})
			}
			listed := func() {
				t.Helper()
				all, err := b.store(client).GetTokens(t.Context())
				if len(all) != want || errors.Is(err, tokenstore.ErrUnreadable) != damage || !damage && err != nil {
					t.Errorf("%d tokens, %v", len(all), err)
				}
			}
			listed()
			report, err := b.store(client).Check(t.Context())
			if report.Tokens != want || report.HintsRemoved != 0 || err != nil && !damage {
				t.Errorf("the check reports %+v, %v", report, err)
			}
			b.clock.Advance(48 * time.Hour)
			report, err = b.store(client).Reindex(t.Context(), secretstore.ReindexOptions{})
			if report.HintsRemoved != 0 || err != nil && !damage {
				t.Errorf("the repair reports %+v, %v", report, err)
			}
			listed()
			for _, user := range users[len(users)-want:] {
				if !adaptertest.Present(t, b.store(client), adaptertest.Token(user)) {
					t.Errorf("%s is not found", user)
				}
			}
		})
	}
}
