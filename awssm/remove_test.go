package awssm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

const (
	liveData = `{"refresh_token":"1000.fake"}`
	tombData = `{"generation":"7","deleted":"1"}`
)

func (b *bench) retire(name, revision string) {
	b.Helper()
	if err := b.secrets.Retire(b.Context(), name, revision); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) wantScheduled(name string, want bool) {
	b.Helper()
	if _, ok := b.service.Scheduled(name); ok != want {
		b.Fatalf("%s scheduled for deletion: %v", name, ok)
	}
}

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

func TestRetireLeavesWhatIsNotItsOwnFreshTombstone(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", tombData, "")
	other := b.another(b.service)
	if err := other.Retire(t.Context(), "a/x", r); err != nil {
		t.Fatal(err)
	}
	b.wantScheduled("a/x", false)
	b.clock.Advance(retireWithin)
	b.retire("a/x", r)
	b.wantScheduled("a/x", false)

	r = b.put("a/x", tombData, r)
	if err := b.service.Edit("a/x", `{"n":"by hand"}`); err != nil {
		t.Fatal(err)
	}
	b.retire("a/x", r)
	b.wantData("a/x", `{"n":"by hand"}`)
}

// DeleteSecret is never repeated: the repetition might meet a secret that
// somebody has taken back.
func TestRetireNeverRepeatsDeleteSecret(t *testing.T) {
	config := awssmtest.Real()
	config.LoseReplies = 1
	b := newBench(t, config)
	b.secrets = b.another(b.service.Client())
	r := b.put("a/x", tombData, "")
	other := b.another(b.service)
	b.service.Before(func(op, _ string) {
		if _, scheduled := b.service.Scheduled("a/x"); scheduled {
			if _, err := other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData)}); err != nil {
				t.Error(err)
			}
		}
	})
	_ = b.secrets.Retire(t.Context(), "a/x", r)
	b.service.Before(nil)
	b.wantData("a/x", liveData)
	if n := b.service.Calls()["DeleteSecret"]; n != 1 {
		t.Fatalf("%d calls of DeleteSecret", n)
	}
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

// Whatever call a creator dies before, what the store deleted stays deleted.
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
		if value, ok := b.service.Value("a/x"); ok && value == liveData {
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

func TestDelete(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", liveData, "")
	r2 := b.put("a/x", `{"n":"2"}`, r)
	if err := b.secrets.Delete(t.Context(), "a/x", r); !errors.Is(err, driver.ErrConflict) {
		t.Fatal(err)
	}
	b.wantData("a/x", `{"n":"2"}`)
	for range 2 {
		if err := b.secrets.Delete(t.Context(), "a/x", r2); err != nil {
			t.Fatal(err)
		}
		b.wantAbsent("a/x")
		b.wantScheduled("a/x", true)
	}
	if err := b.secrets.Delete(t.Context(), "a/none", r2); err != nil {
		t.Fatal(err)
	}
	b.put("a/x", `{"n":"3"}`, "")
	b.wantData("a/x", `{"n":"3"}`)
}

// A creator comes at any moment of a deletion: it conflicts, or what it wrote
// is there at the end.
func TestDeleteNeverDestroysALaterWrite(t *testing.T) {
	for at := 1; at <= 3; at++ {
		for _, force := range []bool{false, true} {
			config := awssmtest.Real()
			config.ForceDelete = 8 * time.Second
			var options []Option
			if force {
				options = append(options, WithForceDelete())
			}
			b := newBench(t, config, options...)
			r := b.put("a/x", tombData, "")
			// The creator has not the patience to outwait a DeleteSecret under way.
			began := b.clock.Now()
			other := b.another(b.service, WithClock(b.clock.Now, func(ctx context.Context, d time.Duration) error {
				if b.clock.Now().Sub(began) > deleteTimeout {
					return context.DeadlineExceeded
				}
				return b.clock.Sleep(ctx, d)
			}))
			calls := 0
			type outcome struct {
				revision string
				err      error
			}
			wrote := outcome{err: errors.New("it never came")}
			b.service.Before(func(string, string) {
				if calls++; calls == at {
					base := r
					if _, err := other.Get(t.Context(), "a/x"); err != nil {
						base = ""
					}
					wrote.revision, wrote.err = other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData), Revision: base})
				}
			})
			err := b.secrets.Delete(t.Context(), "a/x", r)
			b.service.Before(nil)
			switch {
			case wrote.err == nil:
				b.wantData("a/x", liveData)
			case !errors.Is(wrote.err, driver.ErrConflict) && !errors.Is(wrote.err, context.DeadlineExceeded):
				t.Errorf("the creator before call %d: %v", at, wrote.err)
			case err != nil:
				t.Errorf("both failed before call %d: %v", at, err)
			}
		}
	}
}

func TestMarkLeftByACrashIsTakenOver(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	b.put("a/x", string(newMark(b.clock.Now())), "")
	b.wantAbsent("a/x")
	began := b.clock.Now()
	b.put("a/x", liveData, "")
	if waited := b.clock.Now().Sub(began); waited < retireWindow {
		t.Errorf("written over after %v", waited)
	}
	b.wantData("a/x", liveData)

	b.put("a/y", string(newMark(b.clock.Now())), "")
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
