package gcpsmtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// managed returns a policy of replicas in the given locations, each with a key in another
// location if one is given.
func managed(keyLocation string, locations ...string) *secretmanagerpb.Replication {
	policy := &secretmanagerpb.Replication_UserManaged{}
	for _, location := range locations {
		replica := &secretmanagerpb.Replication_UserManaged_Replica{Location: location}
		if keyLocation != "" {
			replica.CustomerManagedEncryption = &secretmanagerpb.CustomerManagedEncryption{
				KmsKeyName: "projects/p/locations/" + keyLocation + "/keyRings/r/cryptoKeys/k",
			}
		}
		policy.Replicas = append(policy.Replicas, replica)
	}
	return &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_UserManaged_{UserManaged: policy}}
}

func many(n int, form string) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf(form, i)] = "v"
	}
	return m
}

func TestRulesOfSecrets(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	for i, c := range []struct {
		what string
		sec  *secretmanagerpb.Secret
		want codes.Code
	}{
		{"64 labels", &secretmanagerpb.Secret{Labels: many(64, "k%d")}, codes.OK},
		{"65 labels", &secretmanagerpb.Secret{Labels: many(65, "k%d")}, codes.InvalidArgument},
		{"label of 64 characters", &secretmanagerpb.Secret{Labels: many(1, strings.Repeat("k", 63)+"%d")}, codes.InvalidArgument},
		{"letters of other scripts", &secretmanagerpb.Secret{Labels: map[string]string{"ключ": "値"}}, codes.OK},
		{"annotation", &secretmanagerpb.Secret{Annotations: map[string]string{"A.b-c_d": "Any text"}}, codes.OK},
		{"annotation that ends in a dot", &secretmanagerpb.Secret{Annotations: map[string]string{"a.": ""}}, codes.InvalidArgument},
		{"large annotations", &secretmanagerpb.Secret{Annotations: map[string]string{"a": strings.Repeat("x", 16<<10)}}, codes.InvalidArgument},
		{"topic", &secretmanagerpb.Secret{Topics: []*secretmanagerpb.Topic{{Name: "projects/p/topics/t"}}}, codes.OK},
		{"topic's short name", &secretmanagerpb.Secret{Topics: []*secretmanagerpb.Topic{{Name: "t"}}}, codes.InvalidArgument},
		{"11 topics", &secretmanagerpb.Secret{Topics: slices.Repeat([]*secretmanagerpb.Topic{{Name: "projects/p/topics/t"}}, 11)}, codes.InvalidArgument},
		{"two replicas", &secretmanagerpb.Secret{Replication: managed("", "us-east1", "us-west1")}, codes.OK},
		{"no replica", &secretmanagerpb.Secret{Replication: managed("")}, codes.InvalidArgument},
		{"a replica twice", &secretmanagerpb.Secret{Replication: managed("", "us-east1", "us-east1")}, codes.InvalidArgument},
		{"a replica's key", &secretmanagerpb.Secret{Replication: managed("us-east1", "us-east1")}, codes.OK},
		{"a key elsewhere", &secretmanagerpb.Secret{Replication: managed("us-west1", "us-east1")}, codes.InvalidArgument},
		{"a regional secret's key", &secretmanagerpb.Secret{Replication: automatic(), CustomerManagedEncryption: &secretmanagerpb.CustomerManagedEncryption{}}, codes.InvalidArgument},
		{"an expiration in the past", &secretmanagerpb.Secret{Replication: automatic(), Expiration: &secretmanagerpb.Secret_ExpireTime{ExpireTime: timestamppb.New(w.clock.Now())}}, codes.InvalidArgument},
		{"a delay of a day", &secretmanagerpb.Secret{VersionDestroyTtl: durationpb.New(24 * time.Hour)}, codes.OK},
		{"a delay of 1,001 days", &secretmanagerpb.Secret{VersionDestroyTtl: durationpb.New(1001 * 24 * time.Hour)}, codes.InvalidArgument},
	} {
		if c.sec.GetReplication() == nil {
			c.sec.Replication = automatic()
		}
		_, err := w.client.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{Parent: project, SecretId: fmt.Sprint("s", i), Secret: c.sec})
		if code(err) != c.want {
			t.Errorf("%s: %v instead of %v", c.what, err, c.want)
		}
	}
}

