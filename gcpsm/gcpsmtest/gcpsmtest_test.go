package gcpsmtest_test

import (
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/tokenstore/gcpsm/gcpsmtest"
)

const project = "projects/test-project"

// world is a service with a client.
type world struct {
	*testing.T
	clock   *gcpsmtest.Clock
	service *gcpsmtest.Service
	client  *secretmanager.Client
}

func newWorld(t *testing.T, config gcpsmtest.Config) *world {
	t.Helper()
	clock := gcpsmtest.NewClock()
	w := &world{T: t, clock: clock, service: gcpsmtest.New(config, clock)}
	w.client = w.as(w.service.Principal)
	return w
}

// both runs a test with each of Google's clients.
func both(t *testing.T, config gcpsmtest.Config, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("gRPC", func(t *testing.T) { test(t, newWorld(t, config)) })
	t.Run("REST", func(t *testing.T) {
		w := newWorld(t, config)
		client, err := w.service.RESTClient(t.Context())
		w.must(err)
		w.client = client
		test(t, w)
	})
}

func (w *world) as(p *gcpsmtest.Principal) *secretmanager.Client {
	w.Helper()
	client, err := p.Client(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := client.Close(); err != nil {
			w.Error(err)
		}
	})
	return client
}

func automatic() *secretmanagerpb.Replication {
	return &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}}
}

func (w *world) create(id string) *secretmanagerpb.Secret {
	w.Helper()
	sec, err := w.client.CreateSecret(w.Context(), &secretmanagerpb.CreateSecretRequest{
		Parent: project, SecretId: id, Secret: &secretmanagerpb.Secret{Replication: automatic()},
	})
	if err != nil {
		w.Fatal(err)
	}
	return sec
}

func (w *world) tryAdd(id, value string) (*secretmanagerpb.SecretVersion, error) {
	sum := int64(crc32.Checksum([]byte(value), crc32.MakeTable(crc32.Castagnoli)))
	return w.client.AddSecretVersion(w.Context(), &secretmanagerpb.AddSecretVersionRequest{
		Parent: project + "/secrets/" + id, Payload: &secretmanagerpb.SecretPayload{Data: []byte(value), DataCrc32C: &sum},
	})
}

