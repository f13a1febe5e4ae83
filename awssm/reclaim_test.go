package awssm

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

func TestRetireSchedulesAndPutTakesBack(t *testing.T) {
	b := newBench(t, awssmtest.Real(), WithRecoveryWindow(9))
	r := b.put("a/x", tombData, b.put("a/x", liveData, ""))
	b.retire("a/x", r)
	b.wantAbsent("a/x")
	until, ok := b.service.Scheduled("a/x")
	if days := until.Sub(b.clock.Now()).Hours() / 24; !ok || days < 8.9 || days > 9.1 {
		t.Fatalf("scheduled: %v, for %v days", ok, days)
	}
	b.put("a/x", `{"n":"2"}`, "")
	b.wantData("a/x", `{"n":"2"}`)
	b.wantPut("a/x", `{}`, "", driver.ErrConflict)
	b.wantPut("a/x", `{}`, r, driver.ErrConflict)
}

func TestTwoCreatorsTakeBackOneName(t *testing.T) {
	for _, call := range []string{"CreateSecret", "DescribeSecret", "RestoreSecret", "PutSecretValue", "UpdateSecretVersionStage"} {
		b := newBench(t, awssmtest.Real())
		b.retire("a/x", b.put("a/x", tombData, ""))
		other, came := b.another(b.service), false
		var theirs error
		b.service.Before(func(op, _ string) {
			if op == call && !came {
				came = true
				_, theirs = other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData)})
			}
		})
		_, ours := b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"late"}`)})
		switch {
		case theirs == nil && errors.Is(ours, driver.ErrConflict):
			b.wantData("a/x", liveData)
		case ours == nil && errors.Is(theirs, driver.ErrConflict):
			b.wantData("a/x", `{"n":"late"}`)
		default:
			t.Errorf("before %s: %v and %v", call, ours, theirs)
		}
	}
}

// unrestoring is a service to which the first RestoreSecret does not get through.
type unrestoring struct {
	*awssmtest.Service
	lost bool
}

func (u *unrestoring) RestoreSecret(ctx context.Context, in *secretsmanager.RestoreSecretInput, options ...func(*secretsmanager.Options)) (*secretsmanager.RestoreSecretOutput, error) {
	if !u.lost {
		u.lost = true
		return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	return u.Service.RestoreSecret(ctx, in, options...)
}

// TestLostRestoreHidesNoToken: LocalStack writes into a secret that is still scheduled for
// deletion, where AWS refuses. What was put must be there all the same.
func TestLostRestoreHidesNoToken(t *testing.T) {
	for _, emulated := range []bool{false, true} {
		config := awssmtest.Real()
		config.LocalStack = emulated
		b := newBench(t, config)
		b.retire("a/x", b.put("a/x", tombData, b.put("a/x", liveData, "")))
		service := &unrestoring{Service: b.service}
		_, err := b.another(service).Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`)})
		if err != nil || !service.lost {
			t.Errorf("LocalStack %t: %v, lost: %t", emulated, err, service.lost)
		}
		b.wantData("a/x", `{"n":"2"}`)
	}
}

// Whichever call a creator dies before, deleted data stay deleted.
func TestCrashWhileTakingBack(t *testing.T) {
	for crash := 1; ; crash++ {
		b := newBench(t, awssmtest.Real())
		b.retire("a/x", b.put("a/x", tombData, b.put("a/x", liveData, "")))
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		b.service.Before(func(string, string) {
			if calls++; calls == crash {
				cancel()
			}
		})
		// The fake checks the context first, so the call after this one fails.
		_, err := b.secrets.Put(ctx, driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`)})
		b.service.Before(nil)
		cancel()
		if value, ok := b.service.Value("a/x"); ok && string(decode([]byte(value))) == liveData {
			t.Fatalf("a crash after call %d brings the credential back", crash)
		}
		if err == nil {
			return
		}
		if secret, err := b.secrets.Get(t.Context(), "a/x"); err == nil {
			b.put("a/x", `{"n":"3"}`, secret.Revision)
		} else {
			b.put("a/x", `{"n":"3"}`, "")
		}
		b.wantData("a/x", `{"n":"3"}`)
	}
}

func TestSecretDeletedInTheConsoleIsAbsent(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", liveData, "")
	if _, err := b.service.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("a/x")}); err != nil {
		t.Fatal(err)
	}
	b.wantAbsent("a/x")
	b.wantPut("a/x", `{}`, r, driver.ErrConflict)
	got, err := b.secrets.GetBatch(t.Context(), []string{"a/x", "a/y"})
	if err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	b.put("a/x", `{"n":"2"}`, "")
	b.wantData("a/x", `{"n":"2"}`)
}

// A deleter renews its mark while a creator waits for it to finish: the creator waits
// until the new mark is old, too.
func TestCreatorOutwaitsARenewedMark(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	mark := b.mark("a/x", "")
	var renewed time.Time
	creator := b.another(b.service, WithClock(b.clock.Now, func(ctx context.Context, d time.Duration) error {
		if renewed.IsZero() {
			renewed = b.clock.Now()
			b.mark("a/x", mark)
		}
		return b.clock.Sleep(ctx, d)
	}))
	if _, err := creator.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData)}); err != nil {
		t.Fatal(err)
	}
	if waited := b.clock.Now().Sub(renewed); waited < retireWindow {
		t.Errorf("overwritten %v after it was renewed", waited)
	}
	b.wantData("a/x", liveData)
}

func TestMarkLeftByACrashIsTakenOver(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	b.mark("a/x", "")
	b.wantAbsent("a/x")
	began := b.clock.Now()
	b.put("a/x", liveData, "")
	if waited := b.clock.Now().Sub(began); waited < retireWindow {
		t.Errorf("overwritten after %v", waited)
	}
	b.wantData("a/x", liveData)

	b.mark("a/y", "")
	b.clock.Advance(time.Hour)
	began = b.clock.Now()
	b.put("a/y", liveData, "")
	if waited := b.clock.Now().Sub(began); waited > time.Second {
		t.Errorf("an old mark made a creator wait %v", waited)
	}
}

func TestForcedDeletionThenCreate(t *testing.T) {
	config := awssmtest.Real()
	config.ForceDelete = 8 * time.Second
	b := newBench(t, config, WithForceDelete())
	b.retire("a/x", b.put("a/x", tombData, ""))
	b.wantAbsent("a/x")
	b.put("a/x", liveData, "")
	b.wantData("a/x", liveData)
}

func TestForcedDeletionThatNeverEnds(t *testing.T) {
	config := awssmtest.Real()
	config.ForceDelete = time.Hour
	b := newBench(t, config, WithForceDelete())
	b.retire("a/x", b.put("a/x", tombData, ""))
	b.wantPut("a/x", liveData, "", driver.ErrUnavailable)
}
