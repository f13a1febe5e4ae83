package importer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
)

// odd is a source that names slips, and may be no store at all.
type odd struct {
	listed
	warnings map[string][]string
	none     bool
	err      error
}

func (o odd) Warnings(context.Context) (map[string][]string, error) { return o.warnings, o.err }

func (o odd) Exists(context.Context) (bool, error) { return !o.none, o.err }

// TestTheReportNamesSlips: they are named beside the row, and do not keep it back.
func TestTheReportNamesSlips(t *testing.T) {
	const expiry, space = "expiry_time: no time", "refresh_token: white space before or after the value"
	source := odd{
		listed:   listed{tokens: []tokenstore.OAuthToken{{ID: "1", RefreshToken: "r1\n"}, {ID: "2", RefreshToken: "r2"}, {ID: "3", RefreshToken: "r3"}}},
		warnings: map[string][]string{"1": {expiry, space}, "3": {expiry}},
	}
	report, err := importer.Import(t.Context(), source, store(t), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, importer.Created, importer.Created, importer.Created)
	for i, want := range [][]string{{space, expiry}, nil, {expiry}} {
		if got := report.Rows[i].Warnings; !slices.Equal(got, want) {
			t.Errorf("row %d: warnings %q, want %q", i+1, got, want)
		}
	}
	if !report.Complete() {
		t.Error("a warning makes the import incomplete")
	}
	source.err = tokenstore.ErrUnavailable
	if _, err := importer.Import(t.Context(), source, store(t), importer.Options{}); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("a source that cannot be asked: %v", err)
	}
}

// TestAPlaceWhereNothingIsIsNoEmptySource: the import of an empty store has moved all
// of it, that from a wrong place has not.
func TestAPlaceWhereNothingIsIsNoEmptySource(t *testing.T) {
	for _, none := range []bool{false, true} {
		report, err := importer.Import(t.Context(), odd{listed: listed{tokens: []tokenstore.OAuthToken{}}, none: none}, store(t), importer.Options{})
		if errors.Is(err, importer.ErrNothingHere) != none || len(report.Rows) > 0 {
			t.Errorf("nothing is there: %t, and the import says %v", none, err)
		}
	}
}

// TestAnImportWithoutTheStoresPepperSaysSo once, whatever it moves.
func TestAnImportWithoutTheStoresPepperSaysSo(t *testing.T) {
	secrets := memory.New()
	open := func(options ...secretstore.Option) *secretstore.Store {
		s, err := secretstore.New(secrets, options...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pepper := secretstore.WithPepper([]byte("a pepper of more than sixteen bytes"))
	imported(t, open(pepper), importer.Options{}, many(3)...)
	for want, destination := range map[int]*secretstore.Store{0: open(pepper), 1: open()} {
		n := 0
		for _, remark := range imported(t, destination, importer.Options{DryRun: true}, many(5)...).Remarks {
			if strings.Contains(remark, "another pepper") {
				n++
			}
		}
		if n != want {
			t.Errorf("%d remarks about the pepper, want %d", n, want)
		}
	}
}
