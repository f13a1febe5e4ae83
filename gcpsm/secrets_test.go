package gcpsm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/grpc/codes"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// bench is a driver on a fake service.
type bench struct {
	*testing.T
	*world
	s driver.Secrets
}

func newBench(t *testing.T, config gcpsmtest.Config) *bench {
	t.Helper()
	b := &bench{T: t, world: newWorld(t, config)}
	b.s = b.another()
	return b
}

// another returns a second driver, as in another process.
func (b *bench) another() driver.Secrets {
	b.Helper()
	s, err := b.secrets()
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) put(data, revision string) string {
	b.Helper()
	r, err := b.s.Put(b.Context(), driver.Secret{Name: "a/x", Data: []byte(data), Revision: revision})
	if err != nil {
		b.Fatalf("put: %v", err)
	}
	return r
}

func (b *bench) wantPut(data, revision string, want error) {
	b.Helper()
	if _, err := b.s.Put(b.Context(), driver.Secret{Name: "a/x", Data: []byte(data), Revision: revision}); !errors.Is(err, want) {
		b.Fatalf("put: %v, want %v", err, want)
	}
}

// want reads with a process that knows nothing, and with the first one.
func (b *bench) want(data string) driver.Secret {
	b.Helper()
	var got driver.Secret
	for _, s := range []driver.Secrets{b.another(), b.s} {
		var err error
		if got, err = s.Get(b.Context(), "a/x"); err != nil || string(got.Data) != data {
			b.Fatalf("the secret holds %s, %v; want %s", got.Data, err, data)
		}
	}
	return got
}

func (b *bench) wantAbsent() {
	b.Helper()
	for _, s := range []driver.Secrets{b.another(), b.s} {
		if got, err := s.Get(b.Context(), "a/x"); !errors.Is(err, driver.ErrNotFound) {
			b.Fatalf("the secret holds %s, %v; want not found", got.Data, err)
		}
	}
}

func (b *bench) noError(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

const id = "a--x"

func TestAtMostTwoVersionsArePaidFor(t *testing.T) {
	for _, cold := range []bool{false, true} {
		b := newBench(t, gcpsmtest.Real())
		r := b.put(`{"n":"0"}`, "")
		for n := range 30 {
			b.clock.Advance(time.Hour)
			if cold { // Each save is that of a new process.
				b.s = b.another()
			}
			before := b.service.Calls()["DestroySecretVersion"]
			r = b.put(fmt.Sprintf(`{"n":"%d"}`, n), r)
			if got := b.service.Versions(id); got > 2 {
				t.Fatalf("after save %d there are %d versions", n, got)
			}
			if made := b.service.Calls()["DestroySecretVersion"] - before; made > 1 {
				t.Fatalf("save %d destroys %d times", n, made)
			}
		}
	}
}

func TestManySavesInAShortTimeLeaveNothingForGood(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{}`, "")
	for range 25 {
		b.clock.Advance(time.Second)
		r = b.put(`{}`, r)
	}
	if got := b.service.Versions(id); got != 26 {
		t.Errorf("%d versions: a version replaced just before must be kept", got)
	}
	for range 5 {
		b.clock.Advance(time.Hour)
		b.s = b.another()
		r = b.put(`{}`, r)
	}
	if got := b.service.Versions(id); got > 2 {
		t.Errorf("%d versions are left", got)
	}
}

func TestRepairDestroysWhatSavesHaveLeft(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{}`, "")
	for range 25 {
		b.clock.Advance(time.Second)
		r = b.put(`{}`, r)
	}
	pruner, ok := driver.As[driver.Pruner](b.s)
	if !ok {
		t.Fatal("the driver has no Prune")
	}
	if n, err := pruner.Prune(t.Context(), "a/x"); n != 0 || err != nil {
		t.Errorf("destroyed %d versions replaced just before, %v", n, err)
	}
	b.clock.Advance(time.Hour)
	b.s = b.another()
	pruner, _ = driver.As[driver.Pruner](b.s)
	if n, err := pruner.Prune(t.Context(), "a/x"); n != 25 || err != nil {
		t.Errorf("%d versions destroyed, %v; want 25", n, err)
	}
	if got := b.service.Versions(id); got != 1 {
		t.Errorf("%d versions are left", got)
	}
	b.put(`{"n":"1"}`, r)
	if n, err := pruner.Prune(t.Context(), "a/none"); n != 0 || err != nil {
		t.Errorf("of a secret that is not there: %d, %v", n, err)
	}
}

