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
	"example.com/tokenstore/internal/adaptertest"
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

func sampleToken(user string) tokenstore.OAuthToken { return adaptertest.Token(user) }

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

// newRole returns a store for a role, optionally without some of its permissions.
func newRole(t *testing.T, name string, service *gcpsmtest.Service, clock *gcpsmtest.Clock, without ...string) *adaptertest.Role {
	t.Helper()
	allowed := slices.DeleteFunc(permissions(t, name), func(p string) bool { return slices.Contains(without, p) })
	principal := service.As(allowed...).On("tokenstore--")
	store, err := gcpsm.New(connect(t, principal), "test-project", gcpsm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	return &adaptertest.Role{T: t, Store: store, Allowed: allowed, Used: principal.Used}
}

func TestEachRoleMakesExactlyTheCallsThatItIncludes(t *testing.T) {
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Real(), clock)

	writer := newRole(t, "writer", service, clock)
	writer.Save("ada", "bob", "eve")
	for i := range 3 {
		clock.Advance(time.Hour)
		renewed := sampleToken("ada")
		renewed.AccessToken, renewed.RefreshToken = fmt.Sprint("1000.access.", i), fmt.Sprint("1000.refresh.", i)
		writer.Must(writer.Store.SaveToken(t.Context(), renewed))
	}
	writer.Remove("bob")
	writer.Save("bob")
	writer.Must(writer.Store.GetTokens(t.Context()))

	// A repair that cannot remove the secret leaves its mark, which the writer replaces.
	writer.Save("fay")
	writer.Remove("fay")
	clock.Advance(25 * time.Hour)
	halted := newRole(t, "operator", service, clock, "secretmanager.secrets.delete")
	halted.Must(halted.Store.Reindex(t.Context(), secretstore.ReindexOptions{}))
	writer.Save("fay")

	// The documents of an index that has grown are deleted by whoever writes it a day later.
	for _, fanout := range []int{2, 4} {
		halted.Must(halted.Store.Reindex(t.Context(), secretstore.ReindexOptions{Fanout: fanout}))
	}
	documents := len(indexSecrets(service))
	clock.Advance(25 * time.Hour)
	renewed := sampleToken("bob")
	renewed.RefreshToken = "1000.refresh.bob.renewed"
	writer.Must(writer.Store.SaveToken(t.Context(), renewed))
	if left := len(indexSecrets(service)); left != documents-2 {
		t.Errorf("%d secrets of the index before, and %d after a save", documents, left)
	}
	writer.Check()

	reader := newRole(t, "reader", service, clock)
	reader.Reads("ada", "1000.refresh.2", "1000.access.eve", 4)
	reader.Check()

	operator := newRole(t, "operator", service, clock)
	operator.Must(operator.Store.Check(t.Context()))
	// The secret is changed whenever it is about to be removed, so that it stays marked,
	// and is removed with the next one.
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
		operator.Save(user)
		operator.Remove(user)
		clock.Advance(25 * time.Hour)
		operator.Must(operator.Store.Reindex(t.Context(), secretstore.ReindexOptions{}))
		service.Before(nil)
	}
	operator.Check()
	if left := tokenSecrets(service); len(left) != 4 {
		t.Errorf("four tokens leave %v", left)
	}
}

// indexSecrets returns the IDs of the index's secrets.
func indexSecrets(service *gcpsmtest.Service) []string {
	return slices.DeleteFunc(service.IDs(), func(id string) bool { return !strings.HasPrefix(id, "tokenstore--index--") })
}

// tokenSecrets returns the IDs of the tokens' secrets.
func tokenSecrets(service *gcpsmtest.Service) []string {
	return slices.DeleteFunc(service.IDs(), func(id string) bool { return !strings.HasPrefix(id, "tokenstore--tokens--") })
}

// TestDiagnosisOfEachRole: each role finds that it may do what it is for, by the shipped
// policy, and the diagnosis of a greater role says what is missing. Nothing is left.
func TestDiagnosisOfEachRole(t *testing.T) {
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Real(), clock)
	roles := map[tokenstore.Role]*secretstore.Store{}
	for _, name := range []tokenstore.Role{tokenstore.RoleReader, tokenstore.RoleWriter, tokenstore.RoleOperator} {
		roles[name] = newRole(t, string(name), service, clock).Store
	}
	if _, err := roles[tokenstore.RoleWriter].SaveToken(t.Context(), adaptertest.Token("ada")); err != nil {
		t.Fatal(err)
	}
	for name, store := range roles {
		clock.Advance(time.Minute) // The quota of one secret.
		adaptertest.Diagnosed(t, store, name)
	}
	adaptertest.Diagnosed(t, roles[tokenstore.RoleReader], tokenstore.RoleWriter, "denied-create")
	adaptertest.Diagnosed(t, roles[tokenstore.RoleReader], tokenstore.RoleOperator, "check-failed")
	adaptertest.Diagnosed(t, roles[tokenstore.RoleWriter], tokenstore.RoleOperator, "check-failed")
}
