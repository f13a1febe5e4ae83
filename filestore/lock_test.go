//go:build unix

package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/unprivileged"
)

// asAnother runs the rest of a test as a user without rights, over a file that
// root prepared in a folder which everybody may write. It returns its path.
func asAnother(t *testing.T, prepare func(path string) error) string {
	t.Helper()
	const variable = "TOKENSTORE_TEST_PREPARED"
	path := os.Getenv(variable)
	if path == "" {
		if os.Geteuid() != 0 {
			t.Skip("only root can give files away")
		}
		_, path = opened(t, "java.txt")
		dir := filepath.Dir(path)
		if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777), prepare(path)); err != nil {
			t.Fatal(err)
		}
		t.Setenv(variable, path)
	}
	unprivileged.Run(t)
	return path
}

// TestRefusedSaveLeavesNoLock: the lock of a user whose save is refused would
// keep the file's owner out.
func TestRefusedSaveLeavesNoLock(t *testing.T) {
	path := asAnother(t, func(path string) error {
		return errors.Join(os.Chown(path, 12345, 12345), os.Chmod(path, 0o666))
	})
	store, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), fake); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("save: %v", err)
	}
	if names := folder(t, path); len(names) != 1 {
		t.Errorf("left in the folder: %v", names)
	}
}

// TestLockOfAnotherUserIsNamed: whoever gave only the token file to the user
// learns what else is missing.
func TestLockOfAnotherUserIsNamed(t *testing.T) {
	path := asAnother(t, func(path string) error {
		return errors.Join(os.WriteFile(path+".lock", nil, 0o600), os.Chown(path, 65534, 65534))
	})
	store, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), fake); !errors.Is(err, tokenstore.ErrDenied) || !strings.Contains(err.Error(), ".lock after the file's name") {
		t.Errorf("save: %v", err)
	}
}

// TestAFolderOfAnotherUser has a file that this user may write, in a folder where only
// root may create one.
func TestAFolderOfAnotherUser(t *testing.T) {
	path := asAnother(t, func(path string) error {
		return errors.Join(os.Chown(path, 65534, 65534), os.Chmod(filepath.Dir(path), 0o755))
	})
	store, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), fake); !errors.Is(err, tokenstore.ErrDenied) || !strings.Contains(err.Error(), "in_place=true") {
		t.Errorf("without the option: %v", err)
	}
	store, err = filestore.Open(path, filestore.WithInPlace())
	if err != nil {
		t.Fatal(err)
	}
	save(t, store, fake)
	if found, err := store.FindToken(t.Context(), fake); err != nil || found.UserName != fake.UserName {
		t.Errorf("found %v, %v", found, err)
	}
	if names := folder(t, path); len(names) != 1 {
		t.Errorf("in the folder: %v", names)
	}
}
