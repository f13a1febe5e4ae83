// What a refresh costs on each service, counted, for docs/tokensource.md.

package costs

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

var update = flag.Bool("update", false, "rewrite the table of costs in docs/tokensource.md")

const (
	costsPage  = "../../docs/tokensource.md"
	costsBegin = "| A refresh | AWS | Google Cloud | Vault |\n|---|---|---|---|\n"
)

// service is a service in memory, with what counts its calls.
type service struct {
	clock *drivertest.Clock
	open  func(...secretstore.Option) (*secretstore.Store, error) // as a process does
	calls func() map[string]int
	words []word // in which the calls are told
}

// word is what calls of a method are called.
type word struct{ method, one, many string }

func newAWS(*testing.T) *service {
	clock := awssmtest.NewClock()
	fake := awssmtest.New(awssmtest.Real(), clock)
	return &service{
		clock: clock, calls: fake.Calls,
		open: func(options ...secretstore.Option) (*secretstore.Store, error) {
			return awssm.New(fake, awssm.WithClock(clock.Now, clock.Sleep), awssm.WithStoreOptions(options...))
		},
		words: []word{{"GetSecretValue", "read", "reads"}, {"PutSecretValue", "version", "versions"}, {"UpdateSecretVersionStage", "move of a label", "moves of a label"}},
	}
}

func newGCP(t *testing.T) *service {
	clock := gcpsmtest.NewClock()
	fake := gcpsmtest.New(gcpsmtest.Real(), clock)
	client, err := fake.Client(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return &service{
		clock: clock, calls: fake.Calls,
		open: func(options ...secretstore.Option) (*secretstore.Store, error) {
			return gcpsm.New(client, "test-project", gcpsm.WithClock(clock.Now, clock.Sleep), gcpsm.WithStoreOptions(options...))
		},
		words: []word{{"AccessSecretVersion", "access", "accesses"}, {"AddSecretVersion", "add", "adds"}, {"DestroySecretVersion", "destroy", "destroys"}},
	}
}

// newVault counts the driver's calls, each of which is one of Vault's.
func newVault(*testing.T) *service {
	clock, secrets := drivertest.NewClock(), memory.New()
	var mu sync.Mutex
	made := map[string]int{}
	calls := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(made)
	}
	count := func(_ context.Context, c secretstore.Call) {
		mu.Lock()
		defer mu.Unlock()
		made[c.Op]++
	}
	return &service{
		clock: clock, calls: calls,
		open: func(...secretstore.Option) (*secretstore.Store, error) { // Entries cost nothing.
			return secretstore.New(secrets, secretstore.WithEntries(), secretstore.WithoutAccessIndex(), secretstore.WithClock(clock.Now),
				secretstore.WithObserver(count))
		},
		words: []word{{"get", "read", "reads"}, {"put", "write", "writes"}, {"delete", "delete", "deletes"}},
	}
}

// refresh is a way to come by a new access token.
type renewal struct {
	name    string
	left    time.Duration // of the stored access token
	reuse   time.Duration
	rotates bool
	other   bool // another process has refreshed it
	omits   bool // the index leaves out refresh tokens that rotate
}

// refreshes are the rows of the table.
var refreshes = []renewal{
	{name: "by another process of the fleet", left: 30 * time.Second, other: true, reuse: tokensource.Forever},
	{name: "in time, reuse forever: no claim", left: 30 * time.Second, reuse: tokensource.Forever},
	{name: "too late, reuse forever: with a claim", left: -time.Second, reuse: tokensource.Forever},
	{name: "any other, the refresh token stays the same", left: 30 * time.Second},
	{name: "any other, the refresh token rotates, `rotating=true`", left: 30 * time.Second, rotates: true, omits: true},
	{name: "any other, the refresh token rotates, without that", left: 30 * time.Second, rotates: true},
}

// redeemerFunc is a redeemer.
type redeemerFunc func(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error)

