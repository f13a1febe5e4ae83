package gcpsm_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/tokenstore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/secretstore"
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
	store     *secretstore.Store
	principal *gcpsmtest.Principal
	allowed   []string
}

// newRole returns a store for a role, or for one that lacks some of its
// permissions.
func newRole(t *testing.T, name string, service *gcpsmtest.Service, clock *gcpsmtest.Clock, without ...string) *role {
	t.Helper()
	r := &role{T: t, allowed: slices.DeleteFunc(permissions(t, name), func(p string) bool { return slices.Contains(without, p) })}
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
	writer.remove("bob")
	writer.must(writer.store.SaveToken(t.Context(), sampleToken("bob")))
	writer.must(writer.store.GetTokens(t.Context()))

	// A repair that cannot remove the secret leaves its mark, which the writer
	// takes away.
	writer.must(writer.store.SaveToken(t.Context(), sampleToken("fay")))
	writer.remove("fay")
	clock.Advance(25 * time.Hour)
	halted := newRole(t, "operator", service, clock, "secretmanager.secrets.delete")
	halted.must(halted.store.Reindex(t.Context(), secretstore.ReindexOptions{}))
	writer.must(writer.store.SaveToken(t.Context(), sampleToken("fay")))
	writer.check()

	reader := newRole(t, "reader", service, clock)
	reader.must(reader.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}))
	byRefresh := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: "1000.refresh.2"}
	reader.must(reader.store.FindToken(t.Context(), byRefresh))
	reader.must(reader.store.FindToken(t.Context(), tokenstore.OAuthToken{AccessToken: "1000.access.eve"}))
	all, err := reader.store.GetTokens(t.Context())
	reader.must(all, err)
	if len(all) != 4 {
		t.Errorf("the reader sees %d tokens", len(all))
	}
	reader.check()

	operator := newRole(t, "operator", service, clock)
	operator.must(operator.store.Check(t.Context()))
	// Somebody else changes the secret whenever it is about to be removed, so that
	// it is marked, and removed together with the next one.
	service.Before(func(method, id string) {
		if method != "DeleteSecret" {
			return
		}
		clock.Advance(time.Second) // The quota of one secret.
		_, err := service.UpdateSecret(t.Context(), &secretmanagerpb.UpdateSecretRequest{
			Secret:     &secretmanagerpb.Secret{Name: "projects/test-project/secrets/" + id, Labels: map[string]string{"managed-by": "tokenstore"}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}},
		})
		if err != nil {
			t.Error(err)
		}
	})
	for _, user := range []string{"zoe", "yan"} {
		operator.must(operator.store.SaveToken(t.Context(), sampleToken(user)))
		operator.remove(user)
		clock.Advance(25 * time.Hour)
		operator.must(operator.store.Reindex(t.Context(), secretstore.ReindexOptions{}))
		service.Before(nil)
	}
	operator.check()
	if left := tokenSecrets(service); len(left) != 4 {
		t.Errorf("four tokens leave %v", left)
	}
}

// tokenSecrets returns the IDs of the secrets of tokens.
func tokenSecrets(service *gcpsmtest.Service) []string {
	return slices.DeleteFunc(service.IDs(), func(id string) bool { return !strings.HasPrefix(id, "tokenstore--tokens--") })
}

// remove deletes the token of a user.
func (r *role) remove(user string) {
	r.Helper()
	found, err := r.store.FindToken(r.Context(), tokenstore.OAuthToken{UserName: user})
	r.must(found, err)
	r.must(nil, r.store.DeleteToken(r.Context(), found.ID))
}
