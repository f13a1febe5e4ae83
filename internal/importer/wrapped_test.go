// Stores in wrappers: what a store can do beyond the six methods is used behind one, too.

package importer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
)

// wrapped is a wrapper that changes nothing, such as one that measures the six methods.
type wrapped struct{ tokenstore.Store }

func (w wrapped) Unwrap() tokenstore.Store { return w.Store }

// able is a store that notes which of its abilities are used.
type able struct {
	*secretstore.Store
	used map[string]bool
}

func (a able) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	a.used["SaveTokens"] = true
	return a.Store.SaveTokens(ctx, tokens)
}

func (a able) FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	a.used["FindTokens"] = true
	return a.Store.FindTokens(ctx, queries)
}

func (a able) Expect(ctx context.Context, n int) error {
	a.used["Expect"] = true
	return a.Store.Expect(ctx, n)
}

func (a able) OtherPepper() bool {
	a.used["OtherPepper"] = true
	return true
}

func TestADestinationInAWrapperDoesAllThatItCan(t *testing.T) {
	var rows []tokenstore.OAuthToken
	for n := range 5 {
		rows = append(rows, counted(n))
	}
	destination := able{secretstore.NewMemory(), map[string]bool{}}
	report, err := importer.Import(t.Context(), listed{tokens: rows}, wrapped{destination}, importer.WithLimits(importer.Options{}, 10, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, ability := range []string{"SaveTokens", "FindTokens", "Expect", "OtherPepper"} {
		if !destination.used[ability] {
			t.Errorf("%s is not used behind a wrapper", ability)
		}
	}
	if !slices.ContainsFunc(report.Remarks, func(r string) bool { return strings.Contains(r, "another pepper") }) {
		t.Errorf("nothing is said of the other pepper: %q", report.Remarks)
	}
}

// TestASourceInAWrapperIsReadAsItIs: a wrapped file is read as leniently as the file itself,
// and what is not understood of it is reported.
func TestASourceInAWrapperIsReadAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.csv")
	text := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,note\n1,u1,c,s,r1,NULL,,,of no column\n"
	source, err := filestore.Open(path)
	if err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	var reports []string
	for _, source := range []tokenstore.Store{source, wrapped{source}} {
		report, err := importer.Import(t.Context(), source, secretstore.NewMemory(), importer.Options{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, fmt.Sprint(report.Rows, report.Remarks, report.Unknown))
	}
	if reports[0] != reports[1] || !strings.Contains(reports[0], "note") {
		t.Errorf("without a wrapper:\n%s\nin a wrapper:\n%s", reports[0], reports[1])
	}
}
