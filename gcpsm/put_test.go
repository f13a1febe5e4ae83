package gcpsm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// failing is a client whose writes can be made to fail: a call for which fail returns an
// error is not sent.
type failing struct {
	gcpsm.API
	fail func(method string, in any) error
}

// failing returns a driver with such a client.
func (b *bench) failing(fail func(method string, in any) error) driver.Secrets {
	b.Helper()
	client, err := b.client()
	b.noError(err)
	s, err := gcpsm.NewSecrets(failing{client, fail}, project, b.options()...)
	b.noError(err)
	return s
}

func (f failing) AddSecretVersion(ctx context.Context, in *secretmanagerpb.AddSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	if err := f.fail("AddSecretVersion", in); err != nil {
		return nil, err
	}
	return f.API.AddSecretVersion(ctx, in, options...)
}

func (f failing) CreateSecret(ctx context.Context, in *secretmanagerpb.CreateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	if err := f.fail("CreateSecret", in); err != nil {
		return nil, err
	}
	return f.API.CreateSecret(ctx, in, options...)
}

func (f failing) DestroySecretVersion(ctx context.Context, in *secretmanagerpb.DestroySecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	if err := f.fail("DestroySecretVersion", in); err != nil {
		return nil, err
	}
	return f.API.DestroySecretVersion(ctx, in, options...)
}

func (f failing) EnableSecretVersion(ctx context.Context, in *secretmanagerpb.EnableSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	if err := f.fail("EnableSecretVersion", in); err != nil {
		return nil, err
	}
	return f.API.EnableSecretVersion(ctx, in, options...)
}

func (f failing) UpdateSecret(ctx context.Context, in *secretmanagerpb.UpdateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	if err := f.fail("UpdateSecret", in); err != nil {
		return nil, err
	}
	return f.API.UpdateSecret(ctx, in, options...)
}

func (f failing) DeleteSecret(ctx context.Context, in *secretmanagerpb.DeleteSecretRequest, options ...gax.CallOption) error {
	if err := f.fail("DeleteSecret", in); err != nil {
		return err
	}
	return f.API.DeleteSecret(ctx, in, options...)
}

func refusal(code codes.Code) error { return status.Error(code, "no") }

// wantConflict checks that an error is a conflict, and nothing else.
func (b *bench) wantConflict(err error) {
	b.Helper()
	if !errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrUnavailable) {
		b.Errorf("error: %v, want a conflict", err)
	}
}

// wantUnknown checks that an error says that the outcome is unknown, and matches nothing
// else.
func (b *bench) wantUnknown(what any, err error) {
	b.Helper()
	if !errors.Is(err, driver.ErrUnavailable) || !tokenstore.Retryable(err) {
		b.Errorf("%v: %v, want that the outcome is unknown", what, err)
	}
	for _, other := range []error{driver.ErrThrottled, driver.ErrDenied, driver.ErrConflict, driver.ErrInvalid, driver.ErrNotFound} {
		if errors.Is(err, other) {
			b.Errorf("%v: %v matches %v", what, err, other)
		}
	}
}

// TestOnePassingRefusalDoesNotEndPruning has one destruction fail with an expired access
// token: later saves still destroy what they replace.
func TestOnePassingRefusalDoesNotEndPruning(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	refused := false
	b.s = b.failing(func(method string, _ any) error {
		if method != "DestroySecretVersion" || refused {
			return nil
		}
		refused = true
		return refusal(codes.Unauthenticated)
	})
	r := b.put(`{"n":"0"}`, "")
	for n := range 10 {
		b.clock.Advance(time.Hour)
		r = b.put(fmt.Sprintf(`{"n":"%d"}`, n), r)
	}
	if got := b.service.Versions(id); !refused || got > 2 {
		t.Errorf("%d versions are left", got)
	}
}

