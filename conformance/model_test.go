package conformance_test

import (
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
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
	conformance.Model(t, newMemory, engineWith(tokenstore.WithEntries()), conformance.ModelOptions{Operations: operations()})
}

func TestModelDocument(t *testing.T) {
	t.Parallel()
	conformance.Model(t, newMemory, engineWith(tokenstore.WithDocument(1)), conformance.ModelOptions{Operations: operations()})
}

func TestModelDocument16(t *testing.T) {
	t.Parallel()
	conformance.Model(t, newMemory, engineWith(tokenstore.WithDocument(16)), conformance.ModelOptions{Operations: operations()})
}

func TestModelBatched(t *testing.T) {
	t.Parallel()
	pepper := []byte("fake-pepper")
	batched := func(testing.TB) driver.Secrets { return memory.New().Batched() }
	engine := engineWith(tokenstore.WithDocument(1), tokenstore.WithoutAccessIndex(), tokenstore.WithPepper(pepper))
	conformance.Model(t, batched, engine, conformance.ModelOptions{Operations: operations(), Pepper: pepper, WithoutAccessIndex: true})
}
