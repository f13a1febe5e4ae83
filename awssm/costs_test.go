package awssm_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// counter is a store that counts its calls of the service.
type counter struct {
	*testing.T
	service *awssmtest.Service
	clock   *awssmtest.Clock
	fanout  int
	made    map[string][]string // the calls of each operation, for the page
}

func newCounter(t *testing.T, fanout int) *counter {
	clock := awssmtest.NewClock()
	config := awssmtest.Real()
	config.Versions = 0 // This many tokens exceed a day's limit.
	return &counter{t, awssmtest.New(config, clock), clock, fanout, map[string][]string{}}
}

// cold returns the store of a process that has read nothing yet.
func (c *counter) cold() *secretstore.Store {
	c.Helper()
	store, err := awssm.New(c.service, awssm.WithClock(c.clock.Now, c.clock.Sleep), awssm.WithFanout(c.fanout))
	if err != nil {
		c.Fatal(err)
	}
	return store
}

// expect runs do and compares the calls that it made with the limits.
func (c *counter) expect(what string, total int, limits map[string]int, do func() error) {
	c.Helper()
	before := c.service.Calls()
	if err := do(); err != nil {
		c.Errorf("%s: %v", what, err)
		return
	}
	made, sum := map[string]int{}, 0
	for op, n := range c.service.Calls() {
		if n -= before[op]; n > 0 {
			made[op] = n
			sum += n
		}
	}
	var list []string
	for _, op := range slices.Sorted(maps.Keys(made)) {
		list = append(list, fmt.Sprint(op, " ", made[op]))
		if limit, ok := limits[op]; limits != nil && (!ok || made[op] > limit) {
			c.Errorf("%s makes %d calls of %s", what, made[op], op)
		}
	}
	c.made[what] = append(c.made[what], strconv.Itoa(sum))
	c.Logf("fan-out %2d, %-28s %2d calls: %s", c.fanout, what, sum, strings.Join(list, ", "))
	if sum > total {
		c.Errorf("%s makes %d calls, and may make %d", what, sum, total)
	}
}

func ignore[T any](_ T, err error) error { return err }

// onPage compares the counts with the table of docs/aws.md.
func onPage(t *testing.T, made map[string][]string) {
	t.Helper()
	page, err := os.ReadFile("../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	for what, counts := range made {
		row := "| " + what + " | " + strings.Join(counts, " | ") + " |"
		if what == "save after a refresh" {
			row = "| save after a refresh | 2 reads, 2 writes | 2 reads, 2 writes |"
		}
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/aws.md has not the row %s", row)
		}
	}
}

func TestCallsOfEachOperation(t *testing.T) {
	made := map[string][]string{}
	for _, fanout := range []int{1, 16} {
		extra := 0 // With a fan-out the root is read before a document.
		if fanout > 1 {
			extra = 1
		}
		c := newCounter(t, fanout)
		c.made = made
		ctx, warm := t.Context(), c.cold()
		for i := range 3 {
			if _, err := warm.SaveToken(ctx, adaptertest.Token(fmt.Sprint("user", i))); err != nil {
				t.Fatal(err)
			}
		}
		query := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s"}
		byRefresh, byGrant := query, query
		byRefresh.RefreshToken, byGrant.GrantToken = "1000.refresh.user1", "1000.grant.user1"
		c.expect("find by user", 1, nil, func() error {
			return ignore(c.cold().FindToken(ctx, tokenstore.OAuthToken{UserName: "user1"}))
		})
		c.expect("find by refresh or grant token", 2+extra, nil, func() error { return ignore(c.cold().FindToken(ctx, byRefresh)) })
		byGrants := c.made["find by refresh or grant token"]
		c.expect("find by refresh or grant token", 2+extra, nil, func() error { return ignore(c.cold().FindToken(ctx, byGrant)) })
		c.made["find by refresh or grant token"] = byGrants // It is the same row.
		found, err := warm.FindToken(ctx, tokenstore.OAuthToken{UserName: "user1"})
		if err != nil {
			t.Fatal(err)
		}
		found.AccessToken = "1000.access.renewed"
		c.expect("save after a refresh", 4, map[string]int{"GetSecretValue": 2, "PutSecretValue": 1, "UpdateSecretVersionStage": 1}, func() error {
			return ignore(c.cold().SaveToken(ctx, found))
		})
		documents := 1 // The most documents that can hold its keys.
		if fanout > 1 {
			documents = 3
		}
		c.expect("save a new token", 7+extra+4*(documents-1), nil, func() error { return ignore(c.cold().SaveToken(ctx, adaptertest.Token("new"))) })
		c.expect("delete", 10+extra+4*(documents-1), nil, func() error { return c.cold().DeleteToken(ctx, found.ID) })
	}
	onPage(t, made)
}

func TestCallsOfAListOfAThousand(t *testing.T) {
	t.Parallel()
	made := map[string][]string{}
	for _, fanout := range []int{1, 16} {
		c := newCounter(t, fanout)
		c.made = made
		store, err := secretstore.New(boundless{c.driver()}, secretstore.WithDocument(fanout), secretstore.WithoutAccessIndex(),
			secretstore.WithClock(c.clock.Now), secretstore.WithSleep(c.clock.Sleep))
		if err != nil {
			t.Fatal(err)
		}
		tokens := make([]tokenstore.OAuthToken, 1000)
		for i := range tokens {
			tokens[i] = tokenstore.OAuthToken{UserName: fmt.Sprint("user", i), RefreshToken: fmt.Sprint("1000.refresh.", i)}
		}
		if _, err := store.SaveTokens(t.Context(), tokens); err != nil {
			t.Fatal(err)
		}
		documents := 1
		if fanout > 1 {
			documents += fanout
		}
		c.expect("list 1,000", 50+documents, nil, func() error {
			all, err := c.cold().GetTokens(t.Context())
			if len(all) != 1000 {
				t.Errorf("%d tokens", len(all))
			}
			return err
		})
	}
	onPage(t, made)
}

func (c *counter) driver() driver.Secrets {
	c.Helper()
	s, err := awssm.NewSecrets(c.service, awssm.WithClock(c.clock.Now, c.clock.Sleep))
	if err != nil {
		c.Fatal(err)
	}
	return s
}
