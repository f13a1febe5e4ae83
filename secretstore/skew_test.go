package secretstore_test

import (
	"context"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// keeper is a service that leaves tombstones where they are, and where a Retire
// may be under way for a while.
type keeper struct {
	driver.Secrets
	window time.Duration
}

func (k *keeper) Unwrap() driver.Secrets                       { return k.Secrets }
func (k *keeper) RetireWindow() time.Duration                  { return k.window }
func (k *keeper) Retire(context.Context, string, string) error { return nil }

// TestClocksThatDiffer deletes a token on a machine whose clock is wrong, and
// saves it again on another. The save waits for as long as the deletion may be
// under way, whatever the tombstone says about its time, and no longer.
func TestClocksThatDiffer(t *testing.T) {
	const window = 15 * time.Second
	for _, c := range []struct {
		name   string
		window time.Duration
		ahead  time.Duration // the deleter's clock
		passed time.Duration // since the deletion
		want   time.Duration
	}{
		{"right", window, 0, 0, window},
		{"ahead", window, time.Minute, 0, window},
		{"behind", window, -time.Minute, 0, window},
		{"far ahead", window, 24 * time.Hour, 0, 0},
		{"deleted long ago", window, 0, time.Hour, 0},
		{"ahead, and no window", 0, time.Minute, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			secrets := &keeper{memory.New(), c.window}
			now := time.Unix(1_700_000_000, 0)
			token := client(tokenstore.OAuthToken{ID: "1", UserName: "fake-user", RefreshToken: "fake-refresh"})
			deleter := open(t, secrets, secretstore.WithClock(func() time.Time { return now.Add(c.ahead) }))
			if _, err := deleter.SaveToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			if err := deleter.DeleteToken(t.Context(), token.ID); err != nil {
				t.Fatal(err)
			}
			now = now.Add(c.passed)
			before := now
			store := open(t, secrets, secretstore.WithClock(func() time.Time { return now }), secretstore.WithRandom(func() float64 { return 0 }),
				secretstore.WithSleep(func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }))
			if saved, err := store.SaveToken(t.Context(), token); err != nil || saved != token {
				t.Errorf("the save gives %v, %v", saved, err)
			}
			if waited := now.Sub(before); waited != c.want {
				t.Errorf("the save waits %v, want %v", waited, c.want)
			}
		})
	}
}
