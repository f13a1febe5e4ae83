package importer_test

import (
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
)

// sees checks the outcomes of a dry run and then of the import itself, and
// returns the report of the latter.
func sees(t *testing.T, destination tokenstore.Store, options importer.Options, rows []tokenstore.OAuthToken, want ...importer.Outcome) importer.Report {
	t.Helper()
	dry := options
	dry.DryRun = true
	expect(t, imported(t, destination, dry, rows...), want...)
	report := imported(t, destination, options, rows...)
	expect(t, report, want...)
	return report
}

func refreshOf(t *testing.T, s tokenstore.Store, user string) string {
	t.Helper()
	token, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
	if err != nil {
		t.Errorf("user %s: %v", user, err)
	}
	return token.RefreshToken
}

// A save goes by an access token where there is no client: it would find what
// an earlier row became.
func TestARowIsNotWrittenOverAnEarlierOne(t *testing.T) {
	destination := store(t)
	report := sees(t, destination, importer.Options{}, []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{ID: "1", UserName: "u1", RefreshToken: "r2", AccessToken: "a2"}),
		with(tokenstore.OAuthToken{ID: "2", UserName: "u2", RefreshToken: "r3"}),
		{ID: "3", RefreshToken: "r1", AccessToken: "a2"},
		{ID: "4", AccessToken: "a2"},
	}, importer.Created, importer.Created, importer.Undecided, importer.Undecided)
	if got := refreshOf(t, destination, "u1"); got != "r2" {
		t.Errorf("refresh token %q", got)
	}
	if got, want := report.Rows[2].Reason, "the same token as row 1, but with other values"; !strings.HasPrefix(got, want) {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestARowThatIsAllInAnEarlierOneIsThere(t *testing.T) {
	report := sees(t, store(t), importer.Options{}, []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{ID: "1", UserName: "u1", RefreshToken: "r1", AccessToken: "a1"}),
		{ID: "2", AccessToken: "a1"},
	}, importer.Created, importer.Present)
	if id := report.Rows[0].ID; id == "" || report.Rows[1].ID != id || report.Rows[1].Reason != "as row 1" {
		t.Errorf("row 1 has the ID %q, row 2: %+v", id, report.Rows[1])
	}
}

func TestTwoRowsNeverShareAKeptID(t *testing.T) {
	destination := store(t)
	report := sees(t, destination, importer.Options{KeepIDs: true, Overwrite: true}, []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{ID: "1", UserName: "u1", RefreshToken: "r1"}),
		with(tokenstore.OAuthToken{ID: "1", UserName: "u2", RefreshToken: "r2"}),
	}, importer.Created, importer.Refused)
	if got := refreshOf(t, destination, "u1"); got != "r1" {
		t.Errorf("refresh token %q", got)
	}
	if got, want := report.Rows[1].Reason, "row 1 has this ID in the destination; pass --keep-ids=false to give this one a new ID"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestTwoUsersDoNotAdoptOneToken(t *testing.T) {
	destination := store(t, with(tokenstore.OAuthToken{RefreshToken: "r1"}))
	sees(t, destination, importer.Options{Overwrite: true}, []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{ID: "1", UserName: "u1", RefreshToken: "r1"}),
		with(tokenstore.OAuthToken{ID: "2", UserName: "u2", RefreshToken: "r1"}),
	}, importer.Updated, importer.Created)
	for _, user := range []string{"u1", "u2"} {
		if got := refreshOf(t, destination, user); got != "r1" {
			t.Errorf("refresh token of %s: %q", user, got)
		}
	}
}

// What one row found in the destination as it is, another does not overwrite.
func TestATokenIsTheTargetOfOneRow(t *testing.T) {
	destination := store(t, with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1", AccessToken: "a1"}))
	sees(t, destination, importer.Options{Overwrite: true}, []tokenstore.OAuthToken{
		{ID: "1", AccessToken: "a1"},
		{ID: "2", UserName: "u", RefreshToken: "r2", AccessToken: "a2"},
	}, importer.Present, importer.Undecided)
	if got := refreshOf(t, destination, "u"); got != "r1" {
		t.Errorf("refresh token %q", got)
	}
}

// A row that is an earlier row's token has that row's fate.
func TestARowIsNotThereIfTheRowThatItIsWasNotWritten(t *testing.T) {
	rows := []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{ID: "1", UserName: "u", RefreshToken: "r1", AccessToken: "a1"}),
		{ID: "2", AccessToken: "a1"},
	}
	for kind, want := range map[error]importer.Outcome{tokenstore.ErrTooLarge: importer.Refused, tokenstore.ErrUnavailable: importer.NotWritten} {
		destination := &failing{Store: store(t), err: &tokenstore.Error{Op: "save token", Kind: kind}}
		report, _ := importer.Import(t.Context(), listed{tokens: rows}, destination, importer.Options{})
		expect(t, report, want, want)
	}
}
