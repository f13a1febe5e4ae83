package vault_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/vault"
)

func init() { tokenstore.RegisterPolicy("vault", vault.Policy) }

// policyFor returns the policy that the command prints for a role.
func policyFor(t *testing.T, mount, prefix string, role tokenstore.Role) string {
	t.Helper()
	p, err := tokenstore.PolicyFor(t.Context(), "vault:///"+prefix+"?mount="+strings.TrimSuffix(mount, "/"), tokenstore.PolicyRequest{Role: role})
	must(t, err)
	return p.Text
}

// rules are the paths of a policy, and what of them was needed so far.
type rules struct {
	mu    sync.Mutex
	paths []*rule
}

type rule struct {
	path         string // with a * at its end: a prefix
	capabilities []string
	used         map[string]bool
}

var ruleForm = regexp.MustCompile(`(?m)^path "([^"]+)" \{\n  capabilities +=( \[[a-z", ]+\])`)

func parseRules(text string) *rules {
	var all rules
	for _, found := range ruleForm.FindAllStringSubmatch(text, -1) {
		r := &rule{path: found[1], used: map[string]bool{}}
		for _, c := range strings.Split(strings.Trim(found[2], " []"), ", ") {
			r.capabilities = append(r.capabilities, strings.Trim(c, `"`))
		}
		all.paths = append(all.paths, r)
	}
	return &all
}

// asked notes what a request needs, by the longest path that matches, as Vault chooses.
func (r *rules) asked(request *http.Request) {
	path := strings.TrimPrefix(request.URL.Path, "/v1/")
	needs := []string{"create", "update"} // Which of the two, the server's state decides.
	switch {
	case request.Method == "LIST" || request.URL.Query().Get("list") == "true":
		needs = []string{"list"}
		path = strings.TrimSuffix(path, "/") + "/"
	case request.Method == http.MethodGet:
		needs = []string{"read"}
	case request.Method == http.MethodPatch:
		needs = []string{"patch"}
	case request.Method == http.MethodDelete:
		needs = []string{"delete"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var best *rule
	for _, one := range r.paths {
		prefix, many := strings.CutSuffix(one.path, "*")
		if (path == one.path || many && strings.HasPrefix(path, prefix)) && (best == nil || len(one.path) > len(best.path)) {
			best = one
		}
	}
	for _, n := range needs {
		if best != nil {
			best.used[n] = true
		}
	}
}

// unused returns what the policy allows and no request has needed, as "path capability".
func (r *rules) unused() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.paths {
		for _, c := range one.capabilities {
			if !one.used[c] {
				all = append(all, one.path+" "+c)
			}
		}
	}
	slices.Sort(all)
	return all
}

// watched returns a client whose requests are noted. The given client is not changed.
func (r *rules) watched(t *testing.T, client *api.Client) *api.Client {
	t.Helper()
	c := client.CloneConfig()
	httpClient := *c.HttpClient
	inner := httpClient.Transport
	httpClient.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
		r.asked(request)
		return inner.RoundTrip(request)
	})
	c.HttpClient = &httpClient
	watched, err := api.NewClient(c)
	must(t, err)
	watched.SetToken(client.Token())
	return watched
}
