// How the file is replaced in one step, and what a killed process leaves of that.

package filestore

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// temporarySuffix and a number end the name of a temporary file. Without the
// suffix, one for the file "tokens1" might be taken for one for "tokens".
const temporarySuffix = ".tmp"

// newFile is a file that will take the place of another in one step.
type newFile struct {
	*os.File
	path         string
	closed, done bool
}

// create creates a new file for the place of path, which its owner alone can
// read.
func create(path string) (*newFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+temporarySuffix+"*")
	if err != nil {
		return nil, err
	}
	return &newFile{File: f, path: path}, nil
}

// takePlace puts the file, which was synced, in its place. A folder that cannot be
// opened is found out before anything happened: afterwards the error of a change
// that was made would say that it was not.
func (f *newFile) takePlace() error {
	f.closed = true
	if err := f.Close(); err != nil {
		return err
	}
	folder, err := openFolder(f.path)
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		if folder != nil {
			_ = folder.Close() // It was only read.
		}
		return err
	}
	f.done = true
	return syncFolder(folder)
}

// cleanup removes the file unless it is in its place.
func (f *newFile) cleanup() {
	if f.done {
		return
	}
	if !f.closed {
		_ = f.Close()
	}
	_ = os.Remove(f.Name()) // What remains is removed by the next writer.
}

// temporaryNumber is what follows the suffix.
var temporaryNumber = regexp.MustCompile(`^[0-9]+$`)

// isTemporary reports whether a name is that of a temporary file for the place
// of the file.
func isTemporary(name, file string) bool {
	number, ok := strings.CutPrefix(name, "."+file+temporarySuffix)
	return ok && temporaryNumber.MatchString(number)
}

// sweep removes the temporary files of writers that were killed. It is called
// with the lock held, so that nobody is writing one, and does its work once.
func (s *Store) sweep(path string) {
	if s.swept.Swap(true) {
		return
	}
	for _, name := range temporaries(path) {
		_ = os.Remove(name) // A later writer tries again.
	}
}

// temporaries returns the temporary files of writers of the file. Those of a folder that
// cannot be listed are not known.
func temporaries(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var all []string
	file := filepath.Base(path)
	for _, e := range entries {
		if e.Type().IsRegular() && slices.ContainsFunc([]string{"", lastIDSuffix, notesSuffix}, func(suffix string) bool { return isTemporary(e.Name(), file+suffix) }) {
			all = append(all, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return all
}
