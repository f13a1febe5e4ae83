// A pepper for tests of URLs.

package adaptertest

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// Pepper writes a file with a pepper, and returns its name and the ID that the user's token
// has under that pepper.
func Pepper(t testing.TB, user string) (path, id string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pepper")
	if err := os.WriteFile(path, []byte("fake-pepper\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, index.Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: user}, []byte("fake-pepper"))
}
