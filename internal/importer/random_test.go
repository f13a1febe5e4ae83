package importer_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
	"pgregory.net/rapid"
)

// drawToken returns a token of few values, so that tokens meet in all their
// keys.
func drawToken(t *rapid.T, id string) tokenstore.OAuthToken {
	pick := func(name string, n int) string {
		if k := rapid.IntRange(0, n).Draw(t, name); k > 0 {
			return fmt.Sprint(name, k)
		}
		return ""
	}
	token := tokenstore.OAuthToken{ID: id, UserName: pick("user", 3), RefreshToken: pick("refresh", 3), GrantToken: pick("grant", 3), AccessToken: pick("access", 4)}
	switch rapid.IntRange(0, 4).Draw(t, "client") {
	case 0:
	case 1:
		token.ClientID = "c"
	default:
		token = with(token)
	}
	if n := rapid.Int64Range(0, 3).Draw(t, "expiry"); n > 0 {
		token.Expiry = start.Add(time.Duration(n) * time.Hour)
	}
	return token
}

func drawTokens(t *rapid.T, name string, most int, ids ...string) []tokenstore.OAuthToken {
	one := rapid.Custom(func(t *rapid.T) tokenstore.OAuthToken { return drawToken(t, rapid.SampledFrom(ids).Draw(t, "id")) })
	return rapid.SliceOfN(one, 0, most).Draw(t, name)
}

// Whatever is imported into whatever: what the report says is so, a dry run
// says the same, and nothing is lost of which it does not speak.
func TestAnyImportDoesWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		destination := secretstore.NewMemory()
		for _, token := range drawTokens(t, "stored", 4, "", "", "1", "2") {
			_, _ = destination.SaveToken(t.Context(), token) // One without secrets is not stored.
		}
		before := tokensOf(t, destination)
		source := drawTokens(t, "rows", 6, "1", "2", "3", "4", "5")
		options := importer.Options{KeepIDs: rapid.Bool().Draw(t, "keep IDs"), Overwrite: rapid.Bool().Draw(t, "overwrite")}
		options.Update = !options.Overwrite && rapid.Bool().Draw(t, "update")
		options = drawLimits(t, options)
		dry := options
		dry.DryRun = true
		foretold := importing(t, source, destination, dry)
		if !slices.Equal(before, tokensOf(t, destination)) {
			t.Error("the dry run wrote")
		}
		report := importing(t, source, destination, options)
		after := tokensOf(t, destination)
		for i, row := range report.Rows {
			if told := foretold.Rows[i]; told.Outcome != row.Outcome || told.Reason != row.Reason {
				t.Errorf("row %d: foretold as %s (%s), done as %s (%s)", i+1, told.Outcome, told.Reason, row.Outcome, row.Reason)
			}
		}
		checkStored(t, options, before, after, report)
		checkRows(t, source, after, report)
		again := importing(t, source, destination, options)
		// Overwriting, rows that fight for a token may each win once.
		if n := again.Count(importer.Created); !options.Overwrite && !options.Update && (n > 0 || !slices.Equal(after, tokensOf(t, destination))) {
			t.Errorf("a second import: %v", outcomes(again))
		}
	})
}

// drawLimits draws how many rows are held, and how many are moved together. Nothing may
// depend on it but the order of the report.
func drawLimits(t *rapid.T, options importer.Options) importer.Options {
	return importer.WithLimits(options, rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "held"), rapid.SampledFrom([]int{0, 1, 2}).Draw(t, "together"))
}

func importing(t *rapid.T, source []tokenstore.OAuthToken, destination tokenstore.Store, options importer.Options) importer.Report {
	report, err := importer.Import(t.Context(), listed{tokens: source}, destination, options)
	if err != nil || len(report.Lost) > 0 {
		t.Fatalf("%v, lost: %v", err, report.Lost)
	}
	inOrder(report)
	return report
}

// inOrder puts the rows into the order of the source.
func inOrder(report importer.Report) {
	slices.SortStableFunc(report.Rows, func(a, b importer.Row) int { return cmp.Compare(uint(a.Number-1), uint(b.Number-1)) })
}

func tokensOf(t *rapid.T, s tokenstore.Store) []tokenstore.OAuthToken {
	tokens, err := s.GetTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// checkStored checks that what was stored before changed only where a row says
// so, and that what came is what was created.
func checkStored(t *rapid.T, options importer.Options, before, after []tokenstore.OAuthToken, report importer.Report) {
	overwritten := map[string]bool{}
	for _, row := range report.Rows {
		if row.Outcome == importer.Updated {
			overwritten[row.ID] = true
		}
	}
	if len(overwritten) > 0 && !options.Overwrite && !options.Update {
		t.Error("tokens were overwritten unasked")
	}
	for _, token := range before {
		if !overwritten[token.ID] && !slices.Contains(after, token) {
			t.Errorf("token %s changed", token.ID)
		}
	}
	if n := len(before) + report.Count(importer.Created); n != len(after) {
		t.Errorf("%d tokens, want %d", len(after), n)
	}
}

// checkRows checks that the rows are where they are said to be, each in a token
// of its own unless it says otherwise, and that no refresh token vanished.
func checkRows(t *rapid.T, source, after []tokenstore.OAuthToken, report importer.Report) {
	taken := map[string]bool{}
	for i, row := range report.Rows {
		has := func(token tokenstore.OAuthToken) bool { return token.RefreshToken == source[i].RefreshToken }
		kept := source[i].RefreshToken == "" || slices.ContainsFunc(after, has)
		switch row.Outcome {
		case importer.Created, importer.Updated:
			if taken[row.ID] {
				t.Errorf("row %d is written over another", i+1)
			}
			taken[row.ID] = true
		case importer.Folded:
			if !kept {
				t.Errorf("row %d: its refresh token vanished, and it says %q", i+1, row.Reason)
			}
			continue
		case importer.Present:
		default:
			continue
		}
		at := slices.IndexFunc(after, func(token tokenstore.OAuthToken) bool { return token.ID == row.ID })
		filled := row.Reason == "with what the store lacked" // Its own newer access token stays.
		if at < 0 || !kept || !filled && !holdsAll(after[at], source[i]) {
			t.Errorf("row %d is %s, and not as it was moved", i+1, row.Outcome)
		}
	}
}

// holdsAll reports whether a token has all values of a row. An expiry counts
// beside its access token only.
func holdsAll(token, row tokenstore.OAuthToken) bool {
	if row.AccessToken == "" {
		row.Expiry = time.Time{}
	}
	return tokenstore.Update(token, row) == token
}
