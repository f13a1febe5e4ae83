package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
	"example.com/tokenstore/vault"
)

// suite is the adapter with the kind of index that its users have, on its own mount.
func suite(t *testing.T) enginetest.Suite {
	client := newClient(t)
	mount := newMount(t, client, "2")
	return enginetest.Suite{
		New: newBelow(client, mount), Engine: entries,
		Service: enginetest.Service{
			Handle: again(client, mount),
			Edit: func(ctx context.Context, s driver.Secrets, name string, data []byte) error {
				first, ok := driver.As[*below](s)
				if !ok {
					return errForeign
				}
				err := edit(ctx, client.KVv2(mount), first.folder+name, data)
				if errors.Is(err, errors.ErrUnsupported) {
					// The nearest that a person can do: an object without a token's fields.
					err = edit(ctx, client.KVv2(mount), first.folder+name, []byte(`{"remark":"fake"}`))
				}
				return err
			},
			PutBack: func(ctx context.Context, s driver.Secrets, older driver.Secret) error {
				first, ok := driver.As[*below](s)
				if !ok {
					return errForeign
				}
				older.Name = first.folder + older.Name
				return putBack(ctx, client.KVv2(mount), older)
			},
		},
	}
}

// TestModel does random operations with restarts, deaths, a lost index and a person's
// edits in Vault's UI.
func TestModel(t *testing.T) {
	t.Parallel() // It waits for the server most of the time.
	s := suite(t)
	s.ModelOptions.WithoutAccessIndex = true
	s.ModelOptions.Operations = max(100, wantedOperations()/100)
	s.Model(t)
}

// TestLinearizableSuite covers what TestLinearizable leaves out: tokens without a user,
// and their adoption.
func TestLinearizableSuite(t *testing.T) {
	t.Parallel() // It waits for the server most of the time.
	s := suite(t)
	s.LinearizableOptions.Operations = max(400, wantedOperations()/40)
	s.Linearizable(t)
}

// putBack rolls a secret back to the version with the data. If Vault no longer has one,
// it writes the data as a person does from a backup of that version.
func putBack(ctx context.Context, kv *api.KVv2, older driver.Secret) error {
	var want map[string]any
	if err := json.Unmarshal(older.Data, &want); err != nil {
		return err
	}
	versions, err := kv.GetVersionsAsList(ctx, older.Name)
	if err != nil && !errors.Is(err, api.ErrSecretNotFound) {
		return err
	}
	for _, v := range versions {
		had, err := kv.GetVersion(ctx, older.Name, v.Version)
		if err != nil {
			continue
		}
		fields := maps.Clone(had.Data)
		maps.DeleteFunc(fields, func(name string, _ any) bool { return strings.HasPrefix(name, driver.Reserved) })
		if !reflect.DeepEqual(fields, want) || had.Data[driver.Reserved+"version"] == nil {
			continue
		}
		if _, err := kv.Rollback(ctx, older.Name, v.Version); err == nil {
			return nil
		}
	}
	want[driver.Reserved+"version"] = "0"
	_, err = kv.Put(ctx, older.Name, want)
	return err
}

var errForeign = errors.New("these secrets are not of this test")

// TestCrash interrupts every operation on the real server: some at every second call,
// all at every fortieth. In memory the suite interrupts every call of every operation;
// here that takes 600,000 requests, and TOKENSTORE_LONG.
func TestCrash(t *testing.T) {
	s := suite(t)
	crash := func(name string, options enginetest.CrashOptions) {
		s := s
		s.CrashOptions = options
		t.Run(name, func(t *testing.T) {
			t.Parallel() // It waits for the server most of the time.
			s.Crash(t)
		})
	}
	var options, some enginetest.CrashOptions
	some.Only = []string{"insert", "update", "rotation", "adoption by refresh token", "delete"}
	if testing.Short() {
		some.Only, some.Every = []string{"insert", "update", "delete"}, 4
		crash("some", some)
		return
	}
	if os.Getenv("TOKENSTORE_LONG") == "" {
		options.Every, some.Every = 40, 2
		crash("some", some)
	}
	crash("all", options)
}

func entries(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
	return secretstore.New(secrets, append([]secretstore.Option{secretstore.WithEntries(), secretstore.WithoutAccessIndex()}, options...)...)
}

// below is a driver whose names are all below its own folder: the suites ask for a new,
// empty service thousands of times.
type below struct {
	secrets interface {
		driver.Secrets
		driver.Retirer
		driver.Limited
	}
	folder string
}

var folders atomic.Int64

func newBelow(client *api.Client, mount string) func(testing.TB) driver.Secrets {
	return func(t testing.TB) driver.Secrets {
		return on(newSecrets(t, client, vault.WithMount(mount)), fmt.Sprintf("site-%d/", folders.Add(1)))
	}
}

func on(secrets driver.Secrets, folder string) *below {
	return &below{secrets.(interface {
		driver.Secrets
		driver.Retirer
		driver.Limited
	}), folder}
}

// again returns the same secrets as another process sees them.
func again(client *api.Client, mount string) func(driver.Secrets) (driver.Secrets, error) {
	return func(s driver.Secrets) (driver.Secrets, error) {
		secrets, err := vault.NewSecrets(client, vault.WithMount(mount))
		if err != nil {
			return nil, err
		}
		first, ok := driver.As[*below](s)
		if !ok {
			return nil, errForeign
		}
		return on(secrets, first.folder), nil
	}
}

func (b *below) Get(ctx context.Context, name string) (driver.Secret, error) {
	s, err := b.secrets.Get(ctx, b.folder+name)
	s.Name = strings.TrimPrefix(s.Name, b.folder)
	return s, err
}

func (b *below) Put(ctx context.Context, s driver.Secret) (string, error) {
	s.Name = b.folder + s.Name
	return b.secrets.Put(ctx, s)
}

func (b *below) Delete(ctx context.Context, name, revision string) error {
	return b.secrets.Delete(ctx, b.folder+name, revision)
}

func (b *below) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range b.secrets.List(ctx, b.folder+prefix) {
			if !yield(strings.TrimPrefix(name, b.folder), err) {
				return
			}
		}
	}
}

func (b *below) Retire(ctx context.Context, name, revision string) error {
	return b.secrets.Retire(ctx, b.folder+name, revision)
}

func (b *below) RetireWindow() time.Duration { return b.secrets.RetireWindow() }

func (b *below) Limits() driver.Limits { return b.secrets.Limits() }
