package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

var fake = tokenstore.OAuthToken{UserName: "new", AccessToken: "1000.fake-new"}

// opened returns a store over a copy of a sample, and the copy's path.
func opened(t *testing.T, name string, options ...filestore.Option) (*filestore.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if name != "" {
		if err := os.WriteFile(path, sample(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour) // Nobody is writing it just now.
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	store, err := filestore.Open(path, options...)
	if err != nil {
		t.Fatal(err)
	}
	return store, path
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func save(t *testing.T, store tokenstore.Store, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := store.SaveToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// TestWrittenAgain changes one row, and changes it back: every other line, and
// in the end the whole file, is as it was.
func TestWrittenAgain(t *testing.T) {
	for name, lines := range samples {
		t.Run(name, func(t *testing.T) {
			before := sample(t, name)
			if got := filestore.Rewritten(before); !bytes.Equal(got, before) {
				t.Fatalf("written again:\n%q\nwas\n%q", got, before)
			}
			if len(lines) < 3 { // A generation that is changed when it is written, or nothing to change.
				return
			}
			store, path := opened(t, name)
			tokens, err := store.GetTokens(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			old := tokens[1]
			save(t, store, tokenstore.OAuthToken{ID: old.ID, APIDomain: "https://www.zohoapis.jp"})
			changed := content(t, path)
			save(t, store, tokenstore.OAuthToken{ID: old.ID, APIDomain: old.APIDomain})
			restored := content(t, path)
			if name == "python-no-header.txt" { // It has got its header.
				_, restored, _ = strings.Cut(restored, "\n")
				_, changed, _ = strings.Cut(changed, "\n")
			}
			if restored != string(before) {
				t.Errorf("changed back:\n%q\nwas\n%q", restored, before)
			}
			if n := differences(changed, string(before)); n != 1 {
				t.Errorf("%d lines changed:\n%q\nwas\n%q", n, changed, before)
			}
		})
	}
}

func differences(a, b string) int {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	n := max(len(as), len(bs)) - min(len(as), len(bs))
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			n++
		}
	}
	return n
}

// TestNewRow compares the end of each file after a save of a new user.
func TestNewRow(t *testing.T) {
	const plain = "4,new@zylker.example:4,1000.CLIENT4,cs-fake-4,1000.fake-refresh-4,,,,,"
	quoted := `"` + strings.ReplaceAll(plain, ",", `","`) + `"`
	for name, want := range map[string]string{
		"python-sdk-8.0-filestore.txt": "\r\n" + strings.Replace(plain, "4", "6", 1) + "\r\n",
		"node-sdk-8.0-filestore.txt":   "\n" + strings.Replace(plain, "4", "5", 1),
		"java.txt":                     "\n" + plain + "\n",
		"csharp-windows.txt":           "\r\n" + plain + "\r\n",
		"php.txt":                      "\n" + plain,
		"scala.txt":                    "\n" + strings.ReplaceAll(strings.ReplaceAll(plain+"!", ",,", ",null,"), ",,", ",null,"),
		"python-windows-delete.txt":    "\r\r\n" + plain + "\r\n",
		"quote-all.txt":                "\n" + quoted + "\n",
		"blank-lines.txt":              "\n" + plain + "\n\n   \n\n\n",
		"mixed-line-ends.txt":          "\r\n" + plain,
		"python-2.txt":                 "\r\n" + strings.Replace(plain, "4", "1", 1) + "\r\n",
		"empty.txt":                    "api_domain\n" + strings.Replace(plain, "4", "1", 1) + "\n",
		"header-only.txt":              "api_domain\n" + strings.Replace(plain, "4", "1", 1),
	} {
		t.Run(name, func(t *testing.T) {
			store, path := opened(t, name)
			save(t, store, tokenstore.OAuthToken{
				UserName: "new@zylker.example:4", ClientID: "1000.CLIENT4", ClientSecret: "cs-fake-4", RefreshToken: "1000.fake-refresh-4",
			})
			want := want
			if name == "scala.txt" {
				want = strings.Replace(want, ",!", ",null", 1)
			}
			if got := content(t, path); !strings.HasSuffix(got, want) {
				t.Errorf("the file ends\n%q\nwant\n%q", got[max(0, len(got)-len(want)-20):], want)
			}
		})
	}
}

// TestNullForScala: the Scala SDK fails at a row whose last fields are empty. To
// a file of its own none is added, whatever rows it has got from others; and to
// the files of other SDKs no word is added that they would take for a value.
func TestNullForScala(t *testing.T) {
	for name, ends := range map[string]string{
		"scala.txt":      "\n4,new,null,null,null,1000.fake-new,null,null,null,null",
		"java.txt":       "\n4,new,,,,1000.fake-new,,,,\n",
		"python-bom.txt": "\n4,new,,,,1000.fake-new,,,,\r\n",
	} {
		data := string(sample(t, name))
		data = strings.Replace(data, ",https://www.zohoapis.com", ",", 1)                               // A row with an empty field,
		data = strings.Replace(data, "https://zylker.example/cb,https://www.zohoapis.com", "null,x", 1) // and one with the word.
		store, path := opened(t, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		save(t, store, fake)
		if got := content(t, path); !strings.HasSuffix(got, ends) {
			t.Errorf("%s ends %q, want %q", name, got[len(got)-40:], ends)
		}
	}
}

func TestDeleteLastRowWithoutLineEnd(t *testing.T) {
	store, path := opened(t, "php.txt")
	if err := store.DeleteToken(t.Context(), "3"); err != nil {
		t.Fatal(err)
	}
	before := string(sample(t, "php.txt"))
	if got, want := content(t, path), before[:strings.LastIndex(before, "\n")]; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := content(t, path), before[:strings.Index(before, "\n")]; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestSecondGeneration: a file of nine columns gets the tenth, as the SDKs give
// it.
func TestSecondGeneration(t *testing.T) {
	store, path := opened(t, "python-2.txt")
	save(t, store, tokenstore.OAuthToken{ID: "python_obrien_prd_sh-2", APIDomain: "https://www.zohoapis.eu"})
	before := string(sample(t, "python-2.txt"))
	lines := strings.SplitAfter(before, "\r\n")
	want := strings.Replace(lines[0], "\r", ",api_domain\r", 1) + strings.Replace(lines[1], "\r", ",\r", 1) +
		strings.Replace(lines[2], "\r", ",https://www.zohoapis.eu\r", 1)
	if got := content(t, path); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestFirstGeneration(t *testing.T) {
	store, path := opened(t, "python-1.txt")
	token := tokenstore.OAuthToken{UserName: "o'brien@zylker.example:2", AccessToken: "1000.fake-new"}
	if found, err := store.FindToken(t.Context(), token); err != nil || found.ID != "2" {
		t.Fatalf("ID %q, error %v", found.ID, err)
	}
	if _, err := store.SaveToken(t.Context(), token); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Fatalf("save: %v", err)
	}
	if got := content(t, path); got != string(sample(t, "python-1.txt")) {
		t.Fatal("the file was changed")
	}

	store, path = opened(t, "python-1.txt", filestore.WithUpgrade())
	save(t, store, token)
	const want = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain\n" +
		"1,amelia@zylker.example:1,1000.CLIENT1,,1000.fake-refresh-1,1000.fake-access-1,1000.fake-grant-1,1763900001000,,\n" +
		"2,o'brien@zylker.example:2,1000.CLIENT2,,1000.fake-refresh-2,1000.fake-new,,,,\n"
	if got := content(t, path); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestUnreadable: a file with a line that cannot be read is never written, what
// can be read is found, and what is not found may be on that line.
func TestUnreadable(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			store, path := opened(t, "broken/"+name)
			ids := strings.Fields(b.readable)
			tokens, err := store.GetTokens(t.Context())
			unreadable(t, err)
			if len(tokens) != len(ids) {
				t.Errorf("%d tokens, want %d", len(tokens), len(ids))
			}
			for _, id := range ids {
				if _, err := store.FindTokenByID(t.Context(), id); err != nil {
					t.Error(err)
				}
				unreadable(t, store.DeleteToken(t.Context(), id))
			}
			_, err = store.FindTokenByID(t.Context(), "9")
			unreadable(t, err)
			_, err = store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "nobody"})
			unreadable(t, err)
			_, err = store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "nobody", AccessToken: "1000.fake-new"})
			unreadable(t, err)
			unreadable(t, store.DeleteTokens(t.Context()))
			if !bytes.Equal([]byte(content(t, path)), sample(t, "broken/"+name)) {
				t.Error("the file was changed")
			}
		})
	}
}