// TestTheOriginalOfACurrentCopyIsKept has a person store a copy of an old version, with its
// time. A save over the copy leaves the original, which shows the copy; later ones do not.
func TestTheOriginalOfACurrentCopyIsKept(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	b.clock.Advance(time.Second)
	b.put(`{"n":"2"}`, r)
	b.clock.Advance(time.Hour)
	text, err := b.older(t.Context(), id, 1)
	b.noError(err)
	_, err = b.service.Edit(id, text)
	b.noError(err)
	b.s = b.another()
	r = b.put(`{"n":"3"}`, b.want(`{"n":"1"}`).Revision)
	if got := b.service.Versions(id); got != 4 {
		t.Errorf("%d versions are left, want all 4", got)
	}
	b.clock.Advance(time.Hour)
	b.put(`{"n":"4"}`, r)
	if got := b.service.Versions(id); got != 2 {
		t.Errorf("%d versions are left, want 2", got)
	}
}

// TestARoleThatMayNotDestroyIsAskedOnceAnHour saves with a role that lacks the
// permission: the failing calls are few, and pruning resumes without a new process once
// the role has it.
func TestARoleThatMayNotDestroyIsAskedOnceAnHour(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	asked, lacks := 0, true
	b.s = b.failing(func(method string, _ any) error {
		if method != "DestroySecretVersion" {
			return nil
		}
		asked++
		if lacks {
			return refusal(codes.PermissionDenied)
		}
		return nil
	})
	r := b.put(`{}`, "")
	for range 24 {
		b.clock.Advance(15 * time.Minute)
		r = b.put(`{}`, r)
	}
	if asked == 0 || asked > 6 {
		t.Errorf("in six hours the service was asked %d times", asked)
	}
	lacks = false
	for range 12 {
		b.clock.Advance(time.Hour)
		r = b.put(`{}`, r)
	}
	if got := b.service.Versions(id); got > 2 {
		t.Errorf("%d versions are left", got)
	}
}

