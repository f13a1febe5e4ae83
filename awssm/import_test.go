// Imports into the service with its real limits: what the command does with a store that
// has one document of index to begin with.

package awssm_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
)

// users is a source of n new users.
type users struct {
	tokenstore.Store
	n int
}

func (s users) Tokens(context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		for i := range s.n {
			token := tokenstore.OAuthToken{
				ID: fmt.Sprint(i), UserName: fmt.Sprint("user-", i, "@zylker.example:1"), ClientID: "fake-client", ClientSecret: "fake-secret",
				RefreshToken: fmt.Sprint("fake-refresh-", i), AccessToken: fmt.Sprint("fake-access-", i),
			}
			if !yield(token, nil) {
				return
			}
		}
	}
}

// TestImport imports users, and imports them again. No quota is met, everything is found by
// every key, and the first thousand take hardly longer than the service's rate of new
// secrets allows.
func TestImport(t *testing.T) {
	n := 1000
	if os.Getenv("TOKENSTORE_LONG") != "" {
		n = 100_000
	}
	inAccount(t, 80*time.Millisecond, func(a *account) {
		for _, outcome := range []importer.Outcome{importer.Created, importer.Present} {
			begun, rows := time.Now(), 0
			report, err := importer.Import(a.Context(), users{n: n}, a.store(), importer.Options{Rows: func(some []importer.Row) error {
				rows += len(some)
				return nil
			}})
			if err != nil {
				a.Fatalf("%.300s", err)
			}
			if report.Count(outcome) != n || rows != n || report.Finds != 4*n || !report.Complete() {
				a.Errorf("%d of %d rows are %s, %d finds, %d lost", report.Count(outcome), n, outcome, report.Finds, len(report.Lost))
			}
			took, least := time.Since(begun), time.Duration(n)*time.Second/50
			documents, writes := a.indexWrites()
			a.Logf("%d rows %s in %v, %.2f times the least; %d documents, %d writes of the index", n, outcome, took, took.Seconds()/least.Seconds(), documents, writes)
			if outcome == importer.Created && n == 1000 && took > least*13/10 {
				a.Errorf("%d tokens took %v, and at 50 a second they take %v", n, took, least)
			}
		}
	})
}
