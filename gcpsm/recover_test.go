package gcpsm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// delay is the version-destroy-ttl of these tests.
const delay = 48 * time.Hour

// delays sets the delay on a secret, as an operator does.
func delays(t *testing.T, service *gcpsmtest.Service, id string) {
	t.Helper()
	_, err := service.UpdateSecret(t.Context(), &secretmanagerpb.UpdateSecretRequest{
		Secret:     &secretmanagerpb.Secret{Name: "projects/test-project/secrets/" + id, VersionDestroyTtl: durationpb.New(delay)},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"version_destroy_ttl"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) recovers(s driver.Secrets) (string, error) {
	recoverer, _ := driver.As[driver.Recoverer](s)
	data, err := recoverer.Recover(b.Context(), "a/x")
	return string(data), err
}

// retires puts a tombstone over the second value of a secret.
func (b *bench) retires(delayed bool) (tombstone string) {
	b.Helper()
	r := b.put(`{"n":"1"}`, "")
	if delayed {
		delays(b.T, b.service, id)
	}
	tombstone = b.put(`{"tombstone":"1"}`, b.put(`{"n":"2"}`, r))
	retirer, _ := driver.As[driver.Retirer](b.s)
	b.noError(retirer.Retire(b.Context(), "a/x", tombstone))
	return tombstone
}

// closed fails if a version before the tombstone can be read.
func (b *bench) closed() {
	b.Helper()
	for n := int64(1); n < 3; n++ {
		if _, err := b.older(b.Context(), id, n); err == nil {
			b.Errorf("version %d of a deleted secret is enabled", n)
		}
	}
}

// TestRecoverDuringTheDelay brings back the last value only, again and again, also on a
// service whose states change late.
func TestRecoverDuringTheDelay(t *testing.T) {
	late := gcpsmtest.Real()
	late.StatesLate = 10 * time.Second
	for _, config := range []gcpsmtest.Config{gcpsmtest.Real(), late} {
		b := newBench(t, config)
		b.retires(true)
		for _, s := range []driver.Secrets{b.s, b.another(), b.s} {
			b.clock.Advance(time.Hour)
			if data, err := b.recovers(s); err != nil || data != `{"n":"2"}` {
				t.Fatalf("%s, %v", data, err)
			}
			b.clock.Advance(time.Minute)
			b.closed()
			b.want(`{"tombstone":"1"}`)
		}
		b.clock.Advance(delay)
		if got := b.service.Versions(id); got != 1 {
			t.Errorf("%d versions after the delay", got)
		}
		if _, err := b.recovers(b.s); !errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), "is over") {
			t.Errorf("after the delay: %v", err)
		}
	}
}

// TestTheRepairWaitsForTheDelay: it marks the secret, and removes it when nothing is kept.
func TestTheRepairWaitsForTheDelay(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	tombstone := b.retires(true)
	b.clock.Advance(25 * time.Hour)
	b.noError(b.s.Delete(t.Context(), "a/x", tombstone))
	b.wantAbsent()
	if data, err := b.recovers(b.another()); err != nil || data != `{"n":"2"}` {
		t.Errorf("%s, %v", data, err)
	}
	b.closed()
	b.clock.Advance(delay + time.Hour)
	for range b.s.List(t.Context(), "") { // It sees the mark.
		t.Error("a deleted secret is listed")
	}
	r, err := b.s.Put(t.Context(), driver.Secret{Name: "b", Data: []byte(`{}`)})
	b.noError(err)
	b.noError(b.s.Delete(t.Context(), "b", r))
	for _, left := range b.service.IDs() {
		if left == id {
			t.Error("the secret is still there after the delay")
		}
	}
}

// TestRecoverSaysWhyNot where there was no delay, or no secret.
func TestRecoverSaysWhyNot(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	if _, err := b.recovers(b.s); !errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("no secret: %v", err)
	}
	b.retires(false)
	if _, err := b.recovers(b.s); !errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), "version-destroy-ttl") {
		t.Errorf("no delay: %v", err)
	}
	b = newBench(t, gcpsmtest.Real())
	b.retires(true)
	b.s = b.failing(func(method string, _ any) error {
		if method == "EnableSecretVersion" {
			return refusal(codes.PermissionDenied)
		}
		return nil
	})
	if _, err := b.recovers(b.s); !errors.Is(err, driver.ErrDenied) || errors.Is(err, driver.ErrNotFound) {
		t.Errorf("denied: %v", err)
	}
	b.closed()
}

// TestUndelete over both of Google's clients: every key finds the token again, at once and in
// every process, and it can be deleted and undeleted again.
func TestUndelete(t *testing.T) {
	for _, rest := range []bool{false, true} {
		ctx, w := t.Context(), newWorld(t, gcpsmtest.Real())
		if rest {
			client, err := w.service.RESTClient(context.WithoutCancel(ctx))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			w.shared = client
		}
		running, err := w.store()
		if err != nil {
			t.Fatal(err)
		}
		saved, err := running.SaveToken(ctx, adaptertest.Token("ada"))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := gcpsm.SecretID(running.SecretName(saved.ID))
		if err != nil {
			t.Fatal(err)
		}
		delays(t, w.service, secret)
		for range 2 {
			if err := running.DeleteToken(ctx, saved.ID); err != nil {
				t.Fatal(err)
			}
			after, err := w.store()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := after.UndeleteToken(ctx, saved.ID); err != nil || back != saved {
				t.Fatalf("rest %v: %v is not what it was: %v", rest, back, err)
			}
			w.clock.Advance(time.Minute)
			for _, s := range []*secretstore.Store{running, after} {
				if !adaptertest.Present(t, s, saved) {
					t.Error("the token is not as it was")
				}
			}
		}
		if _, err := running.UndeleteToken(ctx, saved.ID); !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("of a stored token: %v", err)
		}
	}
}

// delaying creates secrets with a delay.
type delaying struct{ gcpsm.API }

func (d delaying) CreateSecret(ctx context.Context, in *secretmanagerpb.CreateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	in.Secret.VersionDestroyTtl = durationpb.New(delay)
	return d.API.CreateSecret(ctx, in, options...)
}

// TestDriverConformanceWithADelay runs the cases in which versions are destroyed.
func TestDriverConformanceWithADelay(t *testing.T) {
	conformance.Driver(t, func(t testing.TB) driver.Secrets {
		w := newWorld(t, gcpsmtest.Real())
		client, err := w.client()
		if err != nil {
			t.Fatal(err)
		}
		s, err := gcpsm.NewSecrets(delaying{client}, project, w.options()...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, conformance.DriverOnly("recover", "delete*", "retire", "recreate"))
}
