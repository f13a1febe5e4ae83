package filestore_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// emptied returns the file as an SDK has it before it writes: open, and empty
// since just now.
func emptied(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// justNow makes the file one that was written just now, however slowly the test goes on.
func justNow(t *testing.T, path string) {
	t.Helper()
	soon := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, soon, soon); err != nil {
		t.Fatal(err)
	}
}

// TestSaveWaitsForHeldUpSDK: however long an SDK takes between emptying the
// file and writing it, a save loses none of its tokens.
func TestSaveWaitsForHeldUpSDK(t *testing.T) {
	store, path := opened(t, "python-sdk-8.0-filestore.txt")
	whole := content(t, path)
	sdk := emptied(t, path)
	done := make(chan error, 1)
	go func() {
		_, err := store.SaveToken(context.WithoutCancel(t.Context()), fake)
		done <- err
	}()
	time.Sleep(200 * time.Millisecond)
	if _, err := sdk.WriteString(whole); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sdk.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	if tokens, err := store.GetTokens(t.Context()); err != nil || len(tokens) != 6 {
		t.Errorf("%d tokens, %v; want the SDK's 5 and ours", len(tokens), err)
	}
}

// TestEmptiedJustNowIsNoTruth: while nobody knows whether a file was emptied
// for good, nothing is not found in it, and nothing is written.
func TestEmptiedJustNowIsNoTruth(t *testing.T) {
	store, path := opened(t, "java.txt")
	filestore.Impatient(store)
	sdk := emptied(t, path)
	_, find := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "amelia@zylker.example:1"})
	_, byID := store.FindTokenByID(t.Context(), "1")
	_, list := store.GetTokens(t.Context())
	_, saved := store.SaveToken(t.Context(), fake)
	for name, err := range map[string]error{
		"find": find, "find by ID": byID, "list": list, "save": saved,
		"delete": store.DeleteToken(t.Context(), "1"), "delete all": store.DeleteTokens(t.Context()),
	} {
		if !errors.Is(err, tokenstore.ErrConflict) || !tokenstore.Retryable(err) || errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%s: the error does not say what to do: %v", name, err)
		}
	}
	if got := content(t, path); got != "" {
		t.Errorf("the file was written: %q", got)
	}
	if err := errors.Join(sdk.Close(), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	save(t, store, fake)
}

// TestEmptyForAWhileIsEmpty: a file that a person made or emptied is used as it
// is.
func TestEmptyForAWhileIsEmpty(t *testing.T) {
	store, path := opened(t, "java.txt")
	if err := emptied(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindToken(t.Context(), fake); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("find: %v", err)
	}
	save(t, store, fake)
}

func TestWaitForEmptiedFileHonoursContext(t *testing.T) {
	store, path := opened(t, "java.txt")
	emptied(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := store.SaveToken(ctx, fake); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error: %v", err)
	}
	if got := content(t, path); got != "" {
		t.Errorf("the file was written: %q", got)
	}
}

// TestSaveWaitsForRestOfFile: the SDKs write large files in pieces, and are
// held up between them, too.
func TestSaveWaitsForRestOfFile(t *testing.T) {
	store, path := opened(t, "python-sdk-8.0-filestore.txt")
	whole := content(t, path)
	sdk := emptied(t, path)
	cut := strings.Index(whole, "www.zohoapis.com") + 3 // In the last field of a row.
	if _, err := sdk.WriteString(whole[:cut]); err != nil {
		t.Fatal(err)
	}
	justNow(t, path)
	done := make(chan error, 1)
	go func() {
		_, err := store.SaveToken(context.WithoutCancel(t.Context()), fake)
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if _, err := sdk.WriteString(whole[cut:]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sdk.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	if tokens, err := store.GetTokens(t.Context()); err != nil || len(tokens) != 6 {
		t.Errorf("%d tokens, %v; want the SDK's 5 and ours", len(tokens), err)
	}
}

// TestEditThatNoTimeTellsIsSeen: an edit that leaves the file its size and its
// time, as one within a tick of a coarse clock does, is not overwritten.
func TestEditThatNoTimeTellsIsSeen(t *testing.T) {
	store, path := opened(t, "java.txt")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = filestore.Change(t.Context(), store, tokenstore.OAuthToken{ID: "2", GrantToken: "1000.fake-grant"}, func() {
		if runs++; runs > 1 {
			return
		}
		data := strings.Replace(content(t, path), "1000.fake-access-1", "1000.fake-access-X", 1)
		if err := errors.Join(os.WriteFile(path, []byte(data), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
			t.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	edited, err := store.FindTokenByID(t.Context(), "1")
	if err != nil || edited.AccessToken != "1000.fake-access-X" {
		t.Errorf("the edit was overwritten: %v, %v", edited, err)
	}
	if ours, err := store.FindTokenByID(t.Context(), "2"); err != nil || ours.GrantToken != "1000.fake-grant" || runs != 2 {
		t.Errorf("after %d runs: %v, %v", runs, ours, err)
	}
}
