package enginetest_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

func TestLinearizableEntries(t *testing.T) {
	t.Parallel()
	linearizable(t, secretstore.WithEntries())
}

// TestLinearizableEntriesWithoutAccess is Vault's form.
func TestLinearizableEntriesWithoutAccess(t *testing.T) {
	t.Parallel()
	linearizable(t, secretstore.WithEntries(), secretstore.WithoutAccessIndex())
}

func TestLinearizableDocument(t *testing.T) {
	t.Parallel()
	linearizable(t, secretstore.WithDocument(1))
}

func TestLinearizableDocument16(t *testing.T) {
	t.Parallel()
	linearizable(t, secretstore.WithDocument(16))
}

func TestLinearizableGrowth(t *testing.T) {
	t.Parallel()
	// The root of an index that has grown to thousands of documents needs room of its own.
	linearizableOn(t, growing(t, few(800, 2_000), 0))
}

func linearizable(t *testing.T, form ...secretstore.Option) {
	linearizableOn(t, engineWith(form...))
}

func linearizableOn(t *testing.T, engine enginetest.NewEngine) {
	// Each call yields to others, as a network does.
	secrets := drivertest.Intercept(memory.New(), func(ctx context.Context, _ drivertest.Call, do func(context.Context) error) error {
		runtime.Gosched()
		defer runtime.Gosched()
		return do(ctx)
	})
	operations := few(1_000, 40_000)
	// A service that takes no time needs only short pauses. A search of all tokens would
	// hide keys that the index has lost.
	short := secretstore.WithSleep(func(ctx context.Context, d time.Duration) error {
		time.Sleep(d / 50)
		return ctx.Err()
	})
	conformance.Linearizable(t, func(t testing.TB) tokenstore.Store {
		store, err := engine(secrets, short, secretstore.WithScanLimit(0))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, conformance.LinearizableOptions{Operations: operations})
}
