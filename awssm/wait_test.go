package awssm_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
)

// underWay is a client whose DeleteSecret has been sent but has not arrived.
type underWay struct {
	awssm.API
	sent *secretsmanager.DeleteSecretInput
}

func (u *underWay) DeleteSecret(_ context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	u.sent = in
	return &secretsmanager.DeleteSecretOutput{}, nil
}

// waiter is a process that saves a token which another has just deleted.
type waiter struct {
	clock *awssmtest.Clock
	slept time.Duration
	after time.Duration // how long it has slept when the deletion arrives; 0: never
	*underWay
}

func (w *waiter) sleep(ctx context.Context, d time.Duration) error {
	if w.slept += d; w.after > 0 && w.slept >= w.after && w.sent != nil {
		in := w.sent
		w.sent = nil
		if _, err := w.API.DeleteSecret(ctx, in); err != nil {
			return err
		}
	}
	return w.clock.Sleep(ctx, d)
}

// TestSaveWaitsNoLongerThanTheDeletion saves a token while its deletion is in progress: the
// save waits until it has arrived, or can no longer arrive.
func TestSaveWaitsNoLongerThanTheDeletion(t *testing.T) {
	for name, c := range map[string]struct{ after, least, most time.Duration }{
		"arrives at once": {time.Millisecond, 0, time.Second},
		"arrives late":    {4 * time.Second, 4 * time.Second, 10 * time.Second},
		"never arrives":   {0, 14 * time.Second, 16 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			clock := awssmtest.NewClock()
			service := awssmtest.New(awssmtest.Real(), clock)
			w := &waiter{clock: clock, after: c.after, underWay: &underWay{API: service}}
			deleter, err1 := awssm.New(w.underWay, awssm.WithClock(clock.Now, clock.Sleep))
			saver, err2 := awssm.New(service, awssm.WithClock(clock.Now, w.sleep))
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			saved, err := deleter.SaveToken(t.Context(), adaptertest.Token("ada"))
			if err == nil {
				err = deleter.DeleteToken(t.Context(), saved.ID)
			}
			if err != nil || w.sent == nil {
				t.Fatal("the deletion is not in progress", err)
			}
			secret := aws.ToString(w.sent.SecretId)
			if again, err := saver.SaveToken(t.Context(), adaptertest.Token("ada")); err != nil || again != saved {
				t.Fatalf("the save gives %v, %v", again, err)
			}
			if w.slept < c.least || w.slept > c.most {
				t.Errorf("the save waited for %v", w.slept)
			}
			if _, scheduled := service.Scheduled(secret); scheduled {
				t.Error("the saved token's secret is scheduled for deletion")
			}
			if !adaptertest.Present(t, saver, adaptertest.Token("ada")) {
				t.Error("the token is not found")
			}
		})
	}
}
