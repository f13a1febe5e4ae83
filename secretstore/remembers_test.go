// What a process remembers of the tokens that it has read stays within a bound.

package secretstore_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
)

// many is a service with so many tokens that it makes them up as they are read: their names
// and revisions are as long as those on AWS.
type many struct {
	driver.Secrets
	tokens int
	prefix string
}

func (m many) id(n int) string {
	return index.Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: fmt.Sprint("user", n)}, nil)
}

func (m many) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for n := 0; n < m.tokens && prefix == m.prefix; n++ {
			if !yield(prefix+m.id(n), nil) {
				return
			}
		}
	}
}

func (m many) Get(_ context.Context, name string) (driver.Secret, error) {
	id, ok := strings.CutPrefix(name, m.prefix)
	if !ok {
		return driver.Secret{}, driver.ErrNotFound
	}
	data := fmt.Appendf(nil, `{"access_token":"1000.%s.%s","client_id":"1000.%s","client_secret":"%s","created":"1800000000000000","generation":"1800000000","id":"%s","refresh_token":"1000.%s.%s","user_name":"%s@example.com:600123"}`, id, id, id, id, id, id, id, id)
	return driver.Secret{Name: strings.Clone(name), Data: data, Revision: "01234567-" + id}, nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestWhatAProcessRemembers reads tokens, whose access tokens are not in the index: near the
// largest number that it remembers, and 100,000. It takes a second or two.
func TestWhatAProcessRemembers(t *testing.T) {
	const bound, ofEach = 30 << 20, 300
	for _, n := range []int{65_000, 100_000} {
		store := open(t, many{tokens: n, prefix: "tokenstore/tokens/"}, secretstore.WithoutAccessIndex())
		before := heap()
		for _, err := range store.Tokens(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		used := heap() - before
		runtime.KeepAlive(store)
		t.Logf("after %d tokens: %d bytes, %d of each", n, used, used/int64(n))
		if used > bound || n == 100_000 && used > ofEach*int64(n) {
			t.Errorf("after %d tokens the process remembers %d bytes, want at most %d, and %d of each of 100,000", n, used, bound, ofEach)
		}
	}
}
