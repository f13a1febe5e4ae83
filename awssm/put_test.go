package awssm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

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
		s := b.another(b.service)
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
	if labels > 3 {
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
	_, err := b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: r})
	if err == nil || !strings.Contains(err.Error(), "when the oldest of them is 24 hours old") {
		t.Errorf("the error does not say until when: %v", err)
	}
	b.clock.Advance(25 * time.Hour)
	b.put("a/x", `{"n":"2"}`, r)
}

// A secret made in the console or by a template may have no version.
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

// The SDK retries a move whose reply was lost, and the retry is refused because the first
// attempt was applied.
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

// A request that never arrived is distinguished from one that was applied, even when
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

// A version is replaced after the reply to its move was lost: the write still succeeded.
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
			t.Errorf("overwritten twice, so the outcome is unknown: %v", err)
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
	for range writers {
		s := b.another(b.service)
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
	_, _ = fmt.Sscanf(string(decode([]byte(value))), `{"n":"%d"}`, &n)
	if n < successes || n > successes+doubtful {
		t.Fatalf("%d, after %d successes and %d in doubt", n, successes, doubtful)
	}
}

// Concurrent writers of one process store no versions in vain.
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

// outdated returns stale data for some reads, and loses the replies of moves.
type outdated struct {
	API
	description *secretsmanager.DescribeSecretOutput
	value       *secretsmanager.GetSecretValueOutput
	reads       int // how many reads of the current version are stale
	lost        bool
}

func (b *bench) outdated(name string) *outdated {
	b.Helper()
	description, err1 := b.service.DescribeSecret(b.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	value, err2 := b.service.GetSecretValue(b.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return &outdated{API: b.service, description: description, value: value}
}

func (o *outdated) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, options ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	if o.reads > 0 {
		return o.description, nil
	}
	return o.API.DescribeSecret(ctx, in, options...)
}

func (o *outdated) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if o.reads > 0 && in.VersionId == nil {
		o.reads--
		return o.value, nil
	}
	return o.API.GetSecretValue(ctx, in, options...)
}

func (o *outdated) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, options ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	out, err := o.API.UpdateSecretVersionStage(ctx, in, options...)
	if o.lost {
		return nil, errReset
	}
	return out, err
}

// The reply to a creation is lost; whatever error the retries get, the secret exists.
func TestLostCreationIsLookedForWhateverTheRetryGets(t *testing.T) {
	for _, code := range []string{"ThrottlingException", "ExpiredTokenException", "LimitExceededException", "ResourceExistsException"} {
		b := newBench(t, awssmtest.Real())
		s := b.script("CreateSecret", "lost", code, code)
		r, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`)})
		if err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		if got := b.get("a/x"); got.Revision != r || string(got.Data) != `{"n":"1"}` {
			t.Errorf("%s: %q, and the secret is %+v", code, r, got)
		}
	}
}

// The same, and the look shows nothing: the outcome is unknown. A secret that is seen late
// is found.
func TestLostCreationThatIsNotSeenIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		reads int
		err   error
		want  error
	}{
		"never seen":      {1000, &types.ResourceNotFoundException{}, driver.ErrUnavailable},
		"reads throttled": {1000, &smithy.GenericAPIError{Code: "ThrottlingException"}, driver.ErrUnavailable},
		"seen late":       {2, &types.ResourceNotFoundException{}, nil},
	} {
		for _, code := range []string{"ThrottlingException", "ResourceExistsException"} {
			b := newBench(t, awssmtest.Real())
			s := b.script("CreateSecret", "lost", code, code)
			s.api = &unseen{s.api, c.reads, c.err}
			r, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`)})
			if !errors.Is(err, c.want) || errors.Is(err, driver.ErrThrottled) || errors.Is(err, driver.ErrConflict) {
				t.Errorf("%s, %s: %v", name, code, err)
			}
			if got := b.get("a/x").Revision; err == nil && got != r {
				t.Errorf("%s, %s: %q, not %q", name, code, got, r)
			}
		}
	}
}

// unseen fails the first reads.
type unseen struct {
	API
	reads int
	err   error
}

func (u *unseen) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if u.reads > 0 {
		u.reads--
		return nil, u.err
	}
	return u.API.GetSecretValue(ctx, in, options...)
}

// A creator whose context ends during a call gets the context's error.
func TestCreatorHonoursItsContextInTheMidstOfACall(t *testing.T) {
	for _, call := range []string{"CreateSecret", "GetSecretValue", "PutSecretValue"} {
		b := newBench(t, awssmtest.Real())
		if _, err := b.service.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a/x")}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s := b.another(b.service.Client(func(o *secretsmanager.Options) {
			o.HTTPClient = ending{b.service, call, cancel}
		}))
		if _, err := s.Put(ctx, driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`)}); err != context.Canceled { //nolint:errorlint // It is returned as it is.
			t.Errorf("%s: %v", call, err)
		}
		cancel()
	}
}

// ending ends the context after a call was applied.
type ending struct {
	service *awssmtest.Service
	op      string
	end     func()
}

func (e ending) Do(r *http.Request) (*http.Response, error) {
	reply, err := e.service.Do(r)
	if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+e.op) {
		_ = reply.Body.Close()
		e.end()
		return nil, r.Context().Err()
	}
	return reply, err
}

// A secret without a version gets its first one, the reply is lost, and the retries are
// throttled.
func TestLostFirstVersionIsLookedForWhateverTheRetryGets(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	if _, err := b.service.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a/x")}); err != nil {
		t.Fatal(err)
	}
	s := b.script("PutSecretValue", "lost", "ThrottlingException", "ThrottlingException")
	r, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`)})
	if err != nil || b.get("a/x").Revision != r {
		t.Fatalf("%q, %v", r, err)
	}
}

// A version is replaced and the reply lost, while reads still show the version before it:
// this says nothing about the write.
func TestVersionOlderThanTheBaseRefusesNothing(t *testing.T) {
	for reads, want := range map[int]error{1: nil, 1000: driver.ErrUnavailable} {
		b := newBench(t, awssmtest.Real())
		r := b.put("a/x", `{"n":"1"}`, "")
		api := b.outdated("a/x")
		r = b.put("a/x", `{"n":"2"}`, r)
		api.lost, api.reads = true, reads
		_, err := b.another(api).Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"3"}`), Revision: r})
		if !errors.Is(err, want) {
			t.Errorf("%d outdated reads: %v", reads, err)
		}
		b.wantData("a/x", `{"n":"3"}`)
	}
}
