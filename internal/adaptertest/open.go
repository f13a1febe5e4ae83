// Tests of URLs, the same for every adapter.

package adaptertest

import (
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// Opens opens and closes the stores of good URLs.
func Opens(t *testing.T, urls ...string) {
	t.Helper()
	for _, good := range urls {
		store, err := tokenstore.Open(t.Context(), good)
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Refuses opens bad URLs: each one must be an invalid argument. The error must contain the
// given words, and never "hush", which stands for a secret in the URL.
func Refuses(t *testing.T, urls map[string]string) {
	t.Helper()
	for bad, says := range urls {
		_, err := tokenstore.Open(t.Context(), bad)
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", bad, err)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error quotes the URL", bad)
		}
	}
}
