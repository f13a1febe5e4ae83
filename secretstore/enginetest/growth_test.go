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
func growing(t *testing.T, size, writes int, more ...secretstore.Option) enginetest.NewEngine {
	grown := new(atomic.Int64)
	t.Cleanup(func() {
		if t.Logf("the index grew %d times", grown.Load()); grown.Load() == 0 {
			t.Error("the index never grew")
		}
	})
	return func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
		form := append([]secretstore.Option{secretstore.WithDocument(1)}, more...)
		return secretstore.New(small{secrets, size, grown, writes}, append(options, form...)...)
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
	enginetest.Model(t, halfFull(newConsole), growing(t, 1000, 90), enginetest.ModelOptions{Service: consoleService(), Operations: 4 * operations()})
}

// halfFull returns services that have such a root.
func halfFull(newSecrets func(testing.TB) driver.Secrets) func(testing.TB) driver.Secrets {
	return func(t testing.TB) driver.Secrets {
		secrets := newSecrets(t)
		root := fmt.Sprintf(`{"epoch":"1","fanout":"1","generation":"1","other":"%s"}`, strings.Repeat("x", 450))
		if _, err := secrets.Put(t.Context(), driver.Secret{Name: "tokenstore/index/root", Data: []byte(root)}); err != nil {
			t.Fatal(err)
		}
		return secrets
	}
}

// The tests of everything have an index that grows, leaves refresh and access tokens out,
// and is read and written by several calls at a time. Each is tested alone elsewhere.

func TestModelOfEverything(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, halfFull(newBatched), growing(t, 1000, 90, secretstore.WithoutAccessIndex(), secretstore.WithParallelism(4)),
		enginetest.ModelOptions{Service: consoleService(), Operations: 4 * operations(), WithoutAccessIndex: true, Rotating: true})
}

func TestCrashOfEverything(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	engine := growing(t, 360, 0, secretstore.WithoutAccessIndex(), secretstore.WithRotating(), secretstore.WithParallelism(4))
	enginetest.Crash(t, newMemory, engine, enginetest.CrashOptions{Every: every(), Fanout: 16, Rotating: true})
}

// TestSchedulesOfEverything has one of the two processes open the store without the option
// that created it, as in TestSchedulesRotating. Schedules make one call at a time.
func TestSchedulesOfEverything(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Schedules(t, growing(t, 330, 0), enginetest.ScheduleOptions{
		Full: *fullSchedules, Switches: *switches, Threes: *threes, Seed: 1, Rotating: true,
		Own: func(process string) []secretstore.Option {
			if process[0] == 's' || process == "p1" {
				return []secretstore.Option{secretstore.WithRotating()}
			}
			return nil
		},
	})
}
