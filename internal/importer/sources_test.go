// Sources at random, as files and as tables: the sum is always right, and no refresh
// token is dropped without a word.

package importer_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/sqlstore"
	"pgregory.net/rapid"
)

// field is a field of a row as the test writes it: its column's names, and its text.
type field struct {
	names []string
	of    func(*tokenstore.OAuthToken) *string // nil: the expiry
}

var drawnFields = []field{
	{[]string{"id"}, func(t *tokenstore.OAuthToken) *string { return &t.ID }},
	{[]string{"user_name", "user_mail", "email", "userName"}, func(t *tokenstore.OAuthToken) *string { return &t.UserName }},
	{[]string{"client_id", "clientId"}, func(t *tokenstore.OAuthToken) *string { return &t.ClientID }},
	{[]string{"client_secret"}, func(t *tokenstore.OAuthToken) *string { return &t.ClientSecret }},
	{[]string{"refresh_token", "refreshtoken"}, func(t *tokenstore.OAuthToken) *string { return &t.RefreshToken }},
	{[]string{"access_token"}, func(t *tokenstore.OAuthToken) *string { return &t.AccessToken }},
	{[]string{"grant_token", "code"}, func(t *tokenstore.OAuthToken) *string { return &t.GrantToken }},
	{[]string{"expiry_time", "expires_in", "expires_at", "expiry"}, nil},
}

// drawnSource is a source and what is in it.
type drawnSource struct {
	header  []string
	cells   [][]string // as they are written; empty and words for nothing are absent
	rows    []tokenstore.OAuthToken
	unknown bool // a column that nobody understands holds something
}

// drawSource draws a source of few values, so that rows meet in all their keys.
func drawSource(t *rapid.T) drawnSource {
	var s drawnSource
	fields := rapid.Permutation(drawnFields).Draw(t, "columns")
	for _, f := range fields {
		s.header = append(s.header, rapid.SampledFrom(f.names).Draw(t, "name"))
	}
	note := rapid.Bool().Draw(t, "note")
	if note {
		s.header = append(s.header, "note")
	}
	for n := range rapid.IntRange(0, 7).Draw(t, "rows") {
		token := drawToken(t, fmt.Sprint(n+1))
		if token.ClientID != "" && rapid.IntRange(0, 4).Draw(t, "another client") == 0 {
			token.ClientID = "c2"
		}
		var cells []string
		at, expiry := drawExpiry(t)
		token.Expiry = at
		for _, f := range fields {
			text := expiry
			if f.of != nil {
				text = *f.of(&token)
			}
			if text == "" {
				text = rapid.SampledFrom([]string{"", "", "NULL", "null", `\N`, "None", "undefined", "nil"}).Draw(t, "nothing")
			}
			cells = append(cells, text)
		}
		if note {
			text := rapid.SampledFrom([]string{"", "NULL", "noted"}).Draw(t, "note's text")
			s.unknown = s.unknown || text == "noted"
			cells = append(cells, text)
		}
		s.cells, s.rows = append(s.cells, cells), append(s.rows, token)
		if rapid.IntRange(0, 5).Draw(t, "again") == 0 { // The same row once more, with an ID of its own.
			token.ID = fmt.Sprint(n + 101)
			again := slices.Clone(cells)
			again[slices.Index(s.header, "id")] = token.ID
			s.cells, s.rows = append(s.cells, again), append(s.rows, token)
		}
	}
	return s
}

// drawExpiry returns an expiry and how a program writes it.
func drawExpiry(t *rapid.T) (time.Time, string) {
	at := start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "hours")) * time.Hour)
	switch rapid.IntRange(0, 7).Draw(t, "expiry's form") {
	case 0:
		return time.Time{}, "3600"
	case 1:
		return at, at.Format(time.RFC3339)
	case 2:
		return at, fmt.Sprintf("%d.0", at.Unix())
	case 3:
		return at, at.Format("2006-01-02 15:04:05")
	case 4:
		return time.Time{}, "soon"
	case 5:
		return time.Time{}, ""
	case 6:
		return at, fmt.Sprint(at.Unix())
	}
	return at, fmt.Sprint(at.UnixMilli())
}

