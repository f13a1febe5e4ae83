package sqlstore_test

import (
	"errors"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// noted returns the token of a user with its note.
func noted(t testing.TB, s *sqlstore.Store, user string) tokenstore.Noted {
	t.Helper()
	n, err := s.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: user})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// note sets the note of a user's token.
func note(t testing.TB, s *sqlstore.Store, user, text string) {
	t.Helper()
	if _, swapped, err := s.SwapToken(t.Context(), noted(t, s, user), tokenstore.OAuthToken{}, text); err != nil || !swapped {
		t.Fatalf("swapped: %v, %v", swapped, err)
	}
}

// TestNotesLeaveTheSDKsTableAlone checks that nothing is created before the first note, and
// that the table of the SDKs is never altered.
func TestNotesLeaveTheSDKsTableAlone(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	run(t, db, sdkTable)
	const schema, tables = "select sql from sqlite_master where name = 'oauthtoken'", "select count(*) from sqlite_master where name = 'tokenstore_notes'"
	before := text(t, db, schema)
	s := open(t, path)
	save(t, s, full("u", "1"))
	n := noted(t, s, "u")
	if _, swapped, err := s.SwapToken(t.Context(), n, tokenstore.OAuthToken{AccessToken: "access-2"}, ""); err != nil || !swapped {
		t.Errorf("swapped: %v, %v", swapped, err)
	}
	if got := text(t, db, tables); got != "0" {
		t.Error("a table was created without a note")
	}
	note(t, s, "u", "n")
	if got := text(t, db, tables); got != "1" {
		t.Error("there is no table")
	}
	if after := text(t, db, schema); after != before {
		t.Errorf("the table is now %s", after)
	}
	if got := text(t, db, "select note from tokenstore_notes"); got != "n" {
		t.Errorf("the note is %q", got)
	}
	if err := s.DeleteToken(t.Context(), n.ID); err != nil {
		t.Error(err)
	}
	if got := text(t, db, "select count(*) from tokenstore_notes"); got != "0" {
		t.Error("the note of a deleted token is still there")
	}
}

// TestNotesAfterAnSDK checks that a note does not count for what an SDK has written since:
// another token in the row, or another row with its ID.
func TestNotesAfterAnSDK(t *testing.T) {
	for name, statements := range map[string][]string{
		"an update": {"update oauthtoken set access_token = 'of an SDK'"},
		"another refresh token": {
			"delete from oauthtoken",
			"insert into oauthtoken (id, user_name, refresh_token, access_token, grant_token) values ('1', 'u', 'of another', 'access-1', 'grant-1')",
		},
	} {
		path := newPath(t)
		db := raw(t, path)
		s := open(t, path)
		save(t, s, full("u", "1"))
		note(t, s, "u", "n")
		run(t, db, statements...)
		if got := noted(t, s, "u"); got.Note != "" {
			t.Errorf("%s: the note is %q", name, got.Note)
		}
		// What counts no more is not brought back by a save.
		save(t, s, tokenstore.OAuthToken{UserName: "u", RefreshToken: "refresh-1", AccessToken: "access-1"})
		if got := noted(t, s, "u"); got.Note != "" {
			t.Errorf("%s, and a save: the note is %q", name, got.Note)
		}
	}
	path := newPath(t)
	s := open(t, path)
	first := save(t, s, full("u", "1"))
	note(t, s, "u", "n")
	// The row as the SDKs delete it; then this store inserts the very same again.
	run(t, raw(t, path), "delete from oauthtoken")
	save(t, s, first)
	if got := noted(t, s, "u"); got.Note != "" {
		t.Errorf("an insert has the note %q", got.Note)
	}
}

// TestNotesOfTwoTables checks that tables share no notes.
func TestNotesOfTwoTables(t *testing.T) {
	path := newPath(t)
	one, other := open(t, path), open(t, path, sqlstore.WithTable("others"))
	for _, s := range []*sqlstore.Store{one, other} {
		save(t, s, full("u", "1"))
	}
	note(t, one, "u", "one")
	if got := noted(t, other, "u"); got.Note != "" {
		t.Errorf("the note of another table is %q", got.Note)
	}
	note(t, other, "u", "other")
	if err := one.DeleteTokens(t.Context()); err != nil {
		t.Error(err)
	}
	if got := noted(t, other, "u"); got.Note != "other" {
		t.Errorf("the note is %q", got.Note)
	}
}

// TestNotesThatSomebodyRemoves checks that the table is made again.
func TestNotesThatSomebodyRemoves(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u", "1"))
	note(t, s, "u", "n")
	run(t, raw(t, path), "drop table tokenstore_notes")
	if got := noted(t, s, "u"); got.Note != "" {
		t.Errorf("the note is %q", got.Note)
	}
	note(t, s, "u", "n2")
	if got := noted(t, s, "u"); got.Note != "n2" {
		t.Errorf("the note is %q", got.Note)
	}
}

// TestNotesForReadersOnly checks that a reader sees notes, and cannot swap.
func TestNotesForReadersOnly(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u", "1"))
	reader := open(t, path, sqlstore.WithReadOnly())
	if got := noted(t, reader, "u"); got.Note != "" {
		t.Errorf("the note is %q", got.Note)
	}
	note(t, s, "u", "n")
	if got := noted(t, reader, "u"); got.Note != "n" {
		t.Errorf("the note is %q", got.Note)
	}
	if _, _, err := reader.SwapToken(t.Context(), noted(t, reader, "u"), tokenstore.OAuthToken{}, "n2"); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("a swap gives %v", err)
	}
}

// TestSwapThatATriggerChanges checks that a swap leaves no half: neither token nor note.
func TestSwapThatATriggerChanges(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	want := save(t, s, full("u", "1"))
	note(t, s, "u", "n")
	run(t, raw(t, path), "create trigger keeps after update on oauthtoken begin update oauthtoken set access_token = 'x'; end")
	if _, _, err := s.SwapToken(t.Context(), noted(t, s, "u"), tokenstore.OAuthToken{AccessToken: "a2"}, "n2"); !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("a swap gives %v", err)
	}
	if got := noted(t, s, "u"); got.OAuthToken != want || got.Note != "n" {
		t.Errorf("stored is %v with %q", got, got.Note)
	}
}

func TestPing(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("an empty table: %v", err)
	}
	upper := open(t, path, sqlstore.WithTable("OAuthToken"), sqlstore.WithReadOnly())
	if err := upper.Ping(t.Context()); err != nil {
		t.Errorf("the table's name in capitals: %v", err)
	}
	run(t, raw(t, path), "drop table oauthtoken")
	if err := s.Ping(t.Context()); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("no table: %v", err)
	}
	closed, err := sqlstore.OpenSQLite(t.Context(), newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closed.Close(), closed.Ping(t.Context())); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a closed store: %v", err)
	}
}
