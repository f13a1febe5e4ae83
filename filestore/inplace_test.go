//go:build unix

package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tokenstore"
)

const (
	oldText = header + "1,u,c,s,1000.fake-r,1000.fake-a,,1763900000000,,\n"
	newText = header + "1,u,c,s,1000.fake-r,1000.fake-a-that-is-longer,,1763900000000,,\n2,v,c,s,1000.fake-r2,,,,,\n"
)

// crashing is a file whose operations end at one of them, as if the process were killed
// there, or fail there.
type crashing struct {
	data []byte
	left int // How many operations are carried out yet.
	torn int // How many bytes of the write that is not are there all the same.
	err  error
	once bool
}

func (c *crashing) step() (torn bool, err error) {
	if c.left == 0 && c.err != nil {
		err := c.err
		if c.once {
			c.err = nil
		}
		return true, err
	}
	c.left--
	return false, nil
}

func (c *crashing) WriteAt(p []byte, at int64) (int, error) {
	torn, err := c.step()
	n := len(p)
	if torn {
		n = min(n, c.torn)
	}
	if end := int(at) + n; end > len(c.data) && n > 0 {
		c.data = append(c.data, make([]byte, end-len(c.data))...)
	}
	copy(c.data[min(int(at), len(c.data)):], p[:n])
	return n, err
}

func (c *crashing) Sync() error {
	_, err := c.step()
	return err
}

func (c *crashing) Truncate(size int64) error {
	if _, err := c.step(); err != nil {
		return err
	}
	c.data = append(c.data[:min(int(size), len(c.data))], make([]byte, max(0, int(size)-len(c.data)))...)
	return nil
}

// operations is how many operations a write in place has.
const operations = 7

// TestACrashLeavesWhatTheDocumentationSays ends a write in place after each operation,
// and in the middle of each: the file is the old one, the new one, or one of which no
// line is read.
func TestACrashLeavesWhatTheDocumentationSays(t *testing.T) {
	killed := errors.New("killed")
	for _, c := range []struct{ from, to string }{{oldText, newText}, {newText, oldText}, {oldText, strings.ReplaceAll(oldText, "fake-a", "fake-b")}} {
		seen := map[string]bool{}
		for left := range operations + 1 {
			for torn := range len(c.to) + 1 {
				f := &crashing{data: []byte(c.from), left: left, torn: torn, err: killed}
				err := overwriteOnce(f, []byte(c.to))
				if (err == nil) != (left == operations) {
					t.Fatalf("%d operations gave %v", left, err)
				}
				rows, err := Read(t.Context(), bytes.NewReader(f.data))
				switch {
				case string(f.data) == c.from && err == nil:
					seen["old"] = true
				case string(f.data) == c.to && err == nil:
					seen["new"] = true
				case errors.Is(err, tokenstore.ErrUnreadable) && len(rows) == 0 && strings.Contains(err.Error(), "zero byte"):
					seen["unfinished"] = true
				default:
					t.Fatalf("after %d operations and %d bytes: %d rows, %v of %q", left, torn, len(rows), err, f.data)
				}
			}
		}
		if len(seen) != 3 {
			t.Errorf("a crash left only %v", seen)
		}
	}
}

// TestAFailedWriteIsUndone lets one operation fail, as on a full disk: the old text is
// put back; if that fails too, the error says what is left.
func TestAFailedWriteIsUndone(t *testing.T) {
	for left := range operations {
		f := &crashing{data: []byte(oldText), left: left, torn: 10, err: syscall.ENOSPC, once: true}
		if err := overwrite(f, []byte(newText), []byte(oldText)); !errors.Is(err, syscall.ENOSPC) || string(f.data) != oldText {
			t.Errorf("a fault after %d operations: %v, %q", left, err, f.data)
		}
		f = &crashing{data: []byte(oldText), left: left, torn: 10, err: syscall.ENOSPC}
		if err := overwrite(f, []byte(newText), []byte(oldText)); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "half written") {
			t.Errorf("faults from %d operations on: %v", left, err)
		}
	}
	f := &crashing{left: 2, torn: 10, err: syscall.ENOSPC, once: true}
	if err := overwrite(f, []byte(newText), nil); !errors.Is(err, syscall.ENOSPC) || len(f.data) > 0 {
		t.Errorf("an empty file: %v, %q", err, f.data)
	}
}