// file writes the source as a file.
func (s drawnSource) file(t *rapid.T, folder string) tokenstore.Store {
	text := strings.Join(s.header, ",") + "\n"
	for _, cells := range s.cells {
		text += strings.Join(cells, ",") + "\n"
	}
	path := filepath.Join(folder, "tokens.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := filestore.Open(path, filestore.WithReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// table writes the source as a table.
func (s drawnSource) table(t *rapid.T, folder string) tokenstore.Store {
	path := filepath.Join(folder, "tokens.db")
	_ = os.Remove(path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	statements := []string{"CREATE TABLE oauthtoken (" + strings.Join(s.header, " TEXT, ") + " TEXT)"}
	for _, cells := range s.cells {
		statements = append(statements, "INSERT INTO oauthtoken VALUES ('"+strings.Join(cells, "', '")+"')")
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	store, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.WithReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TestNoSourceLosesARefreshToken: every row of the source has one outcome; every refresh
// token of it is in the destination, or its row is named and the import is not complete.
// And the other way: what the report says of a row is so, nothing is in the destination
// that was neither there nor in the source, and a row is left to decide or refused for
// a reason only.
func TestNoSourceLosesARefreshToken(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		source := s.file(t, folder)
		if rapid.Bool().Draw(t, "table") {
			source = s.table(t, folder)
		}
		destination := secretstore.NewMemory()
		for _, token := range drawTokens(t, "stored", 3, "", "", "1", "2") {
			_, _ = destination.SaveToken(t.Context(), token) // One without secrets is not stored.
		}
		before := tokensOf(t, destination)
		options := importer.Options{KeepIDs: rapid.IntRange(0, 3).Draw(t, "keep IDs") == 0, Update: rapid.Bool().Draw(t, "update")}
		report, err := importer.Import(t.Context(), source, destination, drawLimits(t, options))
		if err != nil || len(report.Lost) > 0 {
			t.Fatalf("%v, lost %v", err, report.Lost)
		}
		inOrder(report)
		after := tokensOf(t, destination)
		checkSum(t, s, report)
		checkForward(t, s, after, report)
		checkBackward(t, s, before, after, report)
	})
}

func checkSum(t *rapid.T, s drawnSource, report importer.Report) {
	sum, incomplete := 0, s.unknown
	for _, o := range []importer.Outcome{importer.Created, importer.Updated, importer.Present, importer.Folded, importer.Undecided, importer.Refused} {
		sum += report.Count(o)
		incomplete = incomplete || report.Count(o) > 0 && (o == importer.Undecided || o == importer.Refused)
	}
	if sum != len(s.rows) || len(report.Rows) != len(s.rows) {
		t.Fatalf("%d rows in the source, %d in the report, and the sum is %d", len(s.rows), len(report.Rows), sum)
	}
	if report.Complete() == incomplete || s.unknown != (len(report.Unknown) == 1) {
		t.Errorf("complete is %t, unknown columns %v", report.Complete(), report.Unknown)
	}
}

// checkForward goes from the source to the destination and the report.
func checkForward(t *rapid.T, s drawnSource, after []tokenstore.OAuthToken, report importer.Report) {
	for i, row := range s.rows {
		found := row.RefreshToken == "" || slices.ContainsFunc(after, func(token tokenstore.OAuthToken) bool { return token.RefreshToken == row.RefreshToken })
		named := report.Rows[i].Outcome == importer.Undecided || report.Rows[i].Outcome == importer.Refused
		if report.Rows[i].Number != i+1 || !found && !named {
			t.Errorf("row %d: its refresh token is gone, and it says %s (%s)", i+1, report.Rows[i].Outcome, report.Rows[i].Reason)
		}
		if named && report.Rows[i].Reason == "" {
			t.Errorf("row %d is %s without a reason", i+1, report.Rows[i].Outcome)
		}
	}
}

// checkBackward goes from the report and the destination to the source.
func checkBackward(t *rapid.T, s drawnSource, before, after []tokenstore.OAuthToken, report importer.Report) {
	if n := len(before) + report.Count(importer.Created); n != len(after) {
		t.Errorf("%d tokens, want %d", len(after), n)
	}
	for i, row := range report.Rows {
		at := slices.IndexFunc(after, func(token tokenstore.OAuthToken) bool { return row.ID != "" && token.ID == row.ID })
		switch row.Outcome {
		case importer.Created, importer.Present:
			if at < 0 || !holdsAll(after[at], s.rows[i]) {
				t.Errorf("row %d is %s, and its values are not there", i+1, row.Outcome)
			}
		case importer.Updated:
			if at < 0 || s.rows[i].RefreshToken != "" && after[at].RefreshToken != s.rows[i].RefreshToken {
				t.Errorf("row %d is updated, and its refresh token is not there", i+1)
			}
		case importer.Folded:
			if at < 0 || !keeps(after[at], s.rows[i]) {
				t.Errorf("row %d is folded, and more than an access token was given up", i+1)
			}
		case importer.Undecided:
			others := slices.Concat(before, s.rows[:i], s.rows[i+1:])
			if !slices.ContainsFunc(others, func(other tokenstore.OAuthToken) bool { return meet(other, s.rows[i]) }) {
				t.Errorf("row %d is left to decide (%s), and nothing is in its way", i+1, row.Reason)
			}
		case importer.Refused:
			if tokenstore.CheckInsert(s.rows[i]) == nil && !strings.Contains(row.Reason, "this ID") && !strings.HasPrefix(row.Reason, "as row") {
				t.Errorf("row %d is refused: %s", i+1, row.Reason)
			}
		}
	}
	for _, token := range after {
		came := func(row tokenstore.OAuthToken) bool { return row.RefreshToken == token.RefreshToken }
		if token.RefreshToken != "" && !slices.ContainsFunc(s.rows, came) && !slices.ContainsFunc(before, came) {
			t.Errorf("token %s has a refresh token that nobody had", token.ID)
		}
	}
}

// keeps reports whether a token has a row's refresh token and client.
func keeps(token, row tokenstore.OAuthToken) bool {
	for _, pair := range [][2]string{
		{token.RefreshToken, row.RefreshToken}, {token.ClientID, row.ClientID}, {token.ClientSecret, row.ClientSecret}, {token.UserName, row.UserName},
	} {
		if pair[1] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

// meet reports whether two tokens have a key in common.
func meet(a, b tokenstore.OAuthToken) bool {
	return slices.ContainsFunc(tokenstore.KeysOf(a), func(k tokenstore.Key) bool { return tokenstore.Holds(b, k) })
}