// TestACreationWithoutItsLabelIsUnknown uses a name again after a deletion's mark, and the
// label change fails: the data are stored, but a removal in progress may still delete
// them, so the outcome is unknown.
func TestACreationWithoutItsLabelIsUnknown(t *testing.T) {
	for _, code := range []codes.Code{codes.ResourceExhausted, codes.Aborted, codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unavailable} {
		b := newBench(t, gcpsmtest.Real())
		b.noError(b.s.Delete(t.Context(), "a/x", b.put(`{"n":"1"}`, "")))
		b.s = b.failing(func(method string, _ any) error {
			if method == "UpdateSecret" {
				return refusal(code)
			}
			return nil
		})
		_, err := b.s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`)})
		b.wantUnknown(code, err)
		b.want(`{"n":"2"}`)
	}
}

// TestARefusalAfterALostReplyIsUnknown loses the request of an addition in transit, and
// all later ones are refused: the first may still arrive.
func TestARefusalAfterALostReplyIsUnknown(t *testing.T) {
	for _, code := range []codes.Code{codes.ResourceExhausted, codes.PermissionDenied, codes.FailedPrecondition} {
		b := newBench(t, gcpsmtest.Real())
		r := b.put(`{"n":"1"}`, "")
		adds := 0
		b.s = b.failing(func(method string, _ any) error {
			if method != "AddSecretVersion" {
				return nil
			}
			if adds++; adds == 1 {
				return refusal(codes.Unavailable)
			}
			return refusal(code)
		})
		_, err := b.s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: r})
		b.wantUnknown(code, err)
		if adds < 2 {
			t.Errorf("%v: %d additions", code, adds)
		}
		b.want(`{"n":"1"}`)
	}
}

// TestALostAdditionThatArrivesLateIsFound lets it arrive while the last try is refused:
// the write was applied.
func TestALostAdditionThatArrivesLateIsFound(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	client, err := b.client()
	b.noError(err)
	var first *secretmanagerpb.AddSecretVersionRequest
	adds := 0
	b.s = b.failing(func(method string, in any) error {
		if method != "AddSecretVersion" {
			return nil
		}
		switch adds++; adds {
		case 1:
			first, _ = in.(*secretmanagerpb.AddSecretVersionRequest)
			return refusal(codes.Unavailable)
		case 6:
			_, err := client.AddSecretVersion(t.Context(), first)
			b.noError(err)
		}
		return refusal(codes.ResourceExhausted)
	})
	b.put(`{"n":"2"}`, r)
	b.want(`{"n":"2"}`)
}

// TestADestroyedLoserDoesNotHideTheWinner loses the request of an addition, while another
// writer replaces the version. Before the winner's version is a destroyed one. It might be
// the one that got no answer, but that one cannot have won: the winner's has.
func TestADestroyedLoserDoesNotHideTheWinner(t *testing.T) {
	for name, after := range map[string]func(b *bench, revision string){
		"the winner is current":   func(*bench, string) {},
		"the winner was replaced": func(b *bench, revision string) { b.put(`{"n":"4"}`, revision) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, gcpsmtest.Real())
			r := b.put(`{"n":"1"}`, "")
			loser := b.another()
			_, err := loser.Get(t.Context(), "a/x") // It will add its version without a look.
			b.noError(err)
			b.clock.Advance(time.Second) // The quota is two versions a second.
			base, lost := b.put(`{"n":"2"}`, r), false
			b.clock.Advance(time.Second)
			unlucky := b.failing(func(method string, _ any) error {
				if method != "AddSecretVersion" || lost {
					return nil
				}
				lost = true
				_, err := loser.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"late"}`), Revision: r})
				b.wantConflict(err)
				if b.service.Added(id) != 3 {
					t.Error("the loser has added nothing")
				}
				after(b, b.put(`{"n":"3"}`, base))
				return refusal(codes.Unavailable)
			})
			_, err = unlucky.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"mine"}`), Revision: base})
			b.wantConflict(err)
		})
	}
}

// TestALostAdditionThatWonAndIsDestroyedIsUnknown loses the request of an addition, which
// arrives late and wins. It is replaced, and a deletion destroys all that could show it: the
// second addition has lost, but what became of the write is unknown.
func TestALostAdditionThatWonAndIsDestroyedIsUnknown(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	client, err := b.client()
	b.noError(err)
	var first *secretmanagerpb.AddSecretVersionRequest
	adds, deleted := 0, false
	unlucky := b.failing(func(method string, in any) error {
		if method != "AddSecretVersion" {
			return nil
		}
		switch adds++; adds {
		case 1:
			first, _ = in.(*secretmanagerpb.AddSecretVersionRequest)
			return refusal(codes.Unavailable)
		case 2:
			b.clock.Advance(time.Second) // The quota is two versions a second.
			_, err := client.AddSecretVersion(t.Context(), first)
			b.noError(err)
			b.clock.Advance(time.Second)
			replaced := b.put(`{"n":"3"}`, b.want(`{"n":"mine"}`).Revision)
			b.clock.Advance(10 * time.Second)
			b.service.Before(func(method, _ string) {
				if method == "AccessSecretVersion" && !deleted {
					deleted = true
					b.noError(b.s.Delete(t.Context(), "a/x", replaced))
				}
			})
		}
		return nil
	})
	_, err = unlucky.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"mine"}`), Revision: r})
	b.wantUnknown("the write", err)
	if adds != 2 || !deleted {
		t.Errorf("%d additions; deleted: %v", adds, deleted)
	}
}

// TestACopyIsRecognizedWhenItsOriginalIsDestroyed has a person store a copy of the version
// that a writer is replacing, and then destroy the original: the copy is current, and the
// writer has lost.
func TestACopyIsRecognizedWhenItsOriginalIsDestroyed(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	r := b.put(`{"n":"1"}`, "")
	text, err := b.older(t.Context(), id, 1)
	b.noError(err)
	destroyed := false
	writer := b.failing(func(method string, _ any) error {
		if method != "AddSecretVersion" {
			return nil
		}
		_, err := b.service.Edit(id, text)
		b.noError(err)
		b.service.Before(func(method, _ string) {
			if method == "AccessSecretVersion" && !destroyed {
				destroyed = true
				b.noError(b.service.Destroy(id, 1))
			}
		})
		b.clock.Advance(time.Minute)
		return nil
	})
	_, err = writer.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"mine"}`), Revision: r})
	b.wantConflict(err)
	b.want(`{"n":"1"}`)
}
