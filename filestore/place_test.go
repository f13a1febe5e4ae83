//go:build unix

package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/unprivileged"
)

func TestModes(t *testing.T) {
	store, path := opened(t, "")
	save(t, store, fake)
	for _, name := range folder(t, path) {
		if mode := modeOf(t, filepath.Join(filepath.Dir(path), name)); mode != 0o600 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	save(t, store, tokenstore.OAuthToken{UserName: "other", AccessToken: "1000.fake-other"})
	if mode := modeOf(t, path); mode != 0o640 {
		t.Errorf("mode %o after a save, want 640", mode)
	}
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	store, path := opened(t, "java.txt")
	if err := os.Chown(path, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	save(t, store, fake)
	for _, name := range folder(t, path) {
		info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 12345 || s.Gid != 12346 {
			t.Errorf("%s belongs to %d:%d", name, s.Uid, s.Gid)
		}
	}
}

func TestSymbolicLinks(t *testing.T) {
	for _, target := range []string{"java.txt", ""} {
		_, path := opened(t, target)
		dir := t.TempDir()
		first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
		if err := errors.Join(os.Symlink(path, first), os.Symlink("first", second)); err != nil {
			t.Fatal(err)
		}
		store, err := filestore.Open(second)
		if err != nil {
			t.Fatal(err)
		}
		save(t, store, fake)
		if info, err := os.Lstat(second); err != nil || info.Mode().IsRegular() {
			t.Errorf("the link is none any more: %v", err)
		}
		if !strings.Contains(content(t, path), "1000.fake-new") {
			t.Error("the target was not written")
		}
		if names := folder(t, second); len(names) != 2 {
			t.Errorf("beside the link: %v", names)
		}
	}
}

// wrapped is a wrapper that changes nothing.
type wrapped struct{ tokenstore.Store }

func (w wrapped) Unwrap() tokenstore.Store { return w.Store }

func TestSamePlace(t *testing.T) {
	store, path := opened(t, "java.txt")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	linked, err := filestore.Open(link)
	if err != nil {
		t.Fatal(err)
	}
	if !store.SamePlace(linked) || !store.SamePlace(wrapped{linked}) {
		t.Error("a link to a file is another place than the file")
	}
	if other, _ := opened(t, "java.txt"); store.SamePlace(other) || store.SamePlace(wrapped{other}) {
		t.Error("another file is the same place")
	}
}

func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", dir, "/dev/null", loop, filepath.Join(dir, "none", "tokens.txt"), filepath.Join(dir, strings.Repeat("n", 300))} {
		if _, err := filestore.Open(path); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestDenied(t *testing.T) {
	store, path := opened(t, "java.txt")
	unprivileged.Run(t)
	if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindTokenByID(t.Context(), "1"); err != nil {
		t.Errorf("find: %v", err)
	}
	if _, err := store.SaveToken(t.Context(), fake); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("save: %v", err)
	}
	if err := os.Chmod(path, 0o200); err != nil {
		t.Fatal(err)
	}
	other, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.GetTokens(t.Context()); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("get: %v", err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnlyFileIsNotReplaced: whoever may write the folder, but took the
// right to write the file from it, meant that.
func TestReadOnlyFileIsNotReplaced(t *testing.T) {
	store, path := opened(t, "java.txt")
	unprivileged.Run(t)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	_, saved := store.SaveToken(t.Context(), fake)
	for _, err := range []error{saved, store.DeleteToken(t.Context(), "1"), store.DeleteTokens(t.Context())} {
		if !errors.Is(err, tokenstore.ErrDenied) {
			t.Errorf("error: %v", err)
		}
	}
	if content(t, path) != string(sample(t, "java.txt")) {
		t.Error("the file was changed")
	}
	if files := folder(t, path); len(files) != 1 {
		t.Errorf("files beside it: %v", files)
	}
}

// TestEditInBetween: what others write in place is seen at once, and a change
// between a read and a write of ours is not overwritten.
func TestEditInBetween(t *testing.T) {
	store, path := opened(t, "java.txt")
	if _, err := store.FindTokenByID(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) {
		if err := os.WriteFile(path, []byte(strings.Replace(content(t, path), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("1000.fake-access-1", "1000.fake-access-X")
	found, err := store.FindTokenByID(t.Context(), "1")
	if err != nil || found.AccessToken != "1000.fake-access-X" {
		t.Errorf("an edit was not seen: %v", err)
	}
	runs := 0
	err = filestore.Change(t.Context(), store, tokenstore.OAuthToken{ID: "1", GrantToken: "1000.fake-grant"}, func() {
		if runs++; runs == 1 {
			edit("1000.fake-access-X", "1000.fake-access-edited")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err = store.FindTokenByID(t.Context(), "1")
	if err != nil || found.AccessToken != "1000.fake-access-edited" || found.GrantToken != "1000.fake-grant" || runs != 2 {
		t.Errorf("after %d runs: %v, %v", runs, found, err)
	}
	err = filestore.Change(t.Context(), store, tokenstore.OAuthToken{ID: "1", GrantToken: "1000.fake-other"}, func() {
		runs++
		edit("1000.fake-access-edited", "1000.fake-access-edited"+strings.Repeat("x", runs))
	})
	if !errors.Is(err, tokenstore.ErrConflict) || !tokenstore.Retryable(err) {
		t.Errorf("a file that always changes: %v", err)
	}
}

// TestSameTick: a second change in one tick of the file system's clock, which
// its time does not tell, is seen.
func TestSameTick(t *testing.T) {
	store, path := opened(t, "java.txt")
	now := time.Now().Add(time.Hour) // So that the test may take its time.
	for _, access := range []string{"1000.fake-access-1", "1000.fake-access-X"} {
		data := strings.Replace(content(t, path), "1000.fake-access-1", access, 1)
		if err := errors.Join(os.WriteFile(path, []byte(data), 0o600), os.Chtimes(path, now, now)); err != nil {
			t.Fatal(err)
		}
		if found, err := store.FindTokenByID(t.Context(), "1"); err != nil || found.AccessToken != access {
			t.Errorf("found %v, %v", found, err)
		}
	}
}

// TestHalfWritten: a file that an SDK is writing just now is read again.
func TestHalfWritten(t *testing.T) {
	whole := sample(t, "python-sdk-8.0-filestore.txt")
	store, path := opened(t, "")
	write := func(data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{0, 200} {
		write(whole[:n])
		justNow(t, path)
		done := make(chan error)
		go func() {
			_, err := store.SaveToken(t.Context(), fake)
			done <- err
		}()
		time.Sleep(time.Millisecond)
		write(whole)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestAFolderThatCannotBeListed: a change that cannot be made last is not made, rather
// than made and reported as failed.
func TestAFolderThatCannotBeListed(t *testing.T) {
	store, path := opened(t, "java.txt")
	unprivileged.Run(t)
	if err := os.Chmod(filepath.Dir(path), 0o300); err != nil {
		t.Fatal(err)
	}
	_, err := store.SaveToken(t.Context(), fake)
	if !errors.Is(err, tokenstore.ErrDenied) || !strings.Contains(err.Error(), "folder") || strings.Contains(err.Error(), path) {
		t.Errorf("save: %v", err)
	}
	if got := content(t, path); got != string(sample(t, "java.txt")) {
		t.Error("the file was changed, and the save reported as failed")
	}
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range folder(t, path) {
		if strings.Contains(name, ".tmp") {
			t.Errorf("left in the folder: %s", name)
		}
	}
	save(t, store, fake)
}

// TestNotesHaveTheModeOfTheTokenFile checks that whoever may not read the tokens may not
// read the notes.
func TestNotesHaveTheModeOfTheTokenFile(t *testing.T) {
	store, path := opened(t, "java.txt")
	save(t, store, fake)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	swap(t, store, tokenstore.OAuthToken{}, "note")
	if mode := modeOf(t, path+".notes"); mode != 0o640 {
		t.Errorf("the mode is %o", mode)
	}
}

// TestNewNotesAreTheirOwnersAlone checks the mode beside a new token file.
func TestNewNotesAreTheirOwnersAlone(t *testing.T) {
	store, path := opened(t, "")
	save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{}, "n")
	if mode := modeOf(t, path+".notes"); mode != 0o600 {
		t.Errorf("the mode is %o", mode)
	}
}