func unreadable(t *testing.T, err error) {
	t.Helper()
	var lines *filestore.UnreadableError
	if !errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, tokenstore.ErrNotFound) || !errors.As(err, &lines) {
		t.Errorf("error: %v", err)
	}
}

// TestPlainFile: a value that needs quotes is refused by a file whose SDK does
// not read them, and nothing changes.
func TestPlainFile(t *testing.T) {
	values := []string{"a,b", "a\nb", "a\rb", `"a"`, "null", "\ufeffa"}
	for _, name := range []string{
		"node-sdk-8.0-filestore.txt", "typescript.txt", "csharp-windows.txt", "csharp-linux.txt", "php.txt", "scala.txt",
	} {
		store, path := opened(t, name)
		for _, v := range values {
			_, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", ClientSecret: v})
			if !errors.Is(err, tokenstore.ErrInvalidToken) || !strings.Contains(err.Error(), "client_secret") {
				t.Errorf("%s, %q: %v", name, v, err)
			}
		}
		if content(t, path) != string(sample(t, name)) {
			t.Errorf("%s was changed", name)
		}
		save(t, store, tokenstore.OAuthToken{ID: "1", ClientSecret: `a"b`})
		if !strings.Contains(content(t, path), `,a"b,`) {
			t.Errorf("%s: the quote was not written as it is", name)
		}
	}
	for _, name := range []string{"python-sdk-8.0-filestore.txt", "java.txt", "quote-all.txt", "empty.txt", ""} {
		holdsAll(t, name, values)
	}
	holdsAll(t, "csharp-linux.txt", values, filestore.WithQuotes(true))

	store, path := opened(t, "", filestore.WithQuotes(false))
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{AccessToken: "a,b"}); !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("without quotes: %v", err)
	}
	save(t, store, fake)
	again, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.SaveToken(t.Context(), tokenstore.OAuthToken{AccessToken: "a,b"}); !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("a file that was made without quotes, opened again: %v", err)
	}
}

