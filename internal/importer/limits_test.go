// What an import holds is bounded, and nothing depends on the bound: a source of many rows
// is moved as one of few is.

package importer_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
	"pgregory.net/rapid"
)

// TestBatchesChangeNothing imports the same rows with and without small limits: the same
// becomes of each row, and the same tokens are stored.
func TestBatchesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		there := drawTokens(t, "stored", 4, "", "", "1", "2")
		source := drawTokens(t, "rows", 8, "1", "2", "3", "4", "5")
		options := importer.Options{KeepIDs: rapid.Bool().Draw(t, "keep IDs"), Overwrite: rapid.Bool().Draw(t, "overwrite")}
		options.Update = !options.Overwrite && rapid.Bool().Draw(t, "update")
		var rows [2]string
		var tokens [2][]string
		for i, options := range []importer.Options{options, drawLimits(t, options)} {
			destination := secretstore.NewMemory()
			for _, token := range there {
				_, _ = destination.SaveToken(t.Context(), token) // One without secrets is not stored.
			}
			report := importing(t, source, destination, options)
			for _, row := range report.Rows {
				rows[i] += fmt.Sprintln(row.Number, row.Outcome, row.Reason, row.Warnings)
			}
			for _, token := range tokensOf(t, destination) {
				token.ID = ""
				tokens[i] = append(tokens[i], fmt.Sprintf("%q %q %q %q %q %v", token.UserName, token.ClientID, token.RefreshToken, token.AccessToken, token.GrantToken, token.Expiry))
			}
			slices.Sort(tokens[i])
		}
		if rows[0] != rows[1] || !slices.Equal(tokens[0], tokens[1]) {
			t.Errorf("at once:\n%s%s\nin batches:\n%s%s", rows[0], strings.Join(tokens[0], "\n"), rows[1], strings.Join(tokens[1], "\n"))
		}
	})
}

// streamed is a source that yields tokens, which change between two ranges.
type streamed struct {
	tokenstore.Store
	tokens  []tokenstore.OAuthToken
	change  func([]tokenstore.OAuthToken) []tokenstore.OAuthToken
	ranges  int
	yielded int
}

func (s *streamed) Tokens(context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		if s.ranges++; s.ranges == 2 && s.change != nil {
			s.tokens = s.change(s.tokens)
		}
		for _, token := range s.tokens {
			s.yielded++
			if !yield(token, nil) {
				return
			}
		}
	}
}

// TestASourceInUseIsMoved has the application refresh, add, delete and reorder tokens while
// they are moved: each row goes with the values of the second reading.
func TestASourceInUseIsMoved(t *testing.T) {
	source := &streamed{tokens: many(20), change: func(tokens []tokenstore.OAuthToken) []tokenstore.OAuthToken {
		tokens = slices.Clone(tokens)
		tokens[3].AccessToken, tokens[3].RefreshToken = "refreshed", "rotated"
		tokens[8].RefreshToken = tokens[9].RefreshToken // It is another row's now: not this time.
		tokens = slices.Delete(tokens, 5, 6)
		slices.Reverse(tokens)
		return append(tokens, with(tokenstore.OAuthToken{ID: "new", UserName: "new", RefreshToken: "new"}))
	}}
	destination := store(t)
	report, err := importer.Import(t.Context(), source, destination, importer.WithLimits(importer.Options{}, 1, 3))
	if err != nil || report.Count(importer.Created) != 18 || report.Count(importer.NotWritten) != 1 || len(report.Lost) > 0 || report.Total() != 19 {
		t.Errorf("%v, %d created, %d not written of %d, lost %v", err, report.Count(importer.Created), report.Count(importer.NotWritten), report.Total(), report.Lost)
	}
	if want := "1 row is gone from the source since the import began"; !slices.Contains(report.Remarks, want) {
		t.Errorf("remarks %q", report.Remarks)
	}
	found, err := destination.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u3"})
	if err != nil || found.AccessToken != "refreshed" || found.RefreshToken != "rotated" {
		t.Errorf("the refreshed token is %v, %v", found.AccessToken, err)
	}
	// Run again, it moves the rest.
	source.ranges = 2
	report, err = importer.Import(t.Context(), source, destination, importer.WithLimits(importer.Options{}, 1, 3))
	if err != nil || report.Count(importer.Created) != 2 || report.Count(importer.Present) != 18 {
		t.Errorf("again: %v, %v", err, outcomes(report))
	}
}

// TestASmallSourceIsReadOnce: it is of one moment then.
func TestASmallSourceIsReadOnce(t *testing.T) {
	source := &streamed{tokens: many(20)}
	if _, err := importer.Import(t.Context(), source, store(t), importer.Options{}); err != nil || source.ranges != 1 {
		t.Errorf("%v, read %d times", err, source.ranges)
	}
}

// TestRowsThatWereNotReachedAreCounted: an import of many rows that ends early does not
// list them.
func TestRowsThatWereNotReachedAreCounted(t *testing.T) {
	destination := &failing{Store: store(t), left: 12, err: &tokenstore.Error{Op: "save token", Kind: tokenstore.ErrUnavailable}}
	report, err := importer.Import(t.Context(), &streamed{tokens: many(100)}, destination, importer.WithLimits(importer.Options{}, 1, 20))
	if !errors.Is(err, tokenstore.ErrUnavailable) || report.Count(importer.Created) != 12 || report.Count(importer.NotWritten) != 88 || len(report.Rows) != 20 {
		t.Errorf("%v, %d created, %d not written, %d rows", err, report.Count(importer.Created), report.Count(importer.NotWritten), len(report.Rows))
	}
}

// TestTheReportIsGivenInParts: with Rows, the report holds none.
func TestTheReportIsGivenInParts(t *testing.T) {
	parts, rows := 0, 0
	options := importer.WithLimits(importer.Options{Rows: func(some []importer.Row) error {
		parts++
		rows += len(some)
		return nil
	}}, 1, 20)
	report, err := importer.Import(t.Context(), &streamed{tokens: many(100)}, store(t), options)
	if err != nil || rows != 100 || parts < 5 || len(report.Rows) > 0 || report.Count(importer.Created) != 100 || !report.Complete() {
		t.Errorf("%v, %d rows in %d parts, and %d in the report", err, rows, parts, len(report.Rows))
	}
	full := errors.New("the disk is full")
	options.Rows = func([]importer.Row) error { return full }
	if _, err := importer.Import(t.Context(), &streamed{tokens: many(100)}, store(t), options); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
}

// expecting is a store that notes what it is told to expect, and cannot prepare for it.
type expecting struct {
	tokenstore.Store
	told []int
}

func (s *expecting) Expect(_ context.Context, n int) error {
	s.told = append(s.told, n)
	return tokenstore.ErrQuota
}

// TestTheDestinationIsToldWhatComes once, before the first of many batches, and not by a dry
// run.
func TestTheDestinationIsToldWhatComes(t *testing.T) {
	destination := &expecting{Store: store(t, many(100)[:30]...)}
	for _, dry := range []bool{true, false, false} {
		if _, err := importer.Import(t.Context(), &streamed{tokens: many(100)}, destination, importer.WithLimits(importer.Options{DryRun: dry}, 1, 20)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(destination.told, []int{70}) {
		t.Errorf("told %v, want 70 once", destination.told)
	}
}