func (w *world) add(id, value string) *secretmanagerpb.SecretVersion {
	w.Helper()
	v, err := w.tryAdd(id, value)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

func (w *world) access(id, version string) (string, error) {
	out, err := w.client.AccessSecretVersion(w.Context(), &secretmanagerpb.AccessSecretVersionRequest{
		Name: project + "/secrets/" + id + "/versions/" + version,
	})
	return string(out.GetPayload().GetData()), err
}

// reads checks a version's data.
func (w *world) reads(id, version, want string) {
	w.Helper()
	if got, err := w.access(id, version); got != want || err != nil {
		w.Errorf("%s %s: %q, %v instead of %q", id, version, got, err, want)
	}
}

// code returns an error's code from either client.
func code(err error) codes.Code {
	var api *apierror.APIError
	if errors.As(err, &api) && api.HTTPCode() > 0 {
		var body *googleapi.Error
		if !errors.As(err, &body) {
			return codes.Unknown
		}
		for c := codes.OK; c <= codes.Unauthenticated; c++ {
			if name := `"status":"` + strings.ToUpper(c.String()) + `"`; strings.Contains(strings.ReplaceAll(body.Body, "_", ""), name) {
				return c
			}
		}
	}
	return status.Code(err)
}

// fails checks an error's code.
func (w *world) fails(err error, want codes.Code) {
	w.Helper()
	if got := code(err); got != want {
		w.Errorf("%v (%v) instead of %v", err, got, want)
	}
}

// refuses checks that a version cannot be read.
func (w *world) refuses(id, version string, want codes.Code) {
	w.Helper()
	_, err := w.access(id, version)
	w.fails(err, want)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func TestVersionsAreNumberedAndReadBack(t *testing.T) {
	both(t, gcpsmtest.Real(), versionsAreNumberedAndReadBack)
}

func versionsAreNumberedAndReadBack(t *testing.T, w *world) {
	sec := w.create("a")
	if want := "projects/123456789012/secrets/a"; sec.GetName() != want {
		t.Errorf("name %s instead of %s", sec.GetName(), want)
	}
	w.refuses("a", "latest", codes.NotFound)
	w.refuses("b", "1", codes.NotFound)
	if v := w.add("a", "one"); v.GetName() != "projects/123456789012/secrets/a/versions/1" || v.GetState() != secretmanagerpb.SecretVersion_ENABLED || !v.GetClientSpecifiedPayloadChecksum() {
		t.Errorf("added %v", v)
	}
	w.clock.Advance(time.Minute)
	w.add("a", "two")
	w.reads("a", "1", "one")
	w.reads("a", "2", "two")
	w.reads("a", "latest", "two")
	w.refuses("a", "3", codes.NotFound)
	w.refuses("a", "other", codes.NotFound)
	out, err := w.client.AccessSecretVersion(t.Context(), &secretmanagerpb.AccessSecretVersionRequest{Name: project + "/secrets/a/versions/latest"})
	w.must(err)
	if want := int64(crc32.Checksum([]byte("two"), crc32.MakeTable(crc32.Castagnoli))); out.GetPayload().GetDataCrc32C() != want {
		t.Errorf("checksum %d instead of %d", out.GetPayload().GetDataCrc32C(), want)
	}
	if out.GetName() != "projects/123456789012/secrets/a/versions/2" {
		t.Errorf("latest is %s", out.GetName())
	}
}

func TestItRefusesWhatTheServiceRefuses(t *testing.T) {
	both(t, gcpsmtest.Config{Size: 64 << 10}, itRefusesWhatTheServiceRefuses)
}

func itRefusesWhatTheServiceRefuses(t *testing.T, w *world) {
	create := func(id string, sec *secretmanagerpb.Secret) error {
		_, err := w.client.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{Parent: project, SecretId: id, Secret: sec})
		return err
	}
	w.create("a")
	w.fails(create("a", &secretmanagerpb.Secret{Replication: automatic()}), codes.AlreadyExists)
	w.fails(create("b/c", &secretmanagerpb.Secret{Replication: automatic()}), codes.InvalidArgument)
	w.fails(create("", &secretmanagerpb.Secret{Replication: automatic()}), codes.InvalidArgument)
	w.fails(create(string(make([]byte, 256)), &secretmanagerpb.Secret{Replication: automatic()}), codes.InvalidArgument)
	w.fails(create("b", &secretmanagerpb.Secret{}), codes.InvalidArgument)
	w.fails(create("b", nil), codes.InvalidArgument)
	w.fails(create("b", &secretmanagerpb.Secret{Replication: automatic(), Labels: map[string]string{"Upper": "x"}}), codes.InvalidArgument)
	w.fails(create("b", &secretmanagerpb.Secret{Replication: automatic(), Labels: map[string]string{"k": "a.b"}}), codes.InvalidArgument)
	w.fails(create("b", &secretmanagerpb.Secret{Replication: automatic(), VersionAliases: map[string]int64{"x": 1}}), codes.InvalidArgument)
	w.fails(create("b", &secretmanagerpb.Secret{Replication: automatic(), VersionDestroyTtl: durationpb.New(time.Hour)}), codes.InvalidArgument)
	foreign := automatic()
	foreign.GetAutomatic().CustomerManagedEncryption = &secretmanagerpb.CustomerManagedEncryption{
		KmsKeyName: "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k",
	}
	w.fails(create("b", &secretmanagerpb.Secret{Replication: foreign}), codes.InvalidArgument)

	_, err := w.tryAdd("missing", "x")
	w.fails(err, codes.NotFound)
	_, err = w.tryAdd("a", "")
	w.fails(err, codes.InvalidArgument)
	_, err = w.tryAdd("a", string(make([]byte, 64<<10+1)))
	w.fails(err, codes.InvalidArgument)
	w.add("a", string(make([]byte, 64<<10)))
	wrong := int64(1)
	_, err = w.client.AddSecretVersion(t.Context(), &secretmanagerpb.AddSecretVersionRequest{
		Parent: project + "/secrets/a", Payload: &secretmanagerpb.SecretPayload{Data: []byte("x"), DataCrc32C: &wrong},
	})
	w.fails(err, codes.InvalidArgument)
	_, err = w.client.DestroySecretVersion(t.Context(), &secretmanagerpb.DestroySecretVersionRequest{Name: project + "/secrets/a/versions/latest"})
	w.fails(err, codes.InvalidArgument)
	_, err = w.client.GetSecret(t.Context(), &secretmanagerpb.GetSecretRequest{Name: "projects/test-project/locations/europe-west3/secrets/a"})
	w.fails(err, codes.InvalidArgument)
}

func TestStates(t *testing.T) {
	both(t, gcpsmtest.Real(), states)
}

func states(t *testing.T, w *world) {
	w.create("a")
	v := w.add("a", "one")
	name := project + "/secrets/a/versions/1"
	w.clock.Advance(time.Minute)
	_, err := w.client.DisableSecretVersion(t.Context(), &secretmanagerpb.DisableSecretVersionRequest{Name: name, Etag: `"other"`})
	w.fails(err, codes.FailedPrecondition)
	w.clock.Advance(time.Second)
	v, err = w.client.DisableSecretVersion(t.Context(), &secretmanagerpb.DisableSecretVersionRequest{Name: name, Etag: v.GetEtag()})
	w.must(err)
	w.refuses("a", "1", codes.FailedPrecondition)
	w.refuses("a", "latest", codes.FailedPrecondition)
	w.clock.Advance(time.Second)
	_, err = w.client.EnableSecretVersion(t.Context(), &secretmanagerpb.EnableSecretVersionRequest{Name: name, Etag: v.GetEtag()})
	w.must(err)
	w.reads("a", "1", "one")
	w.clock.Advance(time.Second)
	_, err = w.client.DestroySecretVersion(t.Context(), &secretmanagerpb.DestroySecretVersionRequest{Name: name, Etag: v.GetEtag()})
	w.fails(err, codes.FailedPrecondition)
	w.clock.Advance(time.Second)
	v, err = w.client.DestroySecretVersion(t.Context(), &secretmanagerpb.DestroySecretVersionRequest{Name: name})
	w.must(err)
	if v.GetState() != secretmanagerpb.SecretVersion_DESTROYED || v.GetDestroyTime() == nil {
		t.Errorf("destroyed: %v", v)
	}
	w.refuses("a", "1", codes.FailedPrecondition)
	for range 2 { // A destroyed version stays so.
		w.clock.Advance(time.Second)
		_, err = w.client.EnableSecretVersion(t.Context(), &secretmanagerpb.EnableSecretVersionRequest{Name: name})
		w.fails(err, codes.FailedPrecondition)
	}
	w.add("a", "two")
	w.reads("a", "2", "two")
	if got := w.service.Versions("a"); got != 1 {
		t.Errorf("%d versions are paid for", got)
	}
}

func TestDestructionIsDelayedByTheSecretsTTL(t *testing.T) {
	both(t, gcpsmtest.Config{}, destructionIsDelayedByTheSecretsTTL)
}

func destructionIsDelayedByTheSecretsTTL(t *testing.T, w *world) {
	_, err := w.client.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{
		Parent: project, SecretId: "a",
		Secret: &secretmanagerpb.Secret{Replication: automatic(), VersionDestroyTtl: durationpb.New(24 * time.Hour)},
	})
	w.must(err)
	w.add("a", "one")
	w.must(w.service.Destroy("a", 1))
	get := func() *secretmanagerpb.SecretVersion {
		v, err := w.client.GetSecretVersion(t.Context(), &secretmanagerpb.GetSecretVersionRequest{Name: project + "/secrets/a/versions/1"})
		w.must(err)
		return v
	}
	w.refuses("a", "1", codes.FailedPrecondition)
	if v := get(); v.GetState() != secretmanagerpb.SecretVersion_DISABLED || v.GetScheduledDestroyTime() == nil || w.service.Versions("a") != 1 {
		t.Errorf("scheduled: %v", v)
	}
	w.must(w.service.Enable("a", 1))
	w.reads("a", "1", "one")
	w.must(w.service.Destroy("a", 1))
	w.clock.Advance(24 * time.Hour)
	if v := get(); v.GetState() != secretmanagerpb.SecretVersion_DESTROYED || w.service.Versions("a") != 0 {
		t.Errorf("due: %v", v)
	}
}

