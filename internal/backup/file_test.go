package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore/internal/backup"
)

// hasNo fails if a file of a folder holds a text.
func hasNo(t *testing.T, folder, text string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if data, err := os.ReadFile(filepath.Join(folder, f.Name())); err != nil || strings.Contains(string(data), text) {
			t.Errorf("%s holds it, or cannot be read: %v", f.Name(), err)
		}
	}
}

func empty(t *testing.T, folder string) {
	t.Helper()
	if files, err := os.ReadDir(folder); err != nil || len(files) > 0 {
		t.Errorf("%v is left, %v", files, err)
	}
}

func TestAFileTakesItsPlaceInOneStep(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "tokens.backup")
	create := func(replace bool) *backup.File {
		t.Helper()
		f, err := backup.Create(path, replace)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("new"); err != nil {
			t.Fatal(err)
		}
		return f
	}
	create(false).Discard()
	empty(t, folder)
	first, second := create(false), create(false)
	if err := first.TakePlace(); err != nil {
		t.Fatal(err)
	}
	if err := second.TakePlace(); !errors.Is(err, backup.ErrExists) { // It came into being meanwhile.
		t.Errorf("the second: %v", err)
	}
	second.Discard()
	if _, err := backup.Create(path, false); !errors.Is(err, backup.ErrExists) {
		t.Errorf("it is there: %v", err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	third := create(true)
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("before the step: %q, %v", data, err)
	}
	if err := third.TakePlace(); err != nil {
		t.Fatal(err)
	}
	third.Discard()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "new" {
		t.Errorf("%q, %v", data, err)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
		t.Errorf("%v is left, %v", files, err)
	}
}

func TestOnlyFilesAreWrittenAndRead(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(folder, "link")
	if err := os.Symlink(filepath.Join(folder, "target"), link); err != nil {
		t.Skip(err)
	}
	for path, says := range map[string]string{folder: "not a regular file", link: "not a regular file", filepath.Join(folder, "none", "b"): "check the path"} {
		if _, err := backup.Create(path, true); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), folder) {
			t.Errorf("create: %v", err)
		}
	}
	for path, says := range map[string]string{folder: "not a regular file", link: "check the path"} {
		if _, err := backup.OpenFile(path); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), folder) {
			t.Errorf("open: %v", err)
		}
	}
}
