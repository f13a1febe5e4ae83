package enginetest_test

import (
	"testing"

	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// operations is the number of random operations of each kind.
func operations() int {
	if long {
		return 20_000
	}
	return 500
}

func TestModelEntries(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newConsole, engineWith(secretstore.WithEntries()), enginetest.ModelOptions{Service: consoleService(), Operations: operations()})
}

// TestModelEntriesWithoutAccess is Vault's form.
func TestModelEntriesWithoutAccess(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newConsole, engineWith(secretstore.WithEntries(), secretstore.WithoutAccessIndex()),
		enginetest.ModelOptions{Service: consoleService(), Operations: operations(), WithoutAccessIndex: true})
}

func TestModelDocument(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newConsole, engineWith(secretstore.WithDocument(1)), enginetest.ModelOptions{Service: consoleService(), Operations: operations()})
}

func TestModelDocument16(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newConsole, engineWith(secretstore.WithDocument(16)), enginetest.ModelOptions{Service: consoleService(), Operations: operations()})
}

func TestModelBatched(t *testing.T) {
	t.Parallel()
	pepper := []byte("fake-pepper")
	engine := engineWith(secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithPepper(pepper))
	enginetest.Model(t, newBatched, engine, enginetest.ModelOptions{Service: consoleService(), Operations: operations(), Pepper: pepper, WithoutAccessIndex: true})
}

// TestModelRotating uses an index that leaves refresh tokens out.
func TestModelRotating(t *testing.T) {
	t.Parallel()
	enginetest.Model(t, newConsole, engineWith(secretstore.WithDocument(1), secretstore.WithoutAccessIndex()),
		enginetest.ModelOptions{Service: consoleService(), Operations: operations(), WithoutAccessIndex: true, Rotating: true})
}