func (f redeemerFunc) Redeem(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return f(ctx, t)
}

// cost returns the calls of a process that has had the token before.
func (r renewal) cost(t *testing.T, w *service) string {
	t.Helper()
	var options []secretstore.Option
	if r.omits {
		options = append(options, secretstore.WithRotating())
	}
	stores := make([]*secretstore.Store, 2)
	for i := range stores {
		var err error
		if stores[i], err = w.open(options...); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	redeemer := redeemerFunc(func(_ context.Context, _ tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
		n++
		got := tokenstore.OAuthToken{AccessToken: fmt.Sprint("access-", n), Expiry: w.clock.Now().Add(time.Hour)}
		if r.rotates {
			got.RefreshToken = fmt.Sprint("refresh-", n)
		}
		return got, nil
	})
	var sources []*tokensource.Source
	for _, s := range stores {
		source, err := tokensource.New(s, redeemer, tokensource.WithReuse(r.reuse), tokensource.WithForeground(),
			tokensource.WithClock(w.clock.Now), tokensource.WithSleep(w.clock.Sleep), tokensource.WithRandom(func() float64 { return 0.5 }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := source.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		sources = append(sources, source)
	}
	row := tokenstore.OAuthToken{
		UserName: "u", ClientID: "c", ClientSecret: "s", RefreshToken: "refresh-0", AccessToken: "access-0", Expiry: w.clock.Now().Add(time.Hour),
	}
	if _, err := stores[0].SaveToken(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	// A life before, so that versions, indexes and memories are as they are in the long run.
	turn := func(s *tokensource.Source) {
		t.Helper()
		if _, err := s.Token(t.Context(), tokenstore.OAuthToken{UserName: "u"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		turn(sources[0])
		turn(sources[1])
		w.clock.Advance(time.Hour - 30*time.Second)
		turn(sources[0])
	}
	turn(sources[1])
	w.clock.Advance(time.Hour - r.left)
	redeemed := n
	if r.other {
		turn(sources[1])
		redeemed = n
	}
	before := w.calls()
	turn(sources[0])
	if want := redeemed + 1; !r.other && n != want || r.other && n != redeemed {
		t.Fatalf("%s: %d redemptions, want one unless another process made it", r.name, n-redeemed)
	}
	return w.tell(t, before)
}

// tell returns the calls that were made since before, in words.
func (w *service) tell(t *testing.T, before map[string]int) string {
	t.Helper()
	var told []string
	made := w.calls()
	for _, v := range w.words {
		switch n := made[v.method] - before[v.method]; {
		case n == 1:
			told = append(told, "1 "+v.one)
		case n > 1:
			told = append(told, fmt.Sprint(n, " ", v.many))
		}
		delete(made, v.method)
	}
	for _, method := range slices.Sorted(maps.Keys(made)) {
		if n := made[method] - before[method]; n > 0 {
			t.Errorf("%d calls of %s have no word", n, method)
		}
	}
	return strings.Join(told, ", ")
}

// TestCostsPage compares the table in the page with what is counted now.
func TestCostsPage(t *testing.T) {
	var table strings.Builder
	table.WriteString(costsBegin)
	for _, r := range refreshes {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", r.name, r.cost(t, newAWS(t)), r.cost(t, newGCP(t)), r.cost(t, newVault(t)))
	}
	page, err := os.ReadFile(costsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), costsBegin)
	if !found {
		t.Fatalf("%s has no table of costs", costsPage)
	}
	after := rest // the table
	for strings.HasPrefix(after, "|") {
		_, after, _ = strings.Cut(after, "\n")
	}
	if *update {
		if err := os.WriteFile(costsPage, []byte(before+table.String()+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := costsBegin + strings.TrimSuffix(rest, after); got != table.String() {
		t.Errorf("%s is out of date; run this test with -update. The table is\n%s", costsPage, table.String())
	}
}
