package importer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
)

func store(t *testing.T, tokens ...tokenstore.OAuthToken) *secretstore.Store {
	t.Helper()
	s := secretstore.NewMemory()
	for _, token := range tokens {
		if _, err := s.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// listed is a source with rows that no store of ours would hold together.
type listed struct {
	tokenstore.Store
	tokens []tokenstore.OAuthToken
	err    error
}

func (l listed) GetTokens(context.Context) ([]tokenstore.OAuthToken, error) { return l.tokens, l.err }

func with(t tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.ClientID, t.ClientSecret = "c", "s"
	return t
}

func outcomes(r importer.Report) (all []importer.Outcome) {
	for _, row := range r.Rows {
		all = append(all, row.Outcome)
	}
	return all
}

func expect(t *testing.T, r importer.Report, want ...importer.Outcome) {
	t.Helper()
	got := outcomes(r)
	if len(got) != len(want) {
		t.Fatalf("outcomes %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("outcomes %v, want %v", got, want)
		}
	}
	if len(r.Lost) > 0 {
		t.Errorf("lost: %+v", r.Lost)
	}
}

func TestRowsOfOneTokenAreFoldedIntoTheOneThatLivesLongest(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(1763900000+s, 0).UTC() }
	source := listed{tokens: []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{ID: "1", UserName: "u1", RefreshToken: "r1", AccessToken: "old", Expiry: at(0)}),
		with(tokenstore.OAuthToken{ID: "2", UserName: "u1", RefreshToken: "r1", AccessToken: "new", Expiry: at(1)}),
		with(tokenstore.OAuthToken{ID: "3", RefreshToken: "r1", AccessToken: "newest", Expiry: at(2)}),
		with(tokenstore.OAuthToken{ID: "4", UserName: "u2", RefreshToken: "r1", AccessToken: "other", Expiry: at(1)}),
		with(tokenstore.OAuthToken{ID: "5", RefreshToken: "r5"}),
		with(tokenstore.OAuthToken{ID: "6", RefreshToken: "r5", AccessToken: "a6", Expiry: at(0)}),
	}}
	destination := store(t)
	report, err := importer.Import(t.Context(), source, destination, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, importer.Folded, importer.Created, importer.Folded, importer.Created, importer.Folded, importer.Created)
	if want := "into row 2"; report.Rows[0].Reason != want || report.Rows[2].Reason != want {
		t.Errorf("reasons %q and %q, want %q", report.Rows[0].Reason, report.Rows[2].Reason, want)
	}
	report, err = importer.Import(t.Context(), source, destination, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, importer.Folded, importer.Present, importer.Folded, importer.Present, importer.Folded, importer.Present)
}

func TestRowsWithoutAKeyToFindThemAreNotCreatedTwice(t *testing.T) {
	source := listed{tokens: []tokenstore.OAuthToken{{ID: "1", RefreshToken: "r1"}, {ID: "2", RefreshToken: "r2", ClientID: "c"}, {ID: "3", AccessToken: "a3"}}}
	destination := store(t)
	for _, want := range []importer.Outcome{importer.Created, importer.Present} {
		report, err := importer.Import(t.Context(), source, destination, importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, want, want, want)
	}
}

func TestWhatCannotBeMovedIsRefused(t *testing.T) {
	source := listed{
		tokens: []tokenstore.OAuthToken{{ID: "1", UserName: "no secrets"}, {ID: "x", AccessToken: "a"}},
		err:    errors.Join(&tokenstore.Error{Op: "get tokens", Name: "k1…", Kind: tokenstore.ErrUnreadable}),
	}
	destination := store(t, tokenstore.OAuthToken{ID: "x", AccessToken: "another"})
	report, err := importer.Import(t.Context(), source, destination, importer.Options{KeepIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, importer.Refused, importer.Refused, importer.Refused)
	if report.Complete() {
		t.Error("the report says that it is complete")
	}
}

func TestAnInterruptedImportCanBeRunAgain(t *testing.T) {
	var tokens []tokenstore.OAuthToken
	for i := range 250 {
		tokens = append(tokens, with(tokenstore.OAuthToken{UserName: "u" + string(rune('A'+i%26)) + string(rune('a'+i/26)), RefreshToken: "r" + string(rune(0x4e00+i))}))
	}
	destination := store(t)
	ctx, cancel := context.WithCancel(t.Context())
	first, err := importer.Import(ctx, listed{tokens: tokens}, destination, importer.Options{Progress: func(stage importer.Stage, done, _ int) {
		if stage == importer.Moving && done >= 110 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	report, err := importer.Import(t.Context(), listed{tokens: tokens}, destination, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c, p := report.Count(importer.Created), report.Count(importer.Present); c+p != 250 || p < 100 || p == 250 || p != first.Count(importer.Created) || len(report.Lost) > 0 {
		t.Errorf("%d created, after %d, %d already there, lost %v", c, first.Count(importer.Created), p, report.Lost)
	}
	if all, err := destination.GetTokens(t.Context()); err != nil || len(all) != 250 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}
