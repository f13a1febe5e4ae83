package importer_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
)

// counted returns a token with values of the usual length, all of which tell its number.
func counted(n int) tokenstore.OAuthToken {
	long := strings.Repeat("x", 60)
	return with(tokenstore.OAuthToken{
		ID: fmt.Sprint(n), UserName: fmt.Sprintf("%d:user@zylker.example:60001234567", n), APIDomain: "https://www.zohoapis.eu",
		RefreshToken: fmt.Sprintf("%d:refresh-%s", n, long), AccessToken: fmt.Sprintf("%d:access-%s", n, long), Expiry: start,
	})
}

// shelf is a store of such tokens that remembers their numbers only, so that what is held
// is held by the import.
type shelf struct {
	tokenstore.Store
	has []bool
}

func (s *shelf) Tokens(context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		for n, has := range s.has {
			if has && !yield(counted(n), nil) {
				return
			}
		}
	}
}

func (s *shelf) SaveToken(_ context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	n := numberIn(t.UserName)
	s.has[n] = true
	return counted(n), nil
}

func (s *shelf) FindToken(_ context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return s.at(numberIn(query.UserName + query.AccessToken + query.RefreshToken))
}

func (s *shelf) FindTokenByID(_ context.Context, id string) (tokenstore.OAuthToken, error) {
	return s.at(numberIn(id))
}

func (s *shelf) at(n int) (tokenstore.OAuthToken, error) {
	if !s.has[n] {
		return tokenstore.OAuthToken{}, tokenstore.ErrNotFound
	}
	return counted(n), nil
}

func numberIn(text string) (n int) {
	_, _ = fmt.Sscanf(text, "%d", &n)
	return n
}

// held returns the largest live heap of an import of n rows above that before it.
func held(t *testing.T, n int, destination *shelf) int {
	t.Helper()
	source := &shelf{has: make([]bool, n)}
	for i := range source.has {
		source.has[i] = true
	}
	live := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc) // #nosec G115 -- a heap is smaller.
	}
	before, most, rows := live(), 0, 0
	options := importer.WithLimits(importer.Options{
		Rows: func(some []importer.Row) error {
			rows += len(some)
			return nil
		},
		Progress: func(_ importer.Stage, done, _ int) {
			if done > 0 && done%(n/8) == 0 {
				most = max(most, live()-before)
			}
		},
	}, 500, 500)
	report, err := importer.Import(t.Context(), source, destination, options)
	if err != nil || rows != n || !report.Complete() {
		t.Fatalf("%d rows, %v", rows, err)
	}
	return most
}

// TestAnImportHoldsLittleOfEachRow compares imports of many rows and of twice as many. A row
// with its report is of 800 bytes, as is a token of the destination; what is held of both
// is hashes and numbers.
func TestAnImportHoldsLittleOfEachRow(t *testing.T) {
	const n, most = 5_000, 300
	destinations := map[int]*shelf{}
	for _, what := range []string{"new", "already there"} {
		var held2 [2]int
		for i, n := range []int{n, 2 * n} {
			if destinations[n] == nil {
				destinations[n] = &shelf{has: make([]bool, n)}
			}
			held2[i] = held(t, n, destinations[n])
		}
		perRow := (held2[1] - held2[0]) / n
		t.Logf("%s: %d rows: %d KiB, %d rows: %d KiB, %d bytes for each more", what, n, held2[0]>>10, 2*n, held2[1]>>10, perRow)
		if perRow > most {
			t.Errorf("%s: %d bytes are held of each row, want %d at most", what, perRow, most)
		}
	}
}
