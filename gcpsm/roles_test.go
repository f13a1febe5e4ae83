package gcpsm_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"

	"example.com/tokenstore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// connect returns Google's client for a principal.
func connect(t testing.TB, p *gcpsmtest.Principal) *secretmanager.Client {
	t.Helper()
	client, err := p.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func sampleToken(user string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "1000.CLIENT", ClientSecret: "fake-secret",
		RefreshToken: "1000.refresh." + user, AccessToken: "1000.access." + user, GrantToken: "1000.grant." + user,
	}
}

// permissions returns what a role's file includes.
func permissions(t *testing.T, role string) []string {
	t.Helper()
	data, err := os.ReadFile("roles/" + role + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok {
			all = append(all, name)
		}
	}
	return all
}

// role is a store that a principal with a role uses.
type role struct {
	*testing.T
	store     *tokenstore.SecretStore
	principal *gcpsmtest.Principal
	allowed   []string
}

func newRole(t *testing.T, name string, service *gcpsmtest.Service, clock *gcpsmtest.Clock) *role {
	t.Helper()
	r := &role{T: t, allowed: permissions(t, name)}
	r.principal = service.As(r.allowed...).On("tokenstore--")
	store, err := gcpsm.New(connect(t, r.principal), "test-project", gcpsm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	r.store = store
	return r
}

// check compares the permissions that the calls asked for with the role.
func (r *role) check() {
	r.Helper()
	want := slices.Sorted(slices.Values(r.allowed))
	if got := r.principal.Used(); !slices.Equal(got, want) {
		r.Errorf("asked for  %s\nthe role    %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

func (r *role) must(_ any, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func TestEachRoleMakesExactlyTheCallsThatItIncludes(t *testing.T) {
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Real(), clock)

	writer := newRole(t, "writer", service, clock)
	for _, user := range []string{"ada", "bob", "eve"} {
		writer.must(writer.store.SaveToken(t.Context(), sampleToken(user)))
	}
	for i := range 3 {
		clock.Advance(time.Hour)
		renewed := sampleToken("ada")
		renewed.AccessToken, renewed.RefreshToken = fmt.Sprint("1000.access.", i), fmt.Sprint("1000.refresh.", i)
		writer.must(writer.store.SaveToken(t.Context(), renewed))
	}
	bob, err := writer.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "bob"})
	writer.must(bob, err)
	writer.must(nil, writer.store.DeleteToken(t.Context(), bob.ID))
	writer.must(writer.store.SaveToken(t.Context(), sampleToken("bob")))
	writer.must(writer.store.GetTokens(t.Context()))
	writer.check()

	reader := newRole(t, "reader", service, clock)
	reader.must(reader.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}))
	byRefresh := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: "1000.refresh.2"}
	reader.must(reader.store.FindToken(t.Context(), byRefresh))
	reader.must(reader.store.FindToken(t.Context(), tokenstore.OAuthToken{AccessToken: "1000.access.eve"}))
	all, err := reader.store.GetTokens(t.Context())
	reader.must(all, err)
	if len(all) != 3 {
		t.Errorf("the reader sees %d tokens", len(all))
	}
	reader.check()

	operator := newRole(t, "operator", service, clock)
	operator.must(operator.store.Check(t.Context()))
	operator.must(operator.store.SaveToken(t.Context(), sampleToken("zoe")))
	zoe, err := operator.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "zoe"})
	operator.must(zoe, err)
	operator.must(nil, operator.store.DeleteToken(t.Context(), zoe.ID))
	clock.Advance(25 * time.Hour)
	operator.must(operator.store.Reindex(t.Context(), tokenstore.ReindexOptions{}))
	clock.Advance(25 * time.Hour)
	operator.must(operator.store.Reindex(t.Context(), tokenstore.ReindexOptions{}))
	operator.check()
	if left := service.IDs(); len(left) != 4 {
		t.Errorf("three tokens and an index leave %v", left)
	}
}
