package sqlstore_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
	"example.com/tokenstore/sqlstore"
)

// TestSourceReadsAForeignTable: other names, words for nothing, and columns that nobody
// understands, one of them with a name that has to be quoted.
func TestSourceReadsAForeignTable(t *testing.T) {
	path := older(t, "create table oauthtoken (`email` text, refreshToken text, access_token text, expires_at real, `odd``name` text, note text, created_at timestamp)",
		"insert into oauthtoken values ('u1', 'r1', 'NULL', 1763900000.5, 'x', 'None', '2025-11-23 12:13:20'), ('null', 'r2', 'a2', null, '', null, null)")
	s := open(t, path, sqlstore.WithReadOnly())
	got, err := s.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []rowstore.Row{
		{Token: tokenstore.OAuthToken{ID: "1", UserName: "u1", RefreshToken: "r1", Expiry: millis(1763900000500)}, Nulls: 1},
		{Token: tokenstore.OAuthToken{ID: "2", RefreshToken: "r2", AccessToken: "a2"}, Nulls: 1},
	}
	for range 2 { // The second time it says the same.
		var rows []rowstore.Row
		for row, err := range got.Rows {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("read\n%+v, want\n%+v", rows, want)
		}
		if unknown, want := got.Unknown(), []rowstore.Unknown{{Name: "odd`name", Rows: 1}, {Name: "created_at", Rows: 1}}; !reflect.DeepEqual(unknown, want) {
			t.Errorf("unknown %+v, want %+v", unknown, want)
		}
	}
	// A table without IDs can be read by them, too, and a store leaves the words as they are.
	if token, err := s.FindTokenByID(t.Context(), "2"); err != nil || token.UserName != "null" {
		t.Errorf("found %v, %v", token, err)
	}
	if token := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); token.ID != "1" {
		t.Errorf("found %v", token)
	}
}

func TestSamePlace(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	if !s.SamePlace(open(t, filepath.Join(filepath.Dir(path), ".", filepath.Base(path)), sqlstore.WithTable("OAuthToken"))) {
		t.Error("the same table of the same file is another place")
	}
	if s.SamePlace(open(t, path, sqlstore.WithTable("another"))) || s.SamePlace(open(t, newPath(t))) {
		t.Error("another table or file is the same place")
	}
	if memory := open(t, ":memory:"); memory.SamePlace(open(t, ":memory:")) || !memory.SamePlace(memory) {
		t.Error("memory is the same place as itself only")
	}
	if !s.SamePlace(wrapped{s}) {
		t.Error("a store in a wrapper is another place than itself")
	}
}

// wrapped is a wrapper that changes nothing.
type wrapped struct{ tokenstore.Store }

func (w wrapped) Unwrap() tokenstore.Store { return w.Store }
