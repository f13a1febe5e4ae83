package filestore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// noted returns the token of fake's user with its note.
func noted(t testing.TB, s *filestore.Store) tokenstore.Noted {
	t.Helper()
	n, err := s.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: fake.UserName})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// swap swaps the token of fake's user, which must happen.
func swap(t testing.TB, s *filestore.Store, next tokenstore.OAuthToken, note string) {
	t.Helper()
	if _, swapped, err := s.SwapToken(t.Context(), noted(t, s), next, note); err != nil || !swapped {
		t.Fatalf("swapped: %v, %v", swapped, err)
	}
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// TestNotesAreInAFileOfTheirOwn checks that there is none before the first note, and that a note
// leaves the token file as it is.
func TestNotesAreInAFileOfTheirOwn(t *testing.T) {
	store, path := opened(t, "java.txt")
	save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{AccessToken: "1000.fake-newer"}, "")
	if !missing(path + ".notes") {
		t.Error("a file was made without a note")
	}
	before := content(t, path)
	swap(t, store, tokenstore.OAuthToken{}, "n <&>")
	if content(t, path) != before {
		t.Error("a note has changed the token file")
	}
	if text := content(t, path+".notes"); !strings.Contains(text, `"n <&>"`) || strings.Contains(text, "1000.") {
		t.Errorf("the file is %s", text)
	}
	n := noted(t, store)
	if err := store.DeleteToken(t.Context(), n.ID); err != nil {
		t.Error(err)
	}
	if text := content(t, path+".notes"); text != "{}\n" {
		t.Errorf("the token is deleted, the file %s", text)
	}
}

// TestNotesAfterAnSDK checks that a note does not count for what an SDK has written since,
// and that no later write brings it back.
func TestNotesAfterAnSDK(t *testing.T) {
	store, path := opened(t, "")
	first := save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{}, "n")
	sdk := strings.Replace(content(t, path), fake.AccessToken, "1000.of-an-sdk", 1)
	if err := os.WriteFile(path, []byte(sdk), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := noted(t, store); n.Note != "" || n.AccessToken != "1000.of-an-sdk" {
		t.Errorf("the note of %s is %q", n.AccessToken, n.Note)
	}
	save(t, store, fake)
	if n := noted(t, store); n.Note != "" || n.OAuthToken != first {
		t.Errorf("after a save the note is %q", n.Note)
	}
	// A row that an SDK has deleted, and that is inserted again as it was.
	swap(t, store, tokenstore.OAuthToken{}, "n")
	header, _, _ := strings.Cut(content(t, path), "\n")
	if err := os.WriteFile(path, []byte(header+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	save(t, store, first)
	if n := noted(t, store); n.Note != "" {
		t.Errorf("an insert has the note %q", n.Note)
	}
}

// TestCrashBetweenTheFiles checks that a process which dies between writing the notes and
// the token file leaves the token with the note that it had.
func TestCrashBetweenTheFiles(t *testing.T) {
	store, path := opened(t, "")
	before := save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{}, "n1")
	tokens, notes := content(t, path), content(t, path+".notes")
	if err := filestore.SwapNotesAlone(path, noted(t, store), tokenstore.OAuthToken{AccessToken: "1000.fake-newer"}, "n2"); err != nil {
		t.Fatal(err)
	}
	if content(t, path) != tokens || content(t, path+".notes") == notes {
		t.Fatal("it died elsewhere")
	}
	if n := noted(t, store); n.Note != "n1" || n.OAuthToken != before {
		t.Errorf("the note is %q", n.Note)
	}
	swap(t, store, tokenstore.OAuthToken{AccessToken: "1000.fake-newer"}, "n2")
	if n := noted(t, store); n.Note != "n2" {
		t.Errorf("the note is %q", n.Note)
	}
	swap(t, store, tokenstore.OAuthToken{}, "")
	if text := content(t, path+".notes"); text != "{}\n" {
		t.Errorf("no note is left, the file is %s", text)
	}
}

// TestNotesThatCannotBeRead checks that a damaged file of notes, or what is no file, is
// reported, and never replaced.
func TestNotesThatCannotBeRead(t *testing.T) {
	store, path := opened(t, "")
	save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{}, "n")
	n := noted(t, store)
	check := func(kind error) {
		t.Helper()
		_, err := store.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: fake.UserName})
		_, _, swapErr := store.SwapToken(t.Context(), n, tokenstore.OAuthToken{}, "n2")
		_, saveErr := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: fake.UserName, APIDomain: "d"})
		for _, err := range []error{err, swapErr, saveErr} {
			if !errors.Is(err, kind) || !strings.Contains(err.Error(), ".notes") {
				t.Errorf("%v, want %v", err, kind)
			}
		}
		if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: fake.UserName}); err != nil {
			t.Errorf("a find without notes: %v", err)
		}
	}
	for _, text := range []string{"", "null", "[]", `{"1":"n"}`, "fake"} {
		if err := os.WriteFile(path+".notes", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check(tokenstore.ErrUnreadable)
	}
	if err := os.Remove(path + ".notes"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+".notes", 0o700); err != nil {
		t.Fatal(err)
	}
	check(tokenstore.ErrInvalidArgument)
}

// TestNotesInPlace checks that a file written in place can be swapped, and has no notes.
func TestNotesInPlace(t *testing.T) {
	store, path := opened(t, "java.txt", filestore.WithInPlace())
	save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{AccessToken: "1000.fake-newer"}, "")
	before := content(t, path)
	_, swapped, err := store.SwapToken(t.Context(), noted(t, store), tokenstore.OAuthToken{AccessToken: "1000.fake-newest"}, "n")
	if !errors.Is(err, tokenstore.ErrInvalidArgument) || swapped || content(t, path) != before {
		t.Errorf("swapped: %v, %v", swapped, err)
	}
	if names := folder(t, path); !slices.Equal(names, []string{filepath.Base(path)}) {
		t.Errorf("the folder has %v", names)
	}
}

// TestSwapReadOnly checks that a reader sees notes, and cannot swap.
func TestSwapReadOnly(t *testing.T) {
	store, path := opened(t, "")
	save(t, store, fake)
	swap(t, store, tokenstore.OAuthToken{}, "n")
	reader, err := filestore.Open(path, filestore.WithReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	if n := noted(t, reader); n.Note != "n" {
		t.Errorf("the note is %q", n.Note)
	}
	if _, _, err := reader.SwapToken(t.Context(), noted(t, reader), tokenstore.OAuthToken{}, "n2"); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("a swap gives %v", err)
	}
}

func TestPing(t *testing.T) {
	store, path := opened(t, "")
	if err := store.Ping(t.Context()); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, store, fake)
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Errorf("a header alone: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"access_token":"fake"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Ping(t.Context()); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("a file of others: %v", err)
	}
	partly, _ := opened(t, "java.txt")
	if err := partly.Ping(t.Context()); err != nil {
		t.Errorf("an SDK's file: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Ping(t.Context()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a closed store: %v", err)
	}
}