func TestUpdateAndDeleteHaveEtags(t *testing.T) {
	both(t, gcpsmtest.Config{}, updateAndDeleteHaveEtags)
}

func updateAndDeleteHaveEtags(t *testing.T, w *world) {
	sec := w.create("a")
	w.add("a", "one")
	update := func(etag string, mask ...string) (*secretmanagerpb.Secret, error) {
		return w.client.UpdateSecret(t.Context(), &secretmanagerpb.UpdateSecretRequest{
			Secret: &secretmanagerpb.Secret{
				Name: project + "/secrets/a", Etag: etag, Labels: map[string]string{"k": "v"}, VersionAliases: map[string]int64{"now": 1},
			},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: mask},
		})
	}
	_, err := update("", "replication")
	w.fails(err, codes.InvalidArgument)
	_, err = update("")
	w.fails(err, codes.InvalidArgument)
	changed, err := update(sec.GetEtag(), "version_aliases") // The version has not changed it.
	w.must(err)
	if len(changed.GetLabels()) != 0 || changed.GetEtag() == sec.GetEtag() {
		t.Errorf("updated: %v", changed)
	}
	w.reads("a", "now", "one")
	_, err = update(sec.GetEtag(), "labels")
	w.fails(err, codes.FailedPrecondition)
	_, err = update("", "labels")
	w.must(err)
	remove := func(etag string) error {
		return w.client.DeleteSecret(t.Context(), &secretmanagerpb.DeleteSecretRequest{Name: project + "/secrets/a", Etag: etag})
	}
	w.fails(remove(changed.GetEtag()), codes.FailedPrecondition)
	w.must(remove(""))
	w.fails(remove(""), codes.NotFound)
	w.refuses("a", "1", codes.NotFound)
	w.create("a")
	if v := w.add("a", "again"); v.GetName() != project+"/secrets/a/versions/1" {
		t.Errorf("added again: %s", v.GetName())
	}
}

