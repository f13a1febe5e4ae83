package gcpsm_test

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
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

const policyURL = "gcpsm://test-project/crm"

func init() { tokenstore.RegisterPolicy("gcpsm", gcpsm.Policy) }

func policyOf(t *testing.T, url string, role tokenstore.Role, account string) tokenstore.Policy {
	t.Helper()
	p, err := tokenstore.PolicyFor(t.Context(), url, tokenstore.PolicyRequest{Role: role, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	permissionsForm = regexp.MustCompile(`--permissions=([a-zA-Z.,]+)\n`)
	conditionForm   = regexp.MustCompile(`expression=resource.type == "cloudresourcemanager.googleapis.com/Project" \|\| ` +
		`resource.name.startsWith\("projects/'"\$number"'/secrets/([a-zA-Z0-9_-]+)"\)'\n`)
)

// granted returns what a role's commands include and grant: the permissions, and how the IDs
// of the secrets begin.
func granted(t *testing.T, url string, role tokenstore.Role) (permissions []string, prefix string) {
	t.Helper()
	text := policyOf(t, url, role, "").Text
	list, condition := permissionsForm.FindStringSubmatch(text), conditionForm.FindStringSubmatch(text)
	if list == nil || condition == nil {
		t.Fatalf("no permissions or no condition in\n%s", text)
	}
	return strings.Split(list[1], ","), condition[1]
}

// principalRole is a role with what its calls have asked for.
type principalRole struct {
	*adaptertest.Role
	allowed []string
	used    func() []string
}

// complete fails unless the calls have asked for all permissions of the role, and no others.
func (r *principalRole) complete() {
	r.Helper()
	want := slices.Sorted(slices.Values(r.allowed))
	if got := r.used(); !slices.Equal(got, want) {
		r.Errorf("needed    %s\nthe role  %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

// refuses fails unless an operation was denied.
func (r *principalRole) refuses(what string, err error) {
	r.Helper()
	if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) {
		r.Errorf("%s: %v", what, err)
	}
}

// newRole returns a store for a role, optionally without some of its permissions.
func newRole(t *testing.T, role tokenstore.Role, service *gcpsmtest.Service, clock *gcpsmtest.Clock, without ...string) *principalRole {
	t.Helper()
	allowed, prefix := granted(t, policyURL, role)
	allowed = slices.DeleteFunc(allowed, func(p string) bool { return slices.Contains(without, p) })
	principal := service.As(allowed...).On(prefix)
	store, err := gcpsm.New(connect(t, principal), "test-project", gcpsm.WithPrefix("crm/"), gcpsm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	return &principalRole{&adaptertest.Role{T: t, Store: store}, allowed, principal.Used}
}

// TestEachRoleMakesExactlyTheCallsThatItIncludes: the service in memory asks for the
// permissions that Google names for its methods, on secrets of the condition's prefix only.
func TestEachRoleMakesExactlyTheCallsThatItIncludes(t *testing.T) {
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Real(), clock)

	writer := newRole(t, tokenstore.RoleWriter, service, clock)
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
	halted := newRole(t, tokenstore.RoleOperator, service, clock, "secretmanager.secrets.delete")
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
	writer.Swaps("fay")
	undeletes(t, writer, service)
	writer.complete()
	_, err := writer.Store.Check(t.Context())
	writer.refuses("a writer checks", err)
	_, err = writer.Store.Reindex(t.Context(), secretstore.ReindexOptions{})
	writer.refuses("a writer repairs", err)

	reader := newRole(t, tokenstore.RoleReader, service, clock)
	reader.Reads("ada", "1000.refresh.2", "1000.access.eve", 4)
	reader.Must(reader.Store.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: "ada"}))
	reader.Must(nil, reader.Store.Ping(t.Context()))
	reader.complete()
	_, err = reader.Store.SaveToken(t.Context(), sampleToken("gil"))
	reader.refuses("a reader inserts", err)
	_, err = reader.Store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "ada", AccessToken: "1000.access.9"})
	reader.refuses("a reader saves", err)
	reader.refuses("a reader deletes everything", reader.Store.DeleteTokens(t.Context()))

	operator := newRole(t, tokenstore.RoleOperator, service, clock)
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
	undeletes(t, operator, service)
	operator.complete()
	if left := tokenSecrets(service); len(left) != 4 {
		t.Errorf("four tokens leave %v", left)
	}
}