// inPlace returns a store that writes a file of some tokens in place.
func inPlace(t *testing.T, text string, options ...Option) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	store, err := Open(path, append(options, WithInPlace())...)
	if err != nil {
		t.Fatal(err)
	}
	return store, path
}

// TestInPlaceKeepsTheFile saves and deletes: the file stays the same one, and nothing is
// created beside it.
func TestInPlaceKeepsTheFile(t *testing.T) {
	for _, text := range []string{oldText, byteOrderMark + oldText, ""} {
		store, path := inPlace(t, text)
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			token := tokenstore.OAuthToken{UserName: "w", AccessToken: "1000.fake-" + strings.Repeat("x", 40-2*i)}
			saved, err := store.SaveToken(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if found, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "w"}); err != nil || found != saved {
				t.Fatalf("found %v, %v", found, err)
			}
		}
		if err := store.DeleteTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(path)
		entries, listed := os.ReadDir(filepath.Dir(path))
		if err := errors.Join(err, listed); err != nil || !os.SameFile(before, after) || len(entries) != 1 {
			t.Errorf("the same file: %t; %v beside it, %v", os.SameFile(before, after), entries, err)
		}
	}
}

// TestAnUnfinishedFileIsLeftAlone reads and writes what a crash left.
func TestAnUnfinishedFileIsLeftAlone(t *testing.T) {
	torn := unfinished + newText[1:100] + oldText[100:]
	for _, options := range [][]Option{nil, {WithInPlace()}} {
		_, path := inPlace(t, torn)
		store, err := Open(path, options...)
		if err != nil {
			t.Fatal(err)
		}
		tokens, listed := store.GetTokens(t.Context())
		_, found := store.FindTokenByID(t.Context(), "1")
		_, saved := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "w", AccessToken: "1000.fake"})
		for _, err := range []error{listed, found, saved, store.DeleteToken(t.Context(), "1"), store.DeleteTokens(t.Context())} {
			if !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), "zero byte") {
				t.Errorf("error %v, want what happened", err)
			}
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != torn || len(tokens) > 0 {
			t.Errorf("%d tokens, the file is %q, %v", len(tokens), data, err)
		}
	}
}

// TestInPlaceNeedsTheFile: a file that is not there is not created, also if it goes later.
func TestInPlaceNeedsTheFile(t *testing.T) {
	store, path := inPlace(t, oldText)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, opening := Open(path, WithInPlace())
	_, found := store.FindTokenByID(t.Context(), "1")
	_, saved := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "w", AccessToken: "1000.fake"})
	for _, err := range []error{opening, found, saved} {
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), "create it") {
			t.Errorf("error %v, want that there is no file", err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was created")
	}
}

// TestInPlaceWaitsForTheFilesLock: readers keep a writer waiting, and a writer everybody.
func TestInPlaceWaitsForTheFilesLock(t *testing.T) {
	store, path := inPlace(t, oldText)
	for _, writing := range []bool{true, false} {
		l, err := lockItself(t.Context(), path, writing)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, saved := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "w", AccessToken: "1000.fake"})
		if !errors.Is(saved, context.DeadlineExceeded) {
			t.Errorf("a save beside a lock: %v", saved)
		}
		cancel()
		if writing {
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := store.FindTokenByID(ctx, "1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a find beside a writer's lock: %v", err)
			}
			cancel()
		} else if _, err := store.FindTokenByID(t.Context(), "1"); err != nil {
			t.Errorf("a find beside a reader's lock: %v", err)
		}
		_ = l.Close()
	}
}

// TestWhatHelpsIsSaid gives the faults of replacing a file.
func TestWhatHelpsIsSaid(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.EBUSY, syscall.EXDEV, syscall.EACCES, syscall.EPERM, syscall.EROFS} {
		err := orInPlace(&os.LinkError{Op: "rename", Old: "fake-path", New: "fake-path", Err: number})
		if !errors.Is(err, tokenstore.ErrDenied) || !errors.Is(err, number) || !strings.Contains(err.Error(), "in_place=true") || strings.Contains(err.Error(), "fake-path") {
			t.Errorf("%v gave %v", number, err)
		}
	}
	for _, err := range []error{nil, io.ErrUnexpectedEOF, context.Canceled, fmt.Errorf("x: %w", syscall.ENOSPC)} {
		if got := orInPlace(err); got != nil && strings.Contains(got.Error(), "in_place") {
			t.Errorf("%v gave %v", err, got)
		}
	}
}