func (w *world) listed(filter string, size int) []string {
	w.Helper()
	var ids []string
	all := w.client.ListSecrets(w.Context(), &secretmanagerpb.ListSecretsRequest{Parent: project, Filter: filter, PageSize: int32(size)})
	for {
		sec, err := all.Next()
		if errors.Is(err, iterator.Done) {
			return ids
		}
		w.must(err)
		ids = append(ids, sec.GetName()[len(project+"/secrets/"):])
	}
}

func TestListsArePagedNewestFirst(t *testing.T) {
	both(t, gcpsmtest.Config{}, listsArePagedNewestFirst)
}

func listsArePagedNewestFirst(t *testing.T, w *world) {
	for _, id := range []string{"one-a", "two-a", "one-b", "two-b", "one-c"} {
		w.create(id)
	}
	for _, size := range []int{0, 1, 2, 5, 6} {
		if got := w.listed("", size); len(got) != 5 || got[0] != "one-c" || got[4] != "one-a" {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
	if got := w.listed("name:two", 1); len(got) != 2 || got[0] != "two-b" {
		t.Errorf("filtered: %v", got)
	}
	if got := w.listed("NOT name:-a AND name:one OR name=two-a", 0); len(got) != 3 {
		t.Errorf("filtered: %v", got)
	}
	for i := range 12 {
		w.add("one-a", string(rune('a'+i)))
	}
	w.must(w.service.Destroy("one-a", 11))
	versions := w.client.ListSecretVersions(t.Context(), &secretmanagerpb.ListSecretVersionsRequest{
		Parent: project + "/secrets/one-a", PageSize: 5, Filter: "state:ENABLED",
	})
	var got []string
	for v, err := range versions.All() {
		w.must(err)
		got = append(got, v.GetName()[len(project+"/secrets/one-a/versions/"):])
	}
	if len(got) != 11 || got[0] != "12" || got[1] != "10" || got[10] != "1" {
		t.Errorf("versions: %v", got)
	}
	_, err := w.client.ListSecrets(t.Context(), &secretmanagerpb.ListSecretsRequest{Parent: project, Filter: "topics:x"}).Next()
	w.fails(err, codes.InvalidArgument)
}

func TestDenied(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{Project: "test-project"})
	w.create("mine-a")
	w.create("other")
	w.add("mine-a", "one")
	w.add("other", "two")
	all := w.client
	limited := w.service.As("secretmanager.versions.access").On("mine-")
	w.client = w.as(limited)
	w.reads("mine-a", "1", "one")
	w.refuses("mine-a", "2", codes.NotFound)
	w.refuses("other", "1", codes.PermissionDenied)
	_, err := w.tryAdd("mine-a", "three")
	w.fails(err, codes.PermissionDenied)
	if want := "Permission 'secretmanager.versions.add' denied for resource 'projects/test-project/secrets/mine-a' (or it may not exist)."; status.Convert(err).Message() != want {
		t.Errorf("text %q", status.Convert(err).Message())
	}
	if got := limited.Used(); !slices.Equal(got, []string{"secretmanager.versions.access", "secretmanager.versions.add"}) {
		t.Errorf("used: %v", got)
	}
	w.client = all
	_, err = w.client.GetSecret(t.Context(), &secretmanagerpb.GetSecretRequest{Name: "projects/another/secrets/other"})
	w.fails(err, codes.PermissionDenied)
}

func TestWhatIsMissingIsDenied(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{HideMissing: true})
	w.refuses("a", "1", codes.PermissionDenied)
	_, err := w.tryAdd("a", "x")
	w.fails(err, codes.PermissionDenied)
	w.create("a")
	w.refuses("a", "1", codes.NotFound)
}

