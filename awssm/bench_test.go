// Helpers of this package's tests: a driver on a fake service, and clients with scripted
// answers.

package awssm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
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
	return newBenchOn(t, awssmtest.NewClock(), config, options...)
}

// inTime runs a test of callers that wait at the same time, on a clock that each has for
// itself: on that of newBench, the wait of one also ages the calls of the others.
func inTime(t *testing.T, config awssmtest.Config, test func(b *bench), options ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newBenchOn(t, drivertest.NewWallClock(), config, options...)) })
}

func newBenchOn(t *testing.T, clock *awssmtest.Clock, config awssmtest.Config, options ...Option) *bench {
	t.Helper()
	b := &bench{T: t, clock: clock, service: awssmtest.New(config, clock)}
	b.secrets = b.another(b.service, options...)
	return b
}

// another returns a second driver, as in another process.
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

// mark marks a secret as deleted, as a deleter does first.
func (b *bench) mark(name, revision string) string {
	b.Helper()
	mark := newMark(b.clock.Now())
	if revision == "" {
		in := b.secrets.newSecret(target{encoded: name, value: mark}, newVersion())
		if _, err := b.service.CreateSecret(b.Context(), in); err != nil {
			b.Fatal(err)
		}
		return *in.ClientRequestToken
	}
	r, err := b.secrets.exchange(b.Context(), name, revision, mark)
	if err != nil {
		b.Fatal(err)
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

func (b *bench) retire(name, revision string) {
	b.Helper()
	if err := b.secrets.Retire(b.Context(), name, revision); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) wantScheduled(name string, want bool) {
	b.Helper()
	if _, ok := b.service.Scheduled(name); ok != want {
		b.Fatalf("%s scheduled for deletion: %v", name, ok)
	}
}

var errReset = errors.New("connection reset by peer")

// scripted answers the first requests of one operation from a script, and passes on all
// others.
type scripted struct {
	service *awssmtest.Service
	op      string
	answers []string // error codes, or "lost": applied, and the reply lost
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

// answering answers every request with the same status and body.
type answering struct {
	status int
	body   string
}

func (a answering) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}
