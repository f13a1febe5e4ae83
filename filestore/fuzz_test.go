package filestore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// FuzzRead reads any bytes. Written again unchanged they are the same; what was
// read without complaint and is encoded again, field by field, is read again as
// it was, unless the writer refuses it.
func FuzzRead(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	more, err := filepath.Glob("testdata/broken/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(seeds, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := filestore.Rewritten(data); !bytes.Equal(got, data) {
			t.Fatalf("written again: %q\nwas %q", got, data)
		}
		rows, err := filestore.Read(t.Context(), bytes.NewReader(data))
		ids := map[string]bool{}
		for _, r := range rows {
			if r.Token.ID != "" && ids[r.Token.ID] {
				t.Fatalf("two rows have the ID %q", r.Token.ID)
			}
			ids[r.Token.ID] = true
		}
		if err != nil {
			return
		}
		encoded, err := filestore.Reencoded(data)
		if errors.Is(err, tokenstore.ErrInvalidToken) || errors.Is(err, filestore.ErrLosesColumns) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := filestore.Read(t.Context(), bytes.NewReader(encoded))
		if err != nil {
			t.Fatalf("%v in %q\nfrom %q", err, encoded, data)
		}
		sameRows(t, again, rows)
	})
}

func sameRows(t *testing.T, got, want []filestore.Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if want[i].Token.ID == "" { // The first generation has none.
			got[i].Token.ID = ""
		}
		if got[i].Token != want[i].Token {
			t.Fatalf("row %d: %s\nwant %s", i+1, encoded(t, got[i].Token), encoded(t, want[i].Token))
		}
	}
}

// FuzzSaved saves any tokens in a file of any SDK, and reads it: the tokens are those
// that the writer has, unless it refused one, and to save them again changes no byte.
func FuzzSaved(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatal(err)
	}
	f.Add(uint8(0), uint8(0), "u,1", "c\"", "\"s\"", "r\r", "a\nb", "null", " ", "\ufeffd", int64(1763900000000))
	f.Add(uint8(1), uint8(1), "u", "c", "s", "r", "a", "", "", "https://www.zohoapis.com", int64(0))
	f.Add(uint8(2), uint8(2), "", "", "", "", "\x00", "\xff", "NULL", "\\", int64(-1))
	f.Fuzz(func(t *testing.T, file, quotes uint8, user, client, secret, refresh, access, grant, redirect, domain string, expiry int64) {
		data, err := os.ReadFile(names[int(file)%len(names)])
		if err != nil {
			t.Fatal(err)
		}
		if file >= 128 {
			data = nil
		}
		options := []filestore.Option{filestore.WithUpgrade()}
		if quotes %= 3; quotes > 0 {
			options = append(options, filestore.WithQuotes(quotes == 1))
		}
		tokens := []tokenstore.OAuthToken{
			{UserName: user, ClientID: client, ClientSecret: secret, RefreshToken: refresh, AccessToken: access, GrantToken: grant, RedirectURL: redirect, APIDomain: domain},
			{ID: domain, UserName: redirect, ClientID: grant, ClientSecret: access, RefreshToken: secret, AccessToken: refresh, GrantToken: user, RedirectURL: client, APIDomain: "d"},
		}
		if expiry > 0 && expiry < 1e13 {
			tokens[0].Expiry = time.UnixMilli(expiry)
		}
		written, want, err := filestore.Saved(data, tokens, options...)
		if err != nil {
			if tokenstore.Kind(err) == nil {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		rows, err := filestore.Read(t.Context(), bytes.NewReader(written))
		if err != nil || len(rows) != len(want) {
			t.Fatalf("%d rows, %v, want %d of %q", len(rows), err, len(want), written)
		}
		for i, r := range rows {
			if r.Token != want[i] {
				t.Fatalf("row %d: %s\nwant %s", i+1, encoded(t, r.Token), encoded(t, want[i]))
			}
		}
		again, _, err := filestore.Saved(written, want, options...)
		if err != nil || !bytes.Equal(again, written) {
			t.Fatalf("saved again: %v\n%q\nwas\n%q", err, again, written)
		}
	})
}
