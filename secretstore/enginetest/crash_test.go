package enginetest_test

import (
	"fmt"
	"os"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// engineWith returns the engine with an index of the given form.
func engineWith(form ...secretstore.Option) enginetest.NewEngine {
	return func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
		return secretstore.New(secrets, append(options, form...)...)
	}
}

// long asks for the runs of CI, which take minutes.
var long = os.Getenv("TOKENSTORE_LONG") != ""

// every is the number n of CrashOptions.Every: every n-th call is interrupted.
func every() int {
	if long {
		return 1
	}
	return 6
}

func newMemory(testing.TB) driver.Secrets { return memory.New() }

func TestCrashEntries(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Crash(t, newMemory, engineWith(secretstore.WithEntries()), enginetest.CrashOptions{Every: every()})
}

func TestCrashEntriesWithoutAccess(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Crash(t, newMemory, engineWith(secretstore.WithEntries(), secretstore.WithoutAccessIndex()), enginetest.CrashOptions{Every: every()})
}

func TestCrashDocument(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Crash(t, newMemory, engineWith(secretstore.WithDocument(1)), enginetest.CrashOptions{Every: every(), Fanout: 4})
}

func TestCrashDocument16(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Crash(t, newMemory, engineWith(secretstore.WithDocument(16)), enginetest.CrashOptions{Every: every(), Fanout: 3})
}

// TestCrashBatched uses a service that reads many secrets in one call, and an index
// without access tokens.
func TestCrashBatched(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	batched := func(testing.TB) driver.Secrets { return memory.New().Batched() }
	engine := engineWith(secretstore.WithDocument(1), secretstore.WithoutAccessIndex())
	enginetest.Crash(t, batched, engine, enginetest.CrashOptions{Every: every(), Fanout: 2})
}

// TestCrashRotating uses an index that leaves refresh tokens out, and interrupts the repair
// that makes an index do so.
func TestCrashRotating(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	for name, own := range map[string][]secretstore.Option{"always": {secretstore.WithRotating()}, "later": nil} {
		for _, fanout := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d", name, fanout), func(t *testing.T) {
				form := append([]secretstore.Option{secretstore.WithDocument(fanout), secretstore.WithoutAccessIndex()}, own...)
				options := enginetest.CrashOptions{Every: every(), Rotating: true}
				if own == nil {
					options.Only = []string{"reindex for rotating refresh tokens"}
				}
				enginetest.Crash(t, newMemory, engineWith(form...), options)
			})
		}
	}
}

// TestCrashParallel interrupts the operations that make several calls at the same time. Which
// call is the n-th is not the same in each run.
func TestCrashParallel(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]secretstore.Option{"entries": secretstore.WithEntries(), "document": secretstore.WithDocument(4)} {
		t.Run(name, func(t *testing.T) {
			enginetest.Crash(t, newMemory, engineWith(form, secretstore.WithParallelism(4)), enginetest.CrashOptions{
				Every: every(), Only: []string{"save tokens", "delete tokens", "reindex of a lost index"},
			})
		})
	}
}

// TestCrashOnly interrupts the operation that is named, and no later one.
func TestCrashOnly(t *testing.T) {
	services := 0
	count := func(t testing.TB) driver.Secrets { services++; return newMemory(t) }
	enginetest.Crash(t, count, engineWith(secretstore.WithEntries()), enginetest.CrashOptions{Only: []string{"update of nothing"}})
	if most := 10; services > most { // It makes one call.
		t.Errorf("%d services for one operation of one call", services)
	}
}