func TestARegionHasItsOwnNames(t *testing.T) {
	both(t, gcpsmtest.Config{Location: "europe-west3"}, aRegionHasItsOwnNames)
}

func aRegionHasItsOwnNames(t *testing.T, w *world) {
	const parent = project + "/locations/europe-west3"
	create := func(parent string, sec *secretmanagerpb.Secret) error {
		_, err := w.client.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{Parent: parent, SecretId: "a", Secret: sec})
		return err
	}
	w.fails(create(project, &secretmanagerpb.Secret{}), codes.InvalidArgument)
	w.fails(create(project+"/locations/europe-west1", &secretmanagerpb.Secret{}), codes.InvalidArgument)
	w.fails(create(parent, &secretmanagerpb.Secret{Replication: automatic()}), codes.InvalidArgument)
	key := &secretmanagerpb.CustomerManagedEncryption{KmsKeyName: "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k"}
	w.must(create(parent, &secretmanagerpb.Secret{CustomerManagedEncryption: key}))
	v, err := w.client.AddSecretVersion(t.Context(), &secretmanagerpb.AddSecretVersionRequest{
		Parent: parent + "/secrets/a", Payload: &secretmanagerpb.SecretPayload{Data: []byte("x")},
	})
	w.must(err)
	if v.GetName() != parent+"/secrets/a/versions/1" || v.GetCustomerManagedEncryption() == nil {
		t.Errorf("added %v", v)
	}
	w.refuses("a", "1", codes.InvalidArgument)
}
