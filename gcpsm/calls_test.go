package gcpsm_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/secretstore"
)

var update = flag.Bool("update", false, "write the generated part of docs/calls.md anew")

// The part of docs/calls.md that is generated here, from its heading to the end.
const (
	callsPage    = "../docs/calls.md"
	callsHeading = "## Google Cloud's Secret Manager\n"
)

const callsIntro = `
What the same operations cost in calls of the service itself, with one index secret and with 16. A cold process knows nothing before; a warm one has just
found that token, and nobody else has written. Accesses are paid for and have a quota of their own; all others are free, and share the quotas of writes and
reads. The tokens were saved twice before, an hour apart, so that a save has an old version to destroy.

This part is generated: ` + "`go test ./gcpsm -run TestCallsPage -update`" + `.

| Operation | one index secret | 16 |
|---|---|---|
`

// verbs are the service's methods in the order in which they are shown.
var verbs = []struct{ method, one, many string }{
	{"AccessSecretVersion", "access", "accesses"},
	{"AddSecretVersion", "add", "adds"},
	{"CreateSecret", "create", "creates"},
	{"DestroySecretVersion", "destroy", "destroys"},
	{"GetSecret", "get", "gets"},
	{"UpdateSecret", "update", "updates"},
	{"DeleteSecret", "delete", "deletes"},
	{"ListSecrets", "list", "lists"},
}

// calls is how many calls of each method were made.
type calls map[string]int

func (c calls) String() string {
	var parts []string
	for _, v := range verbs {
		switch n := c[v.method]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+v.one)
		default:
			parts = append(parts, fmt.Sprint(n, " ", v.many))
		}
	}
	return strings.Join(parts, ", ")
}

// counter is a store whose calls of the service are counted.
type counter struct {
	*testing.T
	service *gcpsmtest.Service
	clock   *gcpsmtest.Clock
	api     gcpsm.API
	fanout  int
}

func newCounter(t *testing.T, fanout int) *counter {
	t.Helper()
	clock := gcpsmtest.NewClock()
	c := &counter{T: t, clock: clock, service: gcpsmtest.New(gcpsmtest.Real(), clock), fanout: fanout}
	c.api = connect(t, c.service.Principal)
	for range 2 {
		store := c.process()
		for _, user := range []string{"user0", "user1", "user2"} {
			saved := sampleToken(user)
			saved.AccessToken = fmt.Sprint(user, clock.Now().Unix())
			if _, err := store.SaveToken(t.Context(), saved); err != nil {
				t.Fatal(err)
			}
		}
		clock.Advance(time.Hour)
	}
	return c
}

// process returns a store that has read nothing yet.
func (c *counter) process() *secretstore.Store {
	c.Helper()
	store, err := gcpsm.New(c.api, "test-project", gcpsm.WithClock(c.clock.Now, c.clock.Sleep), gcpsm.WithFanout(c.fanout))
	if err != nil {
		c.Fatal(err)
	}
	return store
}

// operation is something whose calls are counted.
type operation struct {
	name string
	warm bool // the process has found the token before
	// most is how many calls it may make, by method, on one index secret. Nil
	// promises nothing.
	most calls
	do   func(t *testing.T, s *secretstore.Store) error
}

func operations() []operation {
	find := func(q tokenstore.OAuthToken) func(*testing.T, *secretstore.Store) error {
		return func(t *testing.T, s *secretstore.Store) error {
			_, err := s.FindToken(t.Context(), q)
			return err
		}
	}
	save := func(q tokenstore.OAuthToken) func(*testing.T, *secretstore.Store) error {
		return func(t *testing.T, s *secretstore.Store) error {
			_, err := s.SaveToken(t.Context(), q)
			return err
		}
	}
	user := tokenstore.OAuthToken{UserName: "user1"}
	byRefresh := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: "1000.refresh.user1"}
	byGrant := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", GrantToken: "1000.grant.user1"}
	renewed := tokenstore.OAuthToken{UserName: "user1", AccessToken: "1000.access.renewed", Expiry: time.Unix(1_800_000_000, 0)}
	rotated := tokenstore.OAuthToken{UserName: "user1", RefreshToken: "1000.refresh.rotated"}
	refreshed := calls{"AccessSecretVersion": 2, "AddSecretVersion": 1, "DestroySecretVersion": 1}
	return []operation{
		{"find by user", false, calls{"AccessSecretVersion": 2}, find(user)},
		{"find by user again", true, calls{"AccessSecretVersion": 1}, find(user)},
		{"find by refresh or grant token", false, nil, find(byRefresh)},
		{"find by refresh or grant token", false, nil, find(byGrant)}, // The same row.
		{"save, nothing changed", false, calls{"AccessSecretVersion": 2}, save(user)},
		{"save after a refresh", false, refreshed, save(renewed)},
		{"save after a refresh, warm", true, refreshed, save(renewed)},
		{"save after a rotation of the refresh token", false, nil, save(rotated)},
		{"save a new token", false, nil, save(sampleToken("new"))},
		{"delete", false, nil, func(t *testing.T, s *secretstore.Store) error { return s.DeleteToken(t.Context(), user1ID) }},
		{"list 3 tokens", false, nil, func(t *testing.T, s *secretstore.Store) error {
			all, err := s.GetTokens(t.Context())
			if len(all) != 3 {
				t.Errorf("%d tokens", len(all))
			}
			return err
		}},
	}
}

// user1ID is the ID that is derived from the user.
const user1ID = "lpupriqq3bhemhxkvn72kvvede"

// count returns the calls of an operation, on a service of its own.
func count(t *testing.T, op operation, fanout int) calls {
	t.Helper()
	c := newCounter(t, fanout)
	store := c.process()
	if op.warm {
		if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "user1"}); err != nil {
			t.Fatal(err)
		}
	}
	before := c.service.Calls()
	if err := op.do(t, store); err != nil {
		t.Fatalf("%s: %v", op.name, err)
	}
	made := calls{}
	for method, n := range c.service.Calls() {
		if n -= before[method]; n > 0 {
			made[method] = n
		}
	}
	return made
}

func TestCallsPage(t *testing.T) {
	t.Parallel()
	var rows []string
	for _, op := range operations() {
		one, many := count(t, op, 1), count(t, op, 16)
		for method, n := range one {
			if op.most != nil && n > op.most[method] {
				t.Errorf("%s makes %v, and may make %v", op.name, one, op.most)
			}
		}
		if row := fmt.Sprintf("| %s | %v | %v |\n", op.name, one, many); !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
		for _, method := range slices.Sorted(maps.Keys(many)) {
			if !slices.ContainsFunc(verbs, func(v struct{ method, one, many string }) bool { return v.method == method }) {
				t.Errorf("%s calls %s", op.name, method)
			}
		}
	}
	part := callsHeading + callsIntro + strings.Join(rows, "")
	stored, err := os.ReadFile(callsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(string(stored), callsHeading)
	if *update {
		if !strings.HasSuffix(before, "\n\n") {
			before += "\n"
		}
		if err := os.WriteFile(callsPage, []byte(before+part), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if callsHeading+after != part {
		t.Errorf("%s is out of date; run this test with -update. Its end would be:\n%s", callsPage, part)
	}
}
