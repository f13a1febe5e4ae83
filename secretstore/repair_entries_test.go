// A repair of an index of entries, while a person breaks one of them.

package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
)

// TestRepairGoesPastAnUnreadableEntry repairs an index of entries, of which a person has
// broken one after the repair has read them all. The others are removed, several at a time,
// and the error names the broken one.
func TestRepairGoesPastAnUnreadableEntry(t *testing.T) {
	ctx, secrets, clock := t.Context(), memory.New(), drivertest.NewClock()
	const tokens = 20
	options := []secretstore.Option{secretstore.WithEntries(), secretstore.WithClock(clock.Now), noWait}
	store := open(t, secrets, options...)
	for i, token := range newTokens(tokens) {
		saved, err := store.SaveToken(ctx, token)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 { // It is removed by hand, and leaves its hints.
			secret, err := secrets.Get(ctx, "tokenstore/tokens/"+saved.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := secrets.Delete(ctx, secret.Name, secret.Revision); err != nil {
				t.Fatal(err)
			}
		}
	}
	clock.Advance(48 * time.Hour)
	broken := ""
	var breaks, joined sync.Once
	var now atomic.Int64
	var severally atomic.Bool
	together := make(chan struct{})
	cleaner := open(t, drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		if !strings.Contains(c.Name, "/index/") {
			return do(ctx)
		}
		if c.Method == drivertest.Put {
			breaks.Do(func() { secrets.Edit(broken, []byte("not an object")) })
			if now.Add(1) > 1 {
				severally.Store(true)
				joined.Do(func() { close(together) })
			}
			defer now.Add(-1)
			select { // A second write joins the first.
			case <-together:
			case <-time.After(10 * time.Second):
			}
		}
		return do(ctx)
	}), append(options, secretstore.WithParallelism(8))...)
	for name, err := range secrets.List(ctx, "tokenstore/index/") {
		if err != nil {
			t.Fatal(err)
		}
		broken = max(broken, name)
	}
	report, err := cleaner.Reindex(ctx, secretstore.ReindexOptions{})
	if !errors.Is(err, driver.ErrUnreadable) || !strings.Contains(fmt.Sprint(err), broken) {
		t.Errorf("Reindex gives %v, which should name %s", err, broken)
	}
	left := 0
	for entry, err := range index.NewEntries(secrets, index.Config{Prefix: "tokenstore/index/"}).All(ctx) {
		if err == nil && len(entry.Hints) > 0 {
			left++
		}
	}
	if left > 3 || report.HintsRemoved < 2*(tokens-1)-1 {
		t.Errorf("%d hints were removed, and %d entries still have one", report.HintsRemoved, left)
	}
	if len(report.Index) == 0 {
		t.Error("the repair ended at the broken entry")
	}
	if !severally.Load() {
		t.Error("the entries were written one by one")
	}
}

// TestRepairMarksWhatIsInTheIndexNow rolls a token back while the repair runs, after the repair
// has read the entry of a key that this token shares with another. The token counts as edited
// until the key is in the index again.
func TestRepairMarksWhatIsInTheIndexNow(t *testing.T) {
	ctx, clock := t.Context(), drivertest.NewClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{UpdatesPerSecond: 0.001})) // So it reads one token at a time.
	options := []secretstore.Option{
		secretstore.WithEntries(), secretstore.WithScanLimit(0), secretstore.WithClock(clock.Now), secretstore.WithSleep(clock.Sleep),
	}
	store := open(t, secrets, options...)
	saves(t, store, client(tokenstore.OAuthToken{ID: "a", UserName: "u1", RefreshToken: "fake-shared"}))
	saved := saves(t, store, client(tokenstore.OAuthToken{ID: "b", UserName: "u2", RefreshToken: "fake-shared"}))
	rolledBack := false
	_, err := open(t, secrets, options...).Reindex(ctx, secretstore.ReindexOptions{Progress: func(done, _ int) {
		if done == 1 {
			saves(t, store, tokenstore.OAuthToken{ID: "b", RefreshToken: "fake-other"})
			rolledBack = secrets.Restore("tokenstore/tokens/b")
		}
	}})
	if err != nil || !rolledBack {
		t.Fatal(rolledBack, err)
	}
	if err := store.DeleteToken(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	finds(t, open(t, secrets, options...), client(tokenstore.OAuthToken{RefreshToken: "fake-shared"}), saved)
}
