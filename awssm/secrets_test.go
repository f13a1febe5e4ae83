package awssm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

// bench is a driver on a fake service.
type bench struct {
	*testing.T
	service *awssmtest.Service
	clock   *awssmtest.Clock
	secrets *secrets
}

func newBench(t *testing.T, config awssmtest.Config, options ...Option) *bench {
	t.Helper()
	clock := awssmtest.NewClock()
	b := &bench{T: t, clock: clock, service: awssmtest.New(config, clock)}
	b.secrets = b.another(b.service, options...)
	return b
}

// another returns a second driver, as another process has it.
func (b *bench) another(api API, options ...Option) *secrets {
	b.Helper()
	s, err := NewSecrets(api, append([]Option{WithClock(b.clock.Now, b.clock.Sleep)}, options...)...)
	if err != nil {
		b.Fatal(err)
	}
	return s.(*secrets)
}

func (b *bench) put(name, data, revision string) string {
	b.Helper()
	r, err := b.secrets.Put(b.Context(), driver.Secret{Name: name, Data: []byte(data), Revision: revision})
	if err != nil {
		b.Fatalf("put %s: %v", name, err)
	}
	return r
}

func (b *bench) get(name string) driver.Secret {
	b.Helper()
	secret, err := b.secrets.Get(b.Context(), name)
	if err != nil {
		b.Fatalf("get %s: %v", name, err)
	}
	return secret
}

func (b *bench) wantPut(name, data, revision string, want error) {
	b.Helper()
	if _, err := b.secrets.Put(b.Context(), driver.Secret{Name: name, Data: []byte(data), Revision: revision}); !errors.Is(err, want) {
		b.Fatalf("put %s: %v, want %v", name, err, want)
	}
}

func (b *bench) wantAbsent(name string) {
	b.Helper()
	if _, err := b.secrets.Get(b.Context(), name); !errors.Is(err, driver.ErrNotFound) {
		b.Fatalf("get %s: %v, want not found", name, err)
	}
}

func (b *bench) wantData(name, want string) {
	b.Helper()
	if got := string(b.get(name).Data); got != want {
		b.Fatalf("%s holds %s, want %s", name, got, want)
	}
}

func TestCompareAndSwap(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	b.wantAbsent("a/x")
	first := b.put("a/x", `{"n":"1"}`, "")
	b.wantPut("a/x", `{"n":"9"}`, "", driver.ErrConflict)
	second := b.put("a/x", `{"n":"2"}`, first)
	b.wantPut("a/x", `{"n":"9"}`, first, driver.ErrConflict)
	b.wantPut("a/none", `{"n":"9"}`, first, driver.ErrConflict)
	if got := b.get("a/x"); got.Revision != second || string(got.Data) != `{"n":"2"}` || got.Name != "a/x" {
		t.Fatalf("got %+v", got)
	}
}

func TestUnusableData(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	b.wantPut("a/x", `{"n":"`+strings.Repeat("x", maxSize)+`"}`, "", driver.ErrTooLarge)
	b.wantPut("a/x", `"text"`, "", driver.ErrInvalid)
	b.wantPut("a/x", ``, "", driver.ErrInvalid)
	b.wantPut("a//x", `{}`, "", driver.ErrInvalid)
	b.put("a/x", `{"n":"`+strings.Repeat("x", maxSize-8)+`"}`, "")
}

func TestConsoleEditBetweenReadAndWriteIsNotLost(t *testing.T) {
	for _, call := range []string{"PutSecretValue", "UpdateSecretVersionStage"} {
		b := newBench(t, awssmtest.Real())
		r := b.put("a/x", `{"n":"1"}`, "")
		edited := false
		b.service.Before(func(op, _ string) {
			if op == call && !edited {
				edited = true
				if err := b.service.Edit("a/x", `{"n": "by hand"}`); err != nil {
					t.Error(err)
				}
			}
		})
		b.wantPut("a/x", `{"n":"2"}`, r, driver.ErrConflict)
		b.wantData("a/x", `{"n": "by hand"}`)
		b.put("a/x", `{"n":"3"}`, b.get("a/x").Revision)
	}
}

