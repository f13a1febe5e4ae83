package enginetest_test

import (
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

func TestBatches(t *testing.T) {
	const size, smaller = 4096, 1000 // An index of the smaller secrets grows.
	batches := 200
	if long {
		batches = 5_000
	}
	limited := memory.WithLimits(driver.Limits{MaxSize: size})
	batched := func(testing.TB) driver.Secrets { return memory.New(limited).Batched() }
	pepper := []byte("fake-pepper")
	// Of so slow a service four tokens are handled at a time.
	slow := memory.WithLimits(driver.Limits{CreatesPerSecond: 0.04, UpdatesPerSecond: 0.02})
	chunks := func(testing.TB) driver.Secrets { return memory.New(slow).Batched() }
	parallel := secretstore.WithParallelism(4)
	for _, c := range []struct {
		name    string
		secrets func(testing.TB) driver.Secrets
		engine  enginetest.NewEngine
		options enginetest.BatchOptions
	}{
		{"entries", newMemory, engineWith(secretstore.WithEntries()), enginetest.BatchOptions{}},
		{"entries without access", newMemory, engineWith(secretstore.WithEntries(), secretstore.WithoutAccessIndex()), enginetest.BatchOptions{WithoutAccessIndex: true}},
		{"document", batched, engineWith(secretstore.WithDocument(1)), enginetest.BatchOptions{MaxSize: size}},
		{"document 16", newMemory, engineWith(secretstore.WithDocument(16)), enginetest.BatchOptions{}},
		{"without access index", batched, engineWith(secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithPepper(pepper)), enginetest.BatchOptions{Pepper: pepper, WithoutAccessIndex: true, MaxSize: size}},
		{"rotating", batched, engineWith(secretstore.WithDocument(1), secretstore.WithRotating()), enginetest.BatchOptions{Rotating: true, MaxSize: size}},
		{"growing", halfFull(batched), growing(t, smaller, 0, parallel), enginetest.BatchOptions{MaxSize: smaller}},
		{"growing, rotating", halfFull(batched), growing(t, smaller, 0, secretstore.WithRotating(), secretstore.WithoutAccessIndex(), parallel), enginetest.BatchOptions{Rotating: true, WithoutAccessIndex: true, MaxSize: smaller}},
		{"in chunks", chunks, engineWith(secretstore.WithDocument(1)), enginetest.BatchOptions{}},
		{"too old", newMemory, engineWith(secretstore.WithEntries()), enginetest.BatchOptions{WriteTime: 15 * time.Second}},
		{"too old document", batched, engineWith(secretstore.WithDocument(1), parallel), enginetest.BatchOptions{WriteTime: 40 * time.Second}},
		{"throttled", newMemory, engineWith(secretstore.WithDocument(4), parallel), enginetest.BatchOptions{Throttled: true}},
		{"parallel entries", newMemory, engineWith(secretstore.WithEntries(), parallel), enginetest.BatchOptions{MaxSize: 0}},
		{"parallel document", batched, engineWith(secretstore.WithDocument(1), parallel), enginetest.BatchOptions{MaxSize: size}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.options.Batches = batches
			enginetest.Batches(t, c.secrets, c.engine, c.options)
		})
	}
}
