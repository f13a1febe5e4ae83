// Package awssmtest is AWS Secrets Manager in memory, for tests: with the
// limits, the delays and the lost replies that the real service has and that
// emulators leave out.
//
//	clock := awssmtest.NewClock()
//	service := awssmtest.New(awssmtest.Unpleasant(), clock)
//	store, err := awssm.New(service, awssm.WithClock(clock.Now, clock.Sleep))
//
// A [Service] is an awssm.API itself; [Service.Client] returns a real client of the SDK
// connected to it in memory, with its middleware and its retryer. Time is that of a
// [Clock], which moves only when a call is made or a caller sleeps.
//
// Documented behaviour is cited at the option that turns it on: "API" is the API
// reference, "guide" the user guide. Behaviour that other people's tests recorded
// against the real service is marked "seen".
package awssmtest

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"example.com/tokenstore/driver/drivertest"
)

// Config sets the service's behaviour. The zero Config is a service without limits,
// delays or faults.
type Config struct {
	// Versions is how many versions a secret may have. At the limit the oldest
	// version without a label that is older than 24 hours is dropped; if there is
	// none the call fails with LimitExceededException. (API, PutSecretValue: the
	// 100 most recent versions are kept, and all of the last 24 hours; guide,
	// quotas: about 100 versions.)
	Versions int
	// Labels is how many labels a secret's versions may have in total. (Guide,
	// quotas: 20.)
	Labels int
	// Size is the size of the largest value in bytes. (API: 65,536.)
	Size int
	// Rates limits the calls per second; more fail with ThrottlingException. (Guide,
	// quotas: 50 a second for PutSecretValue, UpdateSecret and
	// UpdateSecretVersionStage together, 50 each for create, delete and restore, 100
	// for ListSecrets and for BatchGetSecretValue, 10,000 for GetSecretValue, 40,000
	// for DescribeSecret.)
	Rates bool
	// Stale is how long after a write a read may still return the previous state.
	// (Guide, troubleshooting: changes may take time to be seen; API, ListSecrets:
	// all operations are eventually consistent. Seen by users of Terraform.) Writes
	// never rely on stale data.
	Stale time.Duration
	// ListLate is how far out of date a list may be. (API, ListSecrets: it might not
	// reflect changes of the last five minutes.)
	ListLate time.Duration
	// ReserveNames blocks the name of a secret that is scheduled for deletion.
	// Otherwise such a name is free at once. (Seen: InvalidRequestException,
	// "already scheduled for deletion".)
	ReserveNames bool
	// ForceDelete is how long a deletion without a recovery window takes; until
	// then the name is blocked and cannot be restored. (API, DeleteSecret: it
	// is asynchronous; seen: usually within 10 seconds, up to two minutes.)
	ForceDelete time.Duration
	// RequestTokens makes a repeated request with the same token and value
	// succeed without effect, its labels included, and one with another value
	// fail with ResourceExistsException; a token has 32 to 64 characters. (API,
	// CreateSecret and PutSecretValue, ClientRequestToken: "If a version with
	// this value already exists and that version's SecretString or SecretBinary
	// values are the same as those in the request then the request is ignored.
	// The operation is idempotent." And: if they are different, "then the request
	// fails because you can't modify a secret version." CreateSecret says the
	// same of the token of an existing secret's version. Neither says what becomes of
	// requests that arrive at the same time; here one follows the other.) Without it a
	// token that was used before fails.
	RequestTokens bool
	// WholeBatch makes a BatchGetSecretValue fail as a whole, with
	// ResourceNotFoundException, if one of its secrets exists without a current
	// version. (API, BatchGetSecretValue: errors of single secrets are in the reply's
	// Errors; ResourceNotFoundException and InvalidRequestException are also errors of
	// the call, without saying when. Seen: LocalStack 4.14.0 fails this way.)
	WholeBatch bool
	// LocalStack does what LocalStack 4.14.0 does and AWS does not. (Seen; the calls
	// are in its services/secretsmanager/provider.py and in moto's
	// secretsmanager/models.py.) It includes WholeBatch. A version disappears with its
	// last label. A move of AWSCURRENT to a missing version takes the label off the
	// old one and then fails. No call restores AWSCURRENT to a secret that has lost
	// it: a move without a source version, and a PutSecretValue for AWSCURRENT once
	// the old version is gone, fail with InternalError. PutSecretValue and
	// UpdateSecretVersionStage write into a secret that is scheduled for deletion, and
	// leave it so.
	LocalStack bool
	// StrictNames refuses names that end like an ARN, in a hyphen and six
	// characters. (API, CreateSecret: not to be used.)
	StrictNames bool
	// LoseReplies is the share of writes, 0 to 1, that are applied but whose reply is
	// lost.
	LoseReplies float64
	// LoseRequests is the share of calls, 0 to 1, that never arrive. The caller gets
	// the same error as for a lost reply.
	LoseRequests float64
	// Latency is how far each call moves the clock.
	Latency time.Duration
	// Seed makes a run repeatable.
	Seed uint64
}

// Real returns the limits, rates and rules of the real service, without delays or
// faults.
func Real() Config {
	return Config{
		Versions: 100, Labels: 20, Size: 65536, Rates: true, ReserveNames: true,
		RequestTokens: true, StrictNames: true, Latency: 25 * time.Millisecond,
	}
}

// Unpleasant returns everything at once: the real limits, stale reads, late lists, slow
// deletions, and lost requests and replies.
func Unpleasant() Config {
	c := Real()
	c.Latency = 10 * time.Millisecond // Fast enough to meet the rates.
	c.Stale = 500 * time.Millisecond
	c.ListLate = 5 * time.Minute
	c.ForceDelete = 8 * time.Second
	c.LoseReplies, c.LoseRequests = 0.03, 0.01
	return c
}

// Service is the service: one account in one region. It is safe for concurrent
// use.
type Service struct {
	*Principal
	config Config
	clock  *Clock

	mu      sync.Mutex
	random  *rand.Rand
	secrets map[string]*secret
	seconds map[string]second
	calls   map[string]int
	serial  int
	billed  time.Duration // of secrets that were deleted
	before  func(op, id string)
	observe func(op, id string) // see Observe
}

// New returns an empty service. With a nil clock it makes one of its own.
func New(config Config, clock *Clock) *Service {
	if clock == nil {
		clock = NewClock()
	}
	s := &Service{
		config: config, clock: clock, random: rand.New(rand.NewPCG(config.Seed, 1)),
		secrets: map[string]*secret{}, seconds: map[string]second{}, calls: map[string]int{},
	}
	s.Principal = &Principal{service: s}
	return s
}

// Before sets a function that is called before each call is applied, with the
// operation's name and the secret's, so that a test can intervene. It may use the
// service; its own calls are not reported.
func (s *Service) Before(f func(op, id string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Observe sets a function that is called before each call is applied, with the
// operation's name and the secret's. Unlike that of Before it sees calls that are made at
// the same time too, and it must not use the service.
func (s *Service) Observe(f func(op, id string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe = f
}

// Calls returns how many calls of each operation have been made, including those that
// failed.
func (s *Service) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// SecretTime returns how long secrets were stored, summed. Secrets scheduled for deletion
// are not charged and do not count.
func (s *Service) SecretTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	total, now := s.billed, s.clock.Now()
	for _, sec := range s.secrets {
		if sec.state.exists && sec.state.deletion.IsZero() {
			total += now.Sub(sec.state.since)
		}
	}
	return total
}

// Clock is a clock that tests move.
type Clock = drivertest.Clock

// NewClock returns a clock that starts in 2026.
func NewClock() *Clock { return drivertest.NewClock() }
