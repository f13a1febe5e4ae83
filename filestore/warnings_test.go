package filestore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// TestAnExpiryThatCannotBeUnderstoodIsUnknown: the row is found and written, and its
// expiry stays as a person typed it until a save brings one, or another access token.
func TestAnExpiryThatCannotBeUnderstoodIsUnknown(t *testing.T) {
	for _, expiry := range []string{"tomorrow", "1763900002000 ", "1.7e12", "2025-11-23T12:00:00Z", "-5", "\xff"} {
		t.Run(expiry, func(t *testing.T) {
			store, path := opened(t, "odd-expiry.txt")
			data := strings.Replace(content(t, path), "tomorrow", expiry, 1)
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "o'brien@zylker.example:2"})
			if err != nil || found.ID != "2" || !found.Expiry.IsZero() {
				t.Fatalf("found %v, %v", found, err)
			}
			want := map[string][]string{"2": {"expiry_time: not a time in epoch milliseconds (13 digits) or seconds (10 digits)"}}
			if got, err := store.Warnings(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("warnings %v, %v, want %v", got, err, want)
			}
			save(t, store, tokenstore.OAuthToken{ID: "2", RefreshToken: "1000.fake-new"})
			if changed := strings.Replace(data, "1000.fake-refresh-2", "1000.fake-new", 1); content(t, path) != changed {
				t.Errorf("the file is\n%q\nwant\n%q", content(t, path), changed)
			}
			save(t, store, tokenstore.OAuthToken{ID: "2", Expiry: time.UnixMilli(1763900009000)})
			if got := content(t, path); !strings.Contains(got, ",1763900009000,") || strings.Contains(got, expiry) {
				t.Errorf("the file is %q", got)
			}
			if got, err := store.Warnings(t.Context()); err != nil || len(got) > 0 {
				t.Errorf("warnings %v, %v, want none", got, err)
			}
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			save(t, store, tokenstore.OAuthToken{ID: "2", AccessToken: "1000.fake-new"})
			if got := content(t, path); strings.Contains(got, expiry) {
				t.Errorf("the expiry has stayed beside a new access token: %q", got)
			}
		})
	}
}

func TestWhiteSpaceAroundACredentialIsNamed(t *testing.T) {
	store, _ := opened(t, "")
	save(t, store, tokenstore.OAuthToken{UserName: " u ", ClientID: "c", ClientSecret: " fake-s", RefreshToken: "fake-r\n"})
	save(t, store, fake)
	want := map[string][]string{"1": {"client_secret: white space before or after the value", "refresh_token: white space before or after the value"}}
	if got, err := store.Warnings(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("warnings %v, %v, want %v", got, err, want)
	}
}

func TestExistsTellsAnEmptyStoreFromNone(t *testing.T) {
	store, path := opened(t, "")
	exists := func(want bool) {
		t.Helper()
		if got, err := store.Exists(t.Context()); got != want || err != nil {
			t.Errorf("exists is %t, %v, want %t", got, err, want)
		}
	}
	exists(false)
	save(t, store, fake)
	exists(true)
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	exists(true) // The header stays.
	old := time.Now().Add(-time.Hour)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	exists(false)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Exists(t.Context()); err == nil {
		t.Error("a closed store looks")
	}
}

// TestNothingPrintedShowsACredential prints what the package hands out.
func TestNothingPrintedShowsACredential(t *testing.T) {
	store, path := opened(t, "java.txt")
	if _, err := store.GetTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := filestore.Read(t.Context(), bytes.NewReader(sample(t, "java.txt")))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]any{"store": store, "in a struct": struct{ S *filestore.Store }{store}, "row": rows[0], "rows": rows}
	for name := range broken {
		b, _ := opened(t, "broken/"+name)
		_, err := b.GetTokens(t.Context())
		shown["error of "+name] = err
		_, err = filestore.Read(t.Context(), bytes.NewReader(sample(t, "broken/"+name)))
		shown["error of reading "+name] = err
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	gone, err := filestore.Open(filepath.Join(filepath.Dir(path), "1000.fake-path", "x"))
	shown["error of opening"] = err
	if gone != nil {
		t.Error("a store without a folder")
	}
	for name, v := range shown {
		var text bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("it", "v", v)
		slog.New(slog.NewJSONHandler(&text, nil)).Info("it", "v", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&text, verb, v)
		}
		for _, credential := range []string{"1000.fake", fmt.Sprintf("%x", "1000.fake"), "cs-fake", "cs,fake"} {
			if strings.Contains(text.String(), credential) {
				t.Errorf("%s shows %s", name, credential)
			}
		}
	}
}
