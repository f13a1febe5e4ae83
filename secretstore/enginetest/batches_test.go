package enginetest_test

import (
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

func TestBatches(t *testing.T) {
	const size = 4096
	batches := 200
	if long {
		batches = 5_000
	}
	limited := memory.WithLimits(driver.Limits{MaxSize: size})
	batched := func(testing.TB) driver.Secrets { return memory.New(limited).Batched() }
	pepper := []byte("fake-pepper")
	for _, c := range []struct {
		name    string
		secrets func(testing.TB) driver.Secrets
		engine  enginetest.NewEngine
		options enginetest.BatchOptions
	}{
		{"entries", newMemory, engineWith(secretstore.WithEntries()), enginetest.BatchOptions{}},
		{"document", batched, engineWith(secretstore.WithDocument(1)), enginetest.BatchOptions{MaxSize: size}},
		{"document 16", newMemory, engineWith(secretstore.WithDocument(16)), enginetest.BatchOptions{}},
		{"without access index", batched, engineWith(secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithPepper(pepper)), enginetest.BatchOptions{Pepper: pepper, WithoutAccessIndex: true, MaxSize: size}},
		{"rotating", batched, engineWith(secretstore.WithDocument(1), secretstore.WithRotating()), enginetest.BatchOptions{Rotating: true, MaxSize: size}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.options.Batches = batches
			enginetest.Batches(t, c.secrets, c.engine, c.options)
		})
	}
}