func TestLabelsDoNotPileUp(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"0"}`, "")
	for i := range 60 {
		s := b.another(b.service, WithCandidate(i%candidates))
		next, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: fmt.Appendf(nil, `{"n":"%d"}`, i), Revision: r})
		if err != nil {
			t.Fatal(err)
		}
		r = next
	}
	d, f := b.secrets.describe(t.Context(), "a/x")
	if f != nil {
		t.Fatal(f)
	}
	labels := 0
	for _, l := range d.stages {
		labels += len(l)
	}
	if labels > candidates+2 {
		t.Fatalf("%d labels", labels)
	}
}

func TestVersionQuota(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"0"}`, "")
	for range 99 {
		r = b.put("a/x", `{"n":"1"}`, r)
	}
	b.wantPut("a/x", `{"n":"2"}`, r, driver.ErrQuota)
	b.clock.Advance(25 * time.Hour)
	b.put("a/x", `{"n":"2"}`, r)
}

// A secret that was made in the console or by a template may have no version.
func TestSecretWithoutVersion(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	in := &secretsmanager.CreateSecretInput{Name: aws.String("a/x")}
	if _, err := b.service.CreateSecret(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	b.wantAbsent("a/x")
	b.put("a/x", `{"n":"1"}`, "")
	b.wantData("a/x", `{"n":"1"}`)
	b.wantPut("a/x", `{"n":"2"}`, "", driver.ErrConflict)
}

func TestBinaryIsGivenBackAsItStands(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	in := &secretsmanager.CreateSecretInput{Name: aws.String("a/x"), SecretBinary: []byte{1, 2, 3}, ClientRequestToken: aws.String("0123456789012345678901234567890123")}
	if _, err := b.service.CreateSecret(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	b.wantData("a/x", "\x01\x02\x03")
}

func TestEveryReplyLost(t *testing.T) {
	config := awssmtest.Real()
	config.LoseReplies = 1
	b := newBench(t, config)
	r := b.put("a/x", `{"n":"1"}`, "")
	r2 := b.put("a/x", `{"n":"2"}`, r)
	b.wantPut("a/x", `{"n":"3"}`, r, driver.ErrConflict)
	b.wantPut("a/x", `{"n":"3"}`, "", driver.ErrConflict)
	b.wantData("a/x", `{"n":"2"}`)
	if err := b.secrets.Retire(t.Context(), "a/x", r2); err != nil {
		t.Fatal(err)
	}
	b.wantAbsent("a/x")
	b.put("a/x", `{"n":"4"}`, "")
	b.wantData("a/x", `{"n":"4"}`)
	if err := b.secrets.Delete(t.Context(), "a/x", b.get("a/x").Revision); err != nil {
		t.Fatal(err)
	}
	b.wantAbsent("a/x")
}

// The SDK repeats a move whose reply was lost and is then refused, because the
// first attempt was carried out.
func TestReplyLostUnderTheRetryer(t *testing.T) {
	config := awssmtest.Real()
	config.LoseReplies = 0.5
	for seed := range uint64(30) {
		config.Seed = seed
		b := newBench(t, config)
		b.secrets = b.another(b.service.Client())
		r := b.put("a/x", `{"n":"0"}`, "")
		for i := range 5 {
			r = b.put("a/x", fmt.Sprintf(`{"n":"%d"}`, i), r)
		}
		b.wantData("a/x", `{"n":"4"}`)
	}
}

// A request that never arrived is told from one that was carried out, also when
// others have written twice since the revision was read.
func TestStaleWriterWhoseRequestIsLost(t *testing.T) {
	config := awssmtest.Real()
	config.LoseRequests = 0.3
	for seed := range uint64(40) {
		config.Seed = seed
		b := newBench(t, config)
		b.secrets = b.another(b.service.Client(func(o *secretsmanager.Options) { o.RetryMaxAttempts = 20 }))
		r := b.put("a/x", `{"n":"0"}`, "")
		b.put("a/x", `{"n":"2"}`, b.put("a/x", `{"n":"1"}`, r))
		b.wantPut("a/x", `{"n":"late"}`, r, driver.ErrConflict)
		b.wantData("a/x", `{"n":"2"}`)
	}
}

// Somebody writes over a version whose move had lost its reply: the write has
// happened all the same.
func TestReplyLostAndOverwritten(t *testing.T) {
	for _, by := range []int{1, 2} {
		config := awssmtest.Real()
		config.LoseReplies = 1
		b := newBench(t, config)
		r := b.put("a/x", `{"n":"1"}`, "")
		after := false
		b.service.Before(func(op, _ string) {
			if op == "DescribeSecret" && after {
				for range by {
					if err := b.service.Edit("a/x", `{"n":"by hand"}`); err != nil {
						t.Error(err)
					}
				}
				after = false
			}
			after = after || op == "UpdateSecretVersionStage"
		})
		_, err := b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: r})
		switch {
		case by == 1 && err != nil:
			t.Errorf("overwritten once: %v", err)
		case by == 2 && !errors.Is(err, driver.ErrUnavailable):
			t.Errorf("overwritten twice, so that nobody can tell: %v", err)
		}
	}
}

