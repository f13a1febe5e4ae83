package enginetest_test

import (
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// operations is how many random operations there are of each kind.
func operations() int {
	if long {
		return 20_000
	}
	return 500
}

func TestModelEntries(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newMemory, engineWith(secretstore.WithEntries()), enginetest.ModelOptions{Operations: operations()})
}

func TestModelDocument(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newMemory, engineWith(secretstore.WithDocument(1)), enginetest.ModelOptions{Operations: operations()})
}

func TestModelDocument16(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newMemory, engineWith(secretstore.WithDocument(16)), enginetest.ModelOptions{Operations: operations()})
}

func TestModelBatched(t *testing.T) {
	t.Parallel()
	pepper := []byte("fake-pepper")
	batched := func(testing.TB) driver.Secrets { return memory.New().Batched() }
	engine := engineWith(secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithPepper(pepper))
	enginetest.Model(t, batched, engine, enginetest.ModelOptions{Operations: operations(), Pepper: pepper, WithoutAccessIndex: true})
}
