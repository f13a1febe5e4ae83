package importer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/importer"
)

// failing is a store that saves a few tokens, and then none.
type failing struct {
	tokenstore.Store
	left  int
	saves int
	err   error
	only  string // the one user whose token is not saved; empty: anyone's
}

func (f *failing) SaveToken(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	f.saves++
	if f.left == 0 && (f.only == "" || f.only == t.UserName) {
		return tokenstore.OAuthToken{}, f.err
	}
	f.left--
	return f.Store.SaveToken(ctx, t)
}

func many(n int) (tokens []tokenstore.OAuthToken) {
	for i := range n {
		tokens = append(tokens, with(tokenstore.OAuthToken{ID: fmt.Sprint(i + 1), UserName: fmt.Sprint("u", i), RefreshToken: fmt.Sprint("r", i)}))
	}
	return tokens
}

// A destination that does not answer is not asked for each of thousands of rows.
func TestAStoreThatFailsEndsTheImport(t *testing.T) {
	for _, kind := range []error{tokenstore.ErrUnavailable, tokenstore.ErrThrottled} {
		destination := &failing{Store: store(t), left: 2, err: &tokenstore.Error{Op: "save token", Kind: kind}}
		report, err := importer.Import(t.Context(), listed{tokens: many(5)}, destination, importer.Options{})
		if !errors.Is(err, kind) || destination.saves != 3 {
			t.Errorf("%v after %d saves, want %v after 3", err, destination.saves, kind)
		}
		expect(t, report, importer.Created, importer.Created, importer.NotWritten, importer.NotWritten, importer.NotWritten)
		if report.Complete() {
			t.Error("the report says that it is complete")
		}
		destination.left = -1
		report, err = importer.Import(t.Context(), listed{tokens: many(5)}, destination, importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, importer.Present, importer.Present, importer.Created, importer.Created, importer.Created)
	}
}

// What one row alone has does not keep the others back.
func TestARowThatIsRefusedDoesNotEndTheImport(t *testing.T) {
	for _, kind := range []error{tokenstore.ErrTooLarge, tokenstore.ErrConflict, tokenstore.ErrDenied, tokenstore.ErrQuota} {
		destination := &failing{Store: store(t), only: "u0", err: &tokenstore.Error{Op: "save token", Kind: kind}}
		report, err := importer.Import(t.Context(), listed{tokens: many(2)}, destination, importer.Options{})
		if err != nil || destination.saves != 2 {
			t.Errorf("%v after %d saves, want none after 2", err, destination.saves)
		}
		expect(t, report, importer.Refused, importer.Created)
	}
	destination := &failing{Store: store(t), err: &tokenstore.Error{Op: "save token", Kind: tokenstore.ErrTooLarge}}
	report, err := importer.Import(t.Context(), listed{tokens: many(2)}, destination, importer.Options{})
	if err != nil {
		t.Error(err)
	}
	expect(t, report, importer.Refused, importer.Refused)
}

// A destination that takes nothing is at fault, not the rows; and it is not
// asked for each of thousands.
func TestADestinationThatTakesNothingEndsTheImport(t *testing.T) {
	for _, kind := range []error{tokenstore.ErrDenied, tokenstore.ErrQuota} {
		for _, rows := range []int{1, 250} {
			destination := &failing{Store: store(t), err: &tokenstore.Error{Op: "save token", Kind: kind}}
			report, err := importer.Import(t.Context(), listed{tokens: many(rows)}, destination, importer.Options{})
			if !errors.Is(err, kind) || destination.saves > 100 {
				t.Errorf("%v after %d saves, want %v after 100 at most", err, destination.saves, kind)
			}
			if n := report.Count(importer.NotWritten); n != rows {
				t.Errorf("%d of %d rows not written", n, rows)
			}
		}
	}
	// One that took rows, and then none of many, is shut too.
	destination := &failing{Store: store(t), left: 1, err: &tokenstore.Error{Op: "save token", Kind: tokenstore.ErrDenied}}
	report, err := importer.Import(t.Context(), listed{tokens: many(250)}, destination, importer.Options{})
	if !errors.Is(err, tokenstore.ErrDenied) || report.Count(importer.Created) != 1 || report.Count(importer.NotWritten) != 249 || destination.saves != 11 {
		t.Errorf("%v after %d saves: %v", err, destination.saves, report.Rows)
	}
}

// Unreadable rows are rows of the report; an unreadable source is an error.
func TestASourceThatCannotBeReadAtAllEndsTheImport(t *testing.T) {
	fault := &tokenstore.Error{Op: "get tokens", Kind: tokenstore.ErrUnreadable}
	report, err := importer.Import(t.Context(), listed{err: fault}, store(t), importer.Options{})
	if !errors.Is(err, tokenstore.ErrUnreadable) || len(report.Rows) > 0 {
		t.Errorf("%d rows, %v", len(report.Rows), err)
	}
	report, err = importer.Import(t.Context(), listed{tokens: []tokenstore.OAuthToken{}, err: fault}, store(t), importer.Options{})
	if err != nil {
		t.Error(err)
	}
	expect(t, report, importer.Refused)
}

func TestADestinationThatCannotBeReadGivesNoRows(t *testing.T) {
	destination := listed{err: &tokenstore.Error{Op: "get tokens", Kind: tokenstore.ErrUnreadable}}
	report, err := importer.Import(t.Context(), listed{tokens: many(2)}, destination, importer.Options{})
	if !errors.Is(err, tokenstore.ErrUnreadable) || len(report.Rows) > 0 {
		t.Errorf("%d rows, %v", len(report.Rows), err)
	}
}

// Each line that cannot be read is a row of the report, however many there are.
func TestEachUnreadableLineIsARow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.txt")
	text := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n" +
		"1,u1,c,s,r1,a1,,,,\n"
	for range 12 {
		text += "2,short\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := filestore.Open(path, filestore.WithReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	report, err := importer.Import(t.Context(), source, store(t), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := report.Count(importer.Refused); n != 12 || report.Count(importer.Created) != 1 {
		t.Fatalf("%d refused, want 12: %v", n, outcomes(report))
	}
	if got, want := report.Rows[3].Reason, "line 5: 2 fields instead of 10"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}