func TestConcurrentCounter(t *testing.T) {
	b := newBench(t, awssmtest.Config{Stale: 200 * time.Millisecond, LoseReplies: 0.1, LoseRequests: 0.05, ReserveNames: true, Latency: time.Millisecond})
	b.put("a/x", `{"n":"0"}`, "")
	const writers, each = 8, 12
	var wg sync.WaitGroup
	var mu sync.Mutex
	successes, doubtful := 0, 0
	for w := range writers {
		s := b.another(b.service, WithCandidate(w/2))
		wg.Go(func() {
			for done := 0; done < each; {
				secret, err := s.Get(t.Context(), "a/x")
				if err != nil {
					continue
				}
				var n int
				_, _ = fmt.Sscanf(string(secret.Data), `{"n":"%d"}`, &n)
				_, err = s.Put(t.Context(), driver.Secret{Name: "a/x", Data: fmt.Appendf(nil, `{"n":"%d"}`, n+1), Revision: secret.Revision})
				mu.Lock()
				switch {
				case err == nil:
					done++
					successes++
				case errors.Is(err, driver.ErrUnavailable):
					doubtful++
				case !errors.Is(err, driver.ErrConflict):
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	value, _ := b.service.Value("a/x")
	var n int
	_, _ = fmt.Sscanf(value, `{"n":"%d"}`, &n)
	if n < successes || n > successes+doubtful {
		t.Fatalf("%d, after %d successes and %d in doubt", n, successes, doubtful)
	}
}

// Writers of one process that wait for each other store no versions in vain.
func TestLosersOfOneProcessLeaveNoVersions(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"0"}`, "")
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 10 {
		wg.Go(func() {
			switch _, err := b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`), Revision: r}); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, driver.ErrConflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.service.Versions("a/x"); n != 2 || won.Load() != 1 {
		t.Errorf("%d versions, %d winners", n, won.Load())
	}
	// A person puts the old version back; after a while it counts again.
	if _, err := b.service.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("a/x"), VersionStage: aws.String(current), MoveToVersionId: &r, RemoveFromVersionId: aws.String(b.get("a/x").Revision),
	}); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(outdatedFor)
	b.put("a/x", `{"n":"2"}`, r)
}

func TestWaitingWriterHonoursItsContext(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	release, err := b.secrets.acquire(t.Context(), "a/x")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := b.secrets.Put(ctx, driver.Secret{Name: "a/x", Data: []byte(`{}`)})
		got <- err
	}()
	cancel()
	if err := <-got; err != context.Canceled { //nolint:errorlint // It is returned as it is.
		t.Fatal(err)
	}
	release()
	b.put("a/x", `{}`, "")
	if b.secrets.locks.Len() != 0 {
		t.Fatalf("%d locks are left", b.secrets.locks.Len())
	}
}

