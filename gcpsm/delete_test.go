package gcpsm_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

func TestRemovalAfterADay(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	r = b.put(`{"tombstone":"1"}`, r)
	retirer, _ := driver.As[driver.Retirer](b.s)
	b.noError(retirer.Retire(t.Context(), "a/x", r))
	if got := b.service.Versions(id); got != 1 {
		t.Errorf("%d versions: those before a tombstone are destroyed at once", got)
	}
	b.clock.Advance(25 * time.Hour)
	b.noError(b.s.Delete(t.Context(), "a/x", r))
	if ids := b.service.IDs(); len(ids) != 0 {
		t.Errorf("there is still %v", ids)
	}
	b.wantAbsent()
	b.put(`{"n":"2"}`, "")
	b.want(`{"n":"2"}`)
	b.wantPut(`{"n":"late"}`, r, driver.ErrConflict)
}

// TestRemovalMeetsACreator creates the name again at every call of a removal: the new
// secret is never removed.
func TestRemovalMeetsACreator(t *testing.T) {
	for _, method := range []string{"AddSecretVersion", "DestroySecretVersion", "GetSecret", "AccessSecretVersion", "DeleteSecret"} {
		b := newBench(t, gcpsmtest.Real())
		tombstone := b.put(`{"tombstone":"1"}`, b.put(`{"n":"1"}`, ""))
		b.clock.Advance(25 * time.Hour)
		other, done := b.another(), false
		b.service.Before(func(m, _ string) {
			if m != method || done {
				return
			}
			done = true
			got, err := other.Get(context.Background(), "a/x")
			if err != nil && !errors.Is(err, driver.ErrNotFound) {
				t.Error(err)
			}
			if _, err := other.Put(context.Background(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: got.Revision}); err != nil {
				t.Errorf("%s: the creator: %v", method, err)
			}
		})
		if err := b.s.Delete(t.Context(), "a/x", tombstone); err != nil && !errors.Is(err, driver.ErrConflict) {
			t.Errorf("%s: %v", method, err)
		}
		if !done {
			t.Errorf("a removal makes no call of %s", method)
		}
		b.clock.Advance(time.Hour)
		b.want(`{"n":"2"}`)
	}
}

func TestMarksThatWereLeftAreRemovedLater(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	b.noError(b.s.Delete(t.Context(), "a/x", b.put(`{}`, "")))
	b.wantAbsent()
	if len(b.service.IDs()) != 1 {
		t.Error("a young secret is removed at once")
	}
	b.clock.Advance(25 * time.Hour)
	repair := b.another()
	for name, err := range repair.List(t.Context(), "") {
		t.Errorf("listed: %s, %v", name, err)
	}
	r, err := repair.Put(t.Context(), driver.Secret{Name: "b", Data: []byte(`{}`)})
	b.noError(err)
	b.noError(repair.Delete(t.Context(), "b", r))
	if ids := b.service.IDs(); !slices.Equal(ids, []string{"b"}) {
		t.Errorf("there is still %v", ids)
	}
}

// TestRemovalLooksAgainAfterARefusal has the deletion of a whole secret refused for the
// quota. Meanwhile a creator uses the name again but stops before the label change, and
// another process replaces its version: neither version is removed.
func TestRemovalLooksAgainAfterARefusal(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"tombstone":"1"}`, "")
	b.clock.Advance(48 * time.Hour)
	creator := b.failing(func(method string, _ any) error {
		if method == "UpdateSecret" {
			return refusal(codes.Unavailable)
		}
		return nil
	})
	other, refused := b.another(), 0
	remover := b.failing(func(method string, _ any) error {
		if method != "DeleteSecret" {
			return nil
		}
		if refused++; refused > 1 {
			return nil
		}
		_, err := creator.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"new"}`)})
		b.wantUnknown("the creator", err)
		got, err := other.Get(t.Context(), "a/x")
		b.noError(err)
		_, err = other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"acknowledged"}`), Revision: got.Revision})
		b.noError(err)
		return refusal(codes.ResourceExhausted)
	})
	b.noError(remover.Delete(t.Context(), "a/x", r))
	if refused == 0 {
		t.Error("nothing was refused")
	}
	b.clock.Advance(2 * time.Hour)
	b.want(`{"n":"acknowledged"}`)
}

// TestRemovalIsTriedAgainAfterARefusal has it refused once, without concurrent writers.
func TestRemovalIsTriedAgainAfterARefusal(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"tombstone":"1"}`, "")
	b.clock.Advance(48 * time.Hour)
	refused := false
	b.s = b.failing(func(method string, _ any) error {
		if method != "DeleteSecret" || refused {
			return nil
		}
		refused = true
		return refusal(codes.ResourceExhausted)
	})
	b.noError(b.s.Delete(t.Context(), "a/x", r))
	if ids := b.service.IDs(); !refused || len(ids) != 0 {
		t.Errorf("there is still %v", ids)
	}
}