// undeletes deletes a token whose secret has a delay, and brings it back.
func undeletes(t *testing.T, r *principalRole, service *gcpsmtest.Service) {
	t.Helper()
	eve, err := r.Store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "eve"})
	r.Must(eve, err)
	secret, err := gcpsm.SecretID(r.Store.SecretName(eve.ID))
	if err != nil {
		t.Fatal(err)
	}
	delays(t, service, secret)
	r.Must(nil, r.Store.DeleteToken(t.Context(), eve.ID))
	r.Must(r.Store.UndeleteToken(t.Context(), eve.ID))
}

// indexSecrets returns the IDs of the index's secrets.
func indexSecrets(service *gcpsmtest.Service) []string {
	return slices.DeleteFunc(service.IDs(), func(id string) bool { return !strings.HasPrefix(id, "crm--index--") })
}

// tokenSecrets returns the IDs of the tokens' secrets.
func tokenSecrets(service *gcpsmtest.Service) []string {
	return slices.DeleteFunc(service.IDs(), func(id string) bool { return !strings.HasPrefix(id, "crm--tokens--") })
}

// shown runs commands in a shell, and returns the arguments that gcloud gets, each in
// brackets.
func shown(t *testing.T, commands string) string {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil && runtime.GOOS == "windows" {
		t.Skip("no shell")
	}
	sh := exec.CommandContext(t.Context(), "sh", "-eu")
	sh.Stdin = strings.NewReader("MEMBER=user:somebody\n" +
		`gcloud() { if [ "$2" = describe ]; then echo "$3-described"; else printf '[%s]\n' "$@"; fi; }` + "\n" + commands)
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return string(out)
}

// TestCommandsOfAPolicy: the forms of a project, a location and a prefix. The commands are what
// a shell takes.
func TestCommandsOfAPolicy(t *testing.T) {
	for _, c := range []struct {
		url, account string
		wants        []string
		condition    string
	}{
		{"gcpsm://my-project/crm", "", []string{"\nproject=my-project\n", "\nnumber=$(gcloud projects describe \"$project\" --format='value(projectNumber)')\n"}, `startsWith("projects/my-project-described/secrets/crm--")]`},
		{"gcpsm://my-project", "12345", []string{"\nnumber=12345\n"}, `startsWith("projects/12345/secrets/tokenstore--")]`},
		{"gcpsm://12345/a/b", "", []string{"\nnumber=12345\n", "\nproject=$(gcloud projects describe 12345 --format='value(projectId)')\n"}, `startsWith("projects/12345/secrets/a--b--")]`},
		{"gcpsm://my-project/crm?location=europe-west3", "", nil, `startsWith("projects/my-project-described/locations/europe-west3/secrets/crm--")]`},
		{"gcpsm://my-project/a%0Arm%20-rf%20%22%27$x", "", nil, `/secrets/a-0Arm-20-2Drf-20-22-27-24x--")]`},
	} {
		p := policyOf(t, c.url, tokenstore.RoleWriter, c.account)
		for _, want := range c.wants {
			if !strings.Contains(p.Text, want) {
				t.Errorf("%s: no %q in\n%s", c.url, want, p.Text)
			}
		}
		if got := shown(t, p.Text); !strings.Contains(got, c.condition) {
			t.Errorf("%s: no %s in the arguments\n%s", c.url, c.condition, got)
		}
	}
	for role, remarks := range map[tokenstore.Role]int{tokenstore.RoleReader: 1, tokenstore.RoleWriter: 2, tokenstore.RoleOperator: 2} {
		if p := policyOf(t, policyURL+"?kms_key=k", role, ""); len(p.Remarks) != remarks || !strings.Contains(p.Remarks[remarks-1], "service agent") {
			t.Errorf("%s: the remarks are %q", role, p.Remarks)
		}
	}
	adaptertest.NoPolicy(t, map[string]string{"gcpsm://my-project": "my-project", "gcpsm://my-project?fake=x": "1", "gcpsm:///crm": "1"})
}

// TestDiagnosisOfEachRole: by the policy that is printed for it.
func TestDiagnosisOfEachRole(t *testing.T) {
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Real(), clock)
	stores := map[tokenstore.Role]*secretstore.Store{}
	for _, role := range tokenstore.Roles() {
		stores[role] = newRole(t, role, service, clock).Store
	}
	adaptertest.DiagnosedByRoles(t, stores, clock.Advance)
}