func TestBatch(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	var names []string
	for i := range 45 {
		name := fmt.Sprintf("a/%d", i)
		b.put(name, `{"n":"1"}`, "")
		names = append(names, name)
	}
	r := b.get("a/7").Revision
	if err := b.secrets.Delete(t.Context(), "a/7", r); err != nil {
		t.Fatal(err)
	}
	before := b.service.Calls()["BatchGetSecretValue"]
	got, err := b.secrets.GetBatch(t.Context(), append(names, "a/none", "a/3"))
	if err != nil || len(got) != 44 {
		t.Fatalf("%d secrets, %v", len(got), err)
	}
	if calls := b.service.Calls()["BatchGetSecretValue"] - before; calls != 3 {
		t.Errorf("%d batch calls", calls)
	}
	// A role without the permission reads one by one, and tries only once.
	single := b.another(b.service.As("secretsmanager:GetSecretValue"))
	before = b.service.Calls()["BatchGetSecretValue"]
	for range 3 {
		if got, err = single.GetBatch(t.Context(), names[:20]); err != nil || len(got) != 19 {
			t.Fatalf("%d secrets, %v", len(got), err)
		}
	}
	if calls := b.service.Calls()["BatchGetSecretValue"] - before; calls != 1 {
		t.Errorf("%d batch calls without the permission", calls)
	}
	// One that may read in batches only gets an error for each name.
	none := b.another(b.service.As("secretsmanager:BatchGetSecretValue"))
	_, err = none.GetBatch(t.Context(), names[:2])
	var ne *driver.NameError
	if !errors.As(err, &ne) || !errors.Is(err, driver.ErrDenied) {
		t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	b := newBench(t, awssmtest.Real(), WithDescription("tokens"))
	want := []string{"a/" + strings.Repeat("é", 100), "a/x-abcdef", "a/y", "a/z w"}
	for _, name := range want {
		b.put(name, `{}`, "")
	}
	for i := range 150 {
		b.put(fmt.Sprintf("b/%d", i), `{}`, "")
	}
	foreign := &secretsmanager.CreateSecretInput{Name: aws.String("a/=zz"), SecretString: aws.String("x"), ClientRequestToken: aws.String("0123456789012345678901234567890123")}
	if _, err := b.service.CreateSecret(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	for prefix, n := range map[string]int{"a/": 4, "a/x-": 1, "a/z ": 1, "b/": 150, "": 154, "c": 0} {
		var got []string
		for name, err := range b.secrets.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if len(got) != n || prefix == "a/" && !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%q: %d names: %.9q", prefix, len(got), got)
		}
	}
}

func TestTagsKeyAndDescription(t *testing.T) {
	b := newBench(t, awssmtest.Real(), WithTags(map[string]string{"team": "crm"}), WithKMSKey("alias/tokens"), WithDescription("a token"))
	b.put("a/x", `{}`, "")
	out, err := b.service.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("a/x")})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range out.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if len(tags) != 2 || tags["team"] != "crm" || tags["managed-by"] != "tokenstore" || *out.KmsKeyId != "alias/tokens" || *out.Description != "a token" {
		t.Fatalf("%v %v %v", tags, out.KmsKeyId, out.Description)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	service := awssmtest.New(awssmtest.Real(), nil)
	for name, o := range map[string]Option{
		"recovery": WithRecoveryWindow(3), "candidate": WithCandidate(8),
		"prefix": WithPrefix("a//"), "tags": WithTags(map[string]string{"aws:x": "y"}), "clock": WithClock(nil, nil),
		"description": WithDescription(strings.Repeat("x", 3000)),
	} {
		if _, err := NewSecrets(service, o); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewSecrets(nil); !errors.Is(err, driver.ErrInvalid) {
		t.Error(err)
	}
	if _, err := New(service, WithFanout(0)); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a fan-out of zero: %v", err)
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"1"}`, "")
	denied := b.another(b.service.As().Client())
	_, err := denied.Get(t.Context(), "a/x")
	if !errors.Is(err, driver.ErrDenied) || !strings.HasPrefix(err.Error(), "denied: GetSecretValue: AccessDeniedException") {
		t.Error(err)
	}
	_, err = b.secrets.Get(t.Context(), "a/none")
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("the SDK's error is not reachable: %v", err)
	}
	for range 60 { // In one second, since nothing moves the clock so fast.
		b.clock.Advance(-25 * time.Millisecond)
		if _, err = b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: "no such revision, but long enough"}); errors.Is(err, driver.ErrThrottled) {
			break
		}
		b.clock.Advance(-25 * time.Millisecond)
	}
	if !errors.Is(err, driver.ErrThrottled) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range []*secrets{b.secrets, b.another(b.service.Client())} {
		if _, err := s.Get(ctx, "a/x"); err != context.Canceled { //nolint:errorlint // It is returned as it is.
			t.Errorf("%T %v", err, err)
		}
		if _, err := s.Put(ctx, driver.Secret{Name: "a/x", Data: []byte(`{}`), Revision: r}); err != context.Canceled { //nolint:errorlint // It is returned as it is.
			t.Errorf("%T %v", err, err)
		}
	}
}

func TestNoCredentials(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	s := b.another(b.service.Client(func(o *secretsmanager.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("there are none")
		})
	}))
	if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrDenied) {
		t.Fatal(err)
	}
}
