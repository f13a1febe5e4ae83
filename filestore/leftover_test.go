package filestore_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/tokenstore/filestore"
)

// TestLeftovers: what a killed writer leaves is removed, what is others' is not.
func TestLeftovers(t *testing.T) {
	store, path := opened(t, "java.txt")
	var ours []string
	for _, of := range []string{path, path + ".last-id", path + ".notes"} {
		ours = append(ours, temporary(t, of))
	}
	others := []string{".tokens.txt12", ".tokens.txt.tmp", ".tokens.txt.tmpx", ".tokens.txt.swp", "tokens.txt.bak", "tokens.txt.tmp12"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(t, store, fake)
	names := folder(t, path)
	for _, name := range ours {
		if slices.Contains(names, name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range others {
		if !slices.Contains(names, name) {
			t.Errorf("%s was removed", name)
		}
	}
}

// temporary leaves a temporary file for the place of path, and returns its name.
func temporary(t *testing.T, path string) string {
	t.Helper()
	name, err := filestore.Temporary(path)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(name)
}

// TestTemporariesOfOtherFilesStay: a writer of another file in the folder may be
// at work, whatever that file's name.
func TestTemporariesOfOtherFilesStay(t *testing.T) {
	for _, other := range []string{"tokens1", "tokens123456789", "tokens.tmp", "tokens.tmp1", "tokens1.tmp", "tokens.last-id1", "tokens.notes1", "token"} {
		dir := t.TempDir()
		var names []string
		for range 20 { // Their numbers are random.
			names = append(names, temporary(t, filepath.Join(dir, other)))
		}
		store, err := filestore.Open(filepath.Join(dir, "tokens"))
		if err != nil {
			t.Fatal(err)
		}
		save(t, store, fake)
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%s, for %s, was removed", name, other)
			}
		}
	}
}