func TestConsoleEditBetweenReadAndWriteIsNotLost(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	edited := false
	b.service.Before(func(method, _ string) {
		if method == "AddSecretVersion" && !edited {
			edited = true
			if _, err := b.service.Edit(id, `{"n": "by hand"}`); err != nil {
				t.Error(err)
			}
		}
	})
	b.wantPut(`{"n":"2"}`, r, driver.ErrConflict)
	b.put(`{"n":"3"}`, b.want(`{"n": "by hand"}`).Revision)
	b.want(`{"n":"3"}`)
	if got := b.service.Versions(id); got != 3 {
		t.Errorf("%d versions: the one that lost is destroyed", got)
	}
}

func TestAPasteOfTheCurrentVersionCounts(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, b.put(`{"n":"0"}`, ""))
	text, _ := b.service.Value(id)
	if _, err := b.service.Edit(id, text[:6]+"9"+text[7:]); err != nil {
		t.Fatal(err)
	}
	b.wantPut(`{"n":"2"}`, r, driver.ErrConflict)
	b.put(`{"n":"3"}`, b.want(`{"n":"9"}`).Revision)
	b.want(`{"n":"3"}`)
}

// TestWhatAPersonPutsInMayBeOlder adds earlier versions again, with and without the
// driver's fields: until the next save Restored is set, for processes that have seen the
// later version and for those that have not.
func TestWhatAPersonPutsInMayBeOlder(t *testing.T) {
	for _, number := range []int64{1, 2, 3} {
		for _, bare := range []bool{false, true} {
			b := newBench(t, gcpsmtest.Real())
			r := b.put(`{"n":"3"}`, b.put(`{"n":"2"}`, b.put(`{"n":"1"}`, "")))
			if b.want(`{"n":"3"}`).Restored {
				t.Error("what was put is said to be restored")
			}
			text, err := b.older(t.Context(), id, number)
			b.noError(err)
			data := fmt.Sprintf(`{"n":"%d"}`, number)
			if bare {
				text = data
			}
			_, err = b.service.Edit(id, text)
			b.noError(err)
			b.wantPut(`{"n":"lost"}`, r, driver.ErrConflict)
			for _, s := range []driver.Secrets{b.another(), b.s, b.s} {
				got, err := s.Get(t.Context(), "a/x")
				if err != nil || string(got.Data) != data || !got.Restored {
					t.Errorf("version %d, bare %v: %+v, %v", number, bare, got, err)
				}
				r = got.Revision
			}
			b.put(`{"n":"4"}`, r)
			if b.want(`{"n":"4"}`).Restored {
				t.Error("after a save it is still said to be restored")
			}
		}
	}
}

func TestWhatCannotBeReadIsSteppedOver(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	b.put(`{"n":"2"}`, r)
	b.noError(b.service.Disable(id, 2))
	b.clock.Advance(time.Hour)
	got := b.want(`{"n":"1"}`)
	b.put(`{"n":"3"}`, got.Revision)
	b.want(`{"n":"3"}`)
	for n := range 3 {
		_ = b.service.Destroy(id, int64(n+1))
	}
	b.clock.Advance(time.Hour)
	b.wantAbsent()
	b.put(`{"n":"4"}`, "")
	b.want(`{"n":"4"}`)
}

func TestDeniedIsNotAbsent(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	b.put(`{}`, "")
	for _, permissions := range [][]string{{}, {"secretmanager.versions.add"}} {
		client, err := b.service.As(permissions...).Client(t.Context())
		b.noError(err)
		defer client.Close()
		s, err := gcpsm.NewSecrets(client, project, b.options()...)
		b.noError(err)
		for _, name := range []string{"a/x", "a/none"} {
			if _, err := s.Get(t.Context(), name); !errors.Is(err, driver.ErrDenied) || errors.Is(err, driver.ErrNotFound) {
				t.Errorf("get %s: %v", name, err)
			}
			if _, err := s.Put(t.Context(), driver.Secret{Name: name, Data: []byte(`{}`)}); !errors.Is(err, driver.ErrDenied) {
				t.Errorf("put %s: %v", name, err)
			}
		}
	}
	hidden := gcpsmtest.Real()
	hidden.HideMissing = true
	if _, err := newBench(t, hidden).s.Get(t.Context(), "a/none"); !errors.Is(err, driver.ErrDenied) {
		t.Errorf("a service that hides what is missing: %v", err)
	}
}

