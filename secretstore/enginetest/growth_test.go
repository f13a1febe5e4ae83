package enginetest_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// small is a service whose secrets hold little more than one token, so that an index of
// documents grows after two or three tokens.
type small struct {
	driver.Secrets
	size   int
	grown  *atomic.Int64 // counts the changes of the fan-out
	writes int           // per day
}

func (s small) Unwrap() driver.Secrets { return s.Secrets }
func (s small) Limits() driver.Limits {
	return driver.Limits{MaxSize: s.size, WritesPerDay: s.writes}
}

func (s small) Put(ctx context.Context, secret driver.Secret) (string, error) {
	if err := driver.CheckSize(len(secret.Data), s.size); err != nil {
		return "", err
	}
	if bytes.Contains(secret.Data, []byte(`"next":`)) {
		s.grown.Add(1)
	}
	return s.Secrets.Put(ctx, secret)
}

// growing returns the engine over such a service, with an index that begins with one
// document. The test fails if the index never grows.
func growing(t *testing.T, size, writes int) enginetest.NewEngine {
	grown := new(atomic.Int64)
	t.Cleanup(func() {
		if t.Logf("the index grew %d times", grown.Load()); grown.Load() == 0 {
			t.Error("the index never grew")
		}
	})
	return func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
		return secretstore.New(small{secrets, size, grown, writes}, append(options, secretstore.WithDocument(1))...)
	}
}

func TestSchedulesGrowth(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Schedules(t, growing(t, 290, 0), enginetest.ScheduleOptions{Full: *fullSchedules, Switches: *switches, Threes: *threes, Seed: 1})
}

func TestCrashGrowth(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Crash(t, newMemory, growing(t, 360, 0), enginetest.CrashOptions{Every: every(), Fanout: 16})
}

// TestModelGrowth begins with a root that is half full of a field that the engine does not
// know, so that the index grows early although its documents have room for the many rows
// that the model gives one key.
func TestModelGrowth(t *testing.T) {
	t.Parallel()
	halfFull := func(t testing.TB) driver.Secrets {
		secrets := newConsole(t)
		root := fmt.Sprintf(`{"epoch":"1","fanout":"1","generation":"1","other":"%s"}`, strings.Repeat("x", 450))
		if _, err := secrets.Put(t.Context(), driver.Secret{Name: "tokenstore/index/root", Data: []byte(root)}); err != nil {
			t.Fatal(err)
		}
		return secrets
	}
	enginetest.Model(t, halfFull, growing(t, 1000, 90), enginetest.ModelOptions{Service: consoleService(), Operations: 4 * operations()})
}