func TestRulesOfUpdates(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	w.create("a")
	w.add("a", "one")
	for _, c := range []struct {
		path string
		sec  *secretmanagerpb.Secret
		want codes.Code
	}{
		{"annotations", &secretmanagerpb.Secret{Annotations: map[string]string{"a": "b"}}, codes.OK},
		{"topics", &secretmanagerpb.Secret{Topics: []*secretmanagerpb.Topic{{Name: "t"}}}, codes.InvalidArgument},
		{"version_aliases", &secretmanagerpb.Secret{VersionAliases: map[string]int64{"now": 2}}, codes.InvalidArgument},
		{"version_aliases", &secretmanagerpb.Secret{VersionAliases: map[string]int64{"latest": 1}}, codes.InvalidArgument},
		{"version_aliases", &secretmanagerpb.Secret{VersionAliases: map[string]int64{"1st": 1}}, codes.InvalidArgument},
		{"version_destroy_ttl", &secretmanagerpb.Secret{VersionDestroyTtl: durationpb.New(time.Second)}, codes.InvalidArgument},
		{"customer_managed_encryption", &secretmanagerpb.Secret{CustomerManagedEncryption: &secretmanagerpb.CustomerManagedEncryption{}}, codes.InvalidArgument},
		{"rotation", &secretmanagerpb.Secret{}, codes.OK},
		{"name", &secretmanagerpb.Secret{}, codes.InvalidArgument},
		{"ttl", &secretmanagerpb.Secret{Expiration: &secretmanagerpb.Secret_Ttl{Ttl: durationpb.New(time.Hour)}}, codes.OK},
	} {
		c.sec.Name = project + "/secrets/a"
		_, err := w.client.UpdateSecret(t.Context(), &secretmanagerpb.UpdateSecretRequest{Secret: c.sec, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{c.path}}})
		if code(err) != c.want {
			t.Errorf("%s: %v instead of %v", c.path, err, c.want)
		}
	}
	w.clock.Advance(time.Hour) // It expires.
	w.refuses("a", "1", codes.NotFound)
	if got := w.service.IDs(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	if got, want := w.service.VersionTime(), time.Hour; got != want {
		t.Errorf("paid for %v instead of %v", got, want)
	}
}

func TestReplicasArePaidForOneByOne(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	_, err := w.client.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{
		Parent: project, SecretId: "a", Secret: &secretmanagerpb.Secret{Replication: managed("", "us-east1", "us-west1")},
	})
	w.must(err)
	if v := w.add("a", "one"); len(v.GetReplicationStatus().GetUserManaged().GetReplicas()) != 2 {
		t.Errorf("added %v", v)
	}
	w.clock.Advance(time.Hour)
	if got := w.service.VersionTime(); got != 2*time.Hour {
		t.Errorf("paid for %v", got)
	}
}

func TestWhatAPersonDoes(t *testing.T) {
	for _, location := range []string{"", "europe-west3"} {
		w := newWorld(t, gcpsmtest.Config{Project: "test-project", Location: location})
		for i := range int64(2) {
			if number, err := w.service.Edit("a", fmt.Sprint("v", i)); number != i+1 || err != nil {
				t.Fatalf("edited: %d, %v", number, err)
			}
		}
		if got, ok := w.service.Value("a"); got != "v1" || !ok {
			t.Errorf("value %q", got)
		}
		w.must(w.service.Disable("a", 0))
		if _, ok := w.service.Value("a"); ok {
			t.Error("a disabled version has a value")
		}
		w.must(w.service.Enable("a", 2))
		w.must(w.service.Destroy("a", 0))
		w.fails(w.service.Enable("a", 0), codes.FailedPrecondition)
		w.fails(w.service.Destroy("a", 3), codes.NotFound)
		w.fails(w.service.Destroy("b", 1), codes.NotFound)
		_, err := w.service.Edit("a", "")
		w.fails(err, codes.InvalidArgument)
		w.must(w.service.Remove("a"))
		w.fails(w.service.Remove("a"), codes.NotFound)
		if w.service.Versions("a") != 0 || w.service.MostVersions("a") != 0 || w.service.Added("a") != 0 {
			t.Error("a secret that was removed has versions")
		}
	}
}

// TestTheQuotasForgetWhatIsOver counts calls for a large number of secrets.
func TestTheQuotasForgetWhatIsOver(t *testing.T) {
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Config{Quotas: true}, clock)
	for i := range 6000 {
		id := fmt.Sprint("s", i)
		if _, err := service.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{
			Parent: project, SecretId: id, Secret: &secretmanagerpb.Secret{Replication: automatic()},
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := service.AddSecretVersion(t.Context(), &secretmanagerpb.AddSecretVersionRequest{
			Parent: project + "/secrets/" + id, Payload: &secretmanagerpb.SecretPayload{Data: []byte("x")},
		}); err != nil {
			t.Fatal(err)
		}
		if err := clock.Sleep(t.Context(), 250*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRESTRefusesWhatIsNoRequest(t *testing.T) {
	service := gcpsmtest.New(gcpsmtest.Config{}, nil)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodGet, "/v2/projects/p/secrets", "", http.StatusNotFound},
		{http.MethodPost, "/v1/projects/p/secrets/a:frobnicate", "{}", http.StatusNotFound},
		{http.MethodPost, "/v1/projects/p/secrets/a:addVersion", `{"payload": "SECRET`, http.StatusBadRequest},
		{http.MethodPatch, "/v1/projects/p/secrets/a?updateMask=a%20b", "{}", http.StatusBadRequest},
		{http.MethodGet, "/v1/projects/p/secrets/a", "", http.StatusNotFound},
		{http.MethodGet, "/v1/projects/p/secrets", "", http.StatusOK},
	} {
		recorder := httptest.NewRecorder()
		service.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		body, err := io.ReadAll(recorder.Body)
		if recorder.Code != c.want || err != nil || strings.Contains(string(body), "SECRET") {
			t.Errorf("%s %s: %d %s instead of %d", c.method, c.path, recorder.Code, body, c.want)
		}
	}
}