// TestPrintingTheDriverShowsNoData prints a driver that remembers data.
func TestPrintingTheDriverShowsNoData(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	b.put(`{"n":"hush"}`, "")
	b.want(`{"n":"hush"}`)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" ", b.s)
		fmt.Fprintf(&out, verb+" ", struct{ S any }{b.s})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("driver", "s", b.s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("driver", "s", b.s)
	for _, trace := range []string{"hush", fmt.Sprintf("%x", "hush"), strings.Trim(fmt.Sprint([]byte("hush")), "[]")} {
		if strings.Contains(out.String(), trace) {
			t.Errorf("the data show: %.300s", out.String())
		}
	}
}

func TestErrorsOfTheClientAreReachable(t *testing.T) {
	config := gcpsmtest.Real()
	config.LoseRequests = 1
	b := newBench(t, config)
	_, err := b.s.Get(t.Context(), "a/x")
	var api *apierror.APIError
	if !errors.Is(err, driver.ErrUnavailable) || !tokenstore.Retryable(err) || !errors.As(err, &api) {
		t.Errorf("no answer: %v", err)
	}
	b = newBench(t, gcpsmtest.Real())
	r := b.put(`{}`, "")
	b.wantPut(`{}`, r, nil)
	config = gcpsmtest.Config{Project: "another"}
	_, err = newBench(t, config).s.Get(t.Context(), "a/x")
	if !errors.Is(err, driver.ErrDenied) || tokenstore.Retryable(err) || !errors.As(err, &api) || api.GRPCStatus().Code() != codes.PermissionDenied {
		t.Errorf("denied: %v", err)
	}
}

func TestDamagedDataAreReadAgain(t *testing.T) {
	config := gcpsmtest.Real()
	b := newBench(t, config)
	b.put(`{"n":"1"}`, "")
	config.Damage = 0.3
	b = newBench(t, config)
	r := b.put(`{"n":"1"}`, "")
	for range 20 {
		b.clock.Advance(time.Hour)
		if got, err := b.s.Get(t.Context(), "a/x"); err == nil && (string(got.Data) != `{"n":"1"}` || got.Revision != r) {
			t.Fatalf("damaged data are given out: %s", got.Data)
		} else if err != nil && !errors.Is(err, driver.ErrUnavailable) {
			t.Fatal(err)
		}
	}
}

// TestRESTClient runs cases of the driver's suite over Google's REST client, which has
// other errors.
func TestRESTClient(t *testing.T) {
	config := gcpsmtest.Unpleasant()
	conformance.Driver(t, func(t testing.TB) driver.Secrets {
		w := newWorld(t, config)
		client, err := w.service.RESTClient(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		s, err := gcpsm.NewSecrets(client, project, w.options()...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, conformance.DriverOnly("put-*", "get-*", "delete*", "recreate", "aba", "retire*", "cancelled", "deadline", "data-l*", "list-deleted"),
		conformance.DriverSettle(func(context.Context) error { return nil }))
}

// TestAnotherSecretOfTheSameName deletes the secret between a read and the write, and
// creates it again up to the same version number.
func TestAnotherSecretOfTheSameName(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	replaced := false
	b.service.Before(func(method, _ string) {
		if method != "AddSecretVersion" || replaced {
			return
		}
		replaced = true
		b.clock.Advance(6 * time.Second)
		b.noError(b.service.Remove(id))
		_, err := b.another().Put(context.Background(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"new"}`)})
		b.noError(err)
	})
	b.wantPut(`{"n":"2"}`, r, driver.ErrConflict)
	b.want(`{"n":"new"}`)
	b.clock.Advance(30 * time.Second)
	b.wantPut(`{"n":"2"}`, r, driver.ErrConflict)
	b.want(`{"n":"new"}`)
}