func holdsAll(t *testing.T, name string, values []string, options ...filestore.Option) {
	t.Helper()
	store, path := opened(t, name, options...)
	for _, v := range values {
		saved := save(t, store, tokenstore.OAuthToken{UserName: "user " + v, AccessToken: v})
		again, err := filestore.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := again.FindTokenByID(t.Context(), saved.ID); err != nil || found != saved {
			t.Errorf("%s, %q: found %v, %v", name, v, found, err)
		}
	}
}

// TestLookAlike: a value with line breaks and commas that would make each of
// its lines look like a row is refused where that matters.
func TestLookAlike(t *testing.T) {
	value := "a,,,,\n,,,,,\"b"
	store, _ := opened(t, "java.txt")
	_, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", AccessToken: value})
	if !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("error: %v", err)
	}
	holdsAll(t, "", []string{value})
}

func TestReadOnly(t *testing.T) {
	store, path := opened(t, "python-sdk-8.0-filestore.txt", filestore.WithReadOnly())
	if _, err := store.FindTokenByID(t.Context(), "1"); err != nil {
		t.Error(err)
	}
	_, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{AccessToken: "1000.fake-new"})
	for _, err := range []error{err, store.DeleteToken(t.Context(), "1"), store.DeleteTokens(t.Context())} {
		if !errors.Is(err, tokenstore.ErrDenied) {
			t.Errorf("error: %v", err)
		}
	}
	if content(t, path) != string(sample(t, "python-sdk-8.0-filestore.txt")) {
		t.Error("the file was changed")
	}
	if files := folder(t, path); len(files) != 1 {
		t.Errorf("files beside it: %v", files)
	}
	_, err = filestore.Open(filepath.Join(t.TempDir(), "none.txt"), filestore.WithReadOnly())
	if !errors.Is(err, tokenstore.ErrInvalidArgument) || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("missing file: %v", err)
	}
}

// folder returns the names of the files beside path.
func folder(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestIDs: counted as numbers, over those that are numbers, and never again.
func TestIDs(t *testing.T) {
	store, path := opened(t, "")
	for _, id := range []string{"9", "10", "abc", "60001234567", "-3"} {
		save(t, store, tokenstore.OAuthToken{ID: id, AccessToken: "1000.fake-" + id})
	}
	newID := func() string { return save(t, store, tokenstore.OAuthToken{AccessToken: "1000.fake-new"}).ID }
	if id := newID(); id != "11" {
		t.Errorf("ID %q, want 11", id)
	}
	if err := store.DeleteToken(t.Context(), "11"); err != nil {
		t.Fatal(err)
	}
	other, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	store = other
	if id := newID(); id != "12" {
		t.Errorf("ID %q after a delete, want 12", id)
	}
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id := newID(); id != "13" {
		t.Errorf("ID %q after all were deleted, want 13", id)
	}
	header, _, _ := strings.Cut(content(t, path), "\n")
	if err := os.WriteFile(path, []byte(header+"\n"), 0o600); err != nil { // As an SDK deletes.
		t.Fatal(err)
	}
	if id := newID(); id != "14" {
		t.Errorf("ID %q after others deleted a row, want 14", id)
	}
	if err := os.Remove(path + ".last-id"); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id := newID(); id != "15" {
		t.Errorf("ID %q after the file with the last ID was lost, want 15", id)
	}
	if err := os.WriteFile(path+".last-id", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{AccessToken: "1000.fake"}); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("with a damaged last ID: %v", err)
	}
}

func TestHighestID(t *testing.T) {
	store, _ := opened(t, "")
	save(t, store, tokenstore.OAuthToken{ID: "2147483647", AccessToken: "1000.fake-1"})
	_, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{AccessToken: "1000.fake-2"})
	if !errors.Is(err, tokenstore.ErrQuota) {
		t.Errorf("error: %v", err)
	}
}

func TestClosed(t *testing.T) {
	store, _ := opened(t, "java.txt")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := store.GetTokens(t.Context())
	for _, err := range []error{err, store.DeleteToken(t.Context(), "1")} {
		if !errors.Is(err, os.ErrClosed) || tokenstore.Retryable(err) {
			t.Errorf("error: %v", err)
		}
	}
}

func TestLockHonoursContext(t *testing.T) {
	store, path := opened(t, "java.txt")
	unlock, err := filestore.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- store.DeleteToken(ctx, "1") }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	if _, err := store.FindTokenByID(t.Context(), "1"); err != nil {
		t.Errorf("a find waits for no lock: %v", err)
	}
}
