package awssm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

var errReset = errors.New("connection reset by peer")

// scripted answers the first requests of one operation as it is told, and
// passes on all others.
type scripted struct {
	service *awssmtest.Service
	op      string
	answers []string // error codes, or "lost": carried out, and the reply lost
}

func (s *scripted) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+s.op) || len(s.answers) == 0 {
		return s.service.Do(r)
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	if answer == "lost" {
		if reply, err := s.service.Do(r); err == nil {
			_ = reply.Body.Close()
		}
		return nil, errReset
	}
	return answering{http.StatusBadRequest, fmt.Sprintf(`{"__type":%q,"message":"none"}`, answer)}.Do(r)
}

// script returns the driver of a process whose client gets these answers.
func (b *bench) script(op string, answers ...string) *secrets {
	b.Helper()
	return b.another(b.service.Client(func(o *secretsmanager.Options) {
		o.HTTPClient = &scripted{b.service, op, answers}
	}))
}

// outdated shows a secret as it was for some reads, and loses the replies of
// moves.
type outdated struct {
	API
	description *secretsmanager.DescribeSecretOutput
	value       *secretsmanager.GetSecretValueOutput
	reads       int // so many reads of the current version are outdated
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

// A secret is created and the reply lost; whatever the retries are then refused
// for, it is there.
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

// The same, and the look shows nothing: nobody knows whether it is there. What is
// seen late is found.
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

// A creator whose context ends in the midst of a call gets the context's error.
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

// ending ends the context when a call has been carried out.
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

// A secret without a version gets its first one, the reply is lost, and the
// retries are throttled.
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

// A version is written over and the reply lost, while reads still show what was
// there before that version: this tells nothing about the write.
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

// A deletion of a version that has been written over is refused, and reads
// still show that version: the secret is not deleted.
func TestRefusedDeletionOfWhatIsStillThereIsNoSuccess(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", liveData, "")
	api := b.outdated("a/x")
	b.put("a/x", `{"n":"2"}`, r)
	s := b.another(api)
	api.reads = looks
	if err := s.Delete(t.Context(), "a/x", r); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("deleted: %v", err)
	}
	b.wantData("a/x", `{"n":"2"}`)
}

// A deleter renews its mark while a creator waits for it to end: the creator
// waits on, until the new mark is old, too.
func TestCreatorOutwaitsARenewedMark(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	mark := b.put("a/x", string(newMark(b.clock.Now())), "")
	var renewed time.Time
	creator := b.another(b.service, WithClock(b.clock.Now, func(ctx context.Context, d time.Duration) error {
		if renewed.IsZero() {
			renewed = b.clock.Now()
			b.put("a/x", string(newMark(renewed)), mark)
		}
		return b.clock.Sleep(ctx, d)
	}))
	if _, err := creator.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData)}); err != nil {
		t.Fatal(err)
	}
	if waited := b.clock.Now().Sub(renewed); waited < retireWindow {
		t.Errorf("written over %v after it was renewed", waited)
	}
	b.wantData("a/x", liveData)
}

// The source of the credentials does not answer: that passes, and nothing was
// sent. Where it answers that there are none, it does not.
func TestCredentialSourceThatDoesNotAnswerIsUnavailable(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, c := range map[string]struct{ err, want error }{
		"refused":   {refused, driver.ErrUnavailable},
		"in a URL":  {&url.Error{Op: "Post", URL: "https://hush.example/", Err: refused}, driver.ErrUnavailable},
		"timed out": {context.DeadlineExceeded, driver.ErrUnavailable},
		"broken":    {answered(http.StatusInternalServerError), driver.ErrUnavailable},
		"unknown":   {answered(http.StatusNotFound), driver.ErrDenied},
		"none":      {errors.New("hush"), driver.ErrDenied},
	} {
		b := newBench(t, awssmtest.Real())
		s := b.another(b.service.Client(func(o *secretsmanager.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, c.err })
		}))
		_, err := s.Get(t.Context(), "a/x")
		if !errors.Is(err, c.want) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "credentials") {
			t.Errorf("%s: %v", name, err)
		}
		var f *fault
		if errors.As(err, &f) && f.lost {
			t.Errorf("%s: it may have been carried out: %v", name, err)
		}
	}
}

// answered is the error of a credential source that answered so.
func answered(status int) error {
	reply := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithyhttp.ResponseError{Response: reply, Err: errors.New("hush")}
}

// Batches are given up for the lack of the permission only, and not for good.
func TestBatchesComeBack(t *testing.T) {
	for _, c := range []struct {
		code  string
		calls []int // of batches, in each of three reads
	}{
		{"ExpiredTokenException", []int{1, 1, 1}},
		{"DecryptionFailure", []int{1, 1, 1}},
		{"AccessDeniedException", []int{1, 0, 1}},
	} {
		b := newBench(t, awssmtest.Real())
		b.put("a/x", `{"n":"1"}`, "")
		b.put("a/y", `{"n":"1"}`, "")
		s := b.script("BatchGetSecretValue", c.code)
		api := &counting{API: s.api}
		s.api = api
		for i, want := range c.calls {
			if i == 2 {
				b.clock.Advance(batchAgain)
			}
			api.batches = 0
			got, err := s.GetBatch(t.Context(), []string{"a/x", "a/y"})
			if err != nil || len(got) != 2 || api.batches != want {
				t.Errorf("%s: read %d: %d secrets, %v, %d batches", c.code, i, len(got), err, api.batches)
			}
		}
	}
}

// counting counts the batches.
type counting struct {
	API
	batches int
}

func (c *counting) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	c.batches++
	return c.API.BatchGetSecretValue(ctx, in, options...)
}
