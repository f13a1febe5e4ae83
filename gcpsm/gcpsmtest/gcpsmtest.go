// Package gcpsmtest is Google's Secret Manager in memory, for tests: with the
// quotas, the delays and the lost replies that the real service has and that
// emulators leave out.
//
//	clock := gcpsmtest.NewClock()
//	service := gcpsmtest.New(gcpsmtest.Unpleasant(), clock)
//	client, err := service.Client(ctx)
//	// ...
//	defer client.Close()
//	store, err := gcpsm.New(client, "test-project", gcpsm.WithClock(clock.Now, clock.Sleep))
//
// A [Service] implements Google's generated server interface; [Service.Client] returns
// a real client connected to it in memory, [Service.RESTClient] one that uses HTTP with
// JSON, and [Service.Listen] serves both on a local port. Time is that of a [Clock],
// which moves only when a call is made or a caller sleeps.
//
// Documented behaviour is cited at the option that turns it on, or where it is
// implemented:
//
//   - "API": the comments of google/cloud/secretmanager/v1 in
//     https://github.com/googleapis/googleapis
//   - "quotas": https://docs.cloud.google.com/secret-manager/quotas
//   - "consistency": https://docs.cloud.google.com/secret-manager/regional-secrets/reference/consistency
//   - "etags": https://docs.cloud.google.com/secret-manager/docs/etags
//   - "destroy": https://docs.cloud.google.com/secret-manager/docs/destroy-secret-version
//   - "delay": https://docs.cloud.google.com/secret-manager/docs/delay-destruction-of-secret-versions
//   - "pricing": https://cloud.google.com/secret-manager/pricing
//   - "filtering": https://cloud.google.com/secret-manager/docs/filtering
//
// Behaviour that users of the real service reported is marked "seen", with the report.
// It is not documented whether a deleted name that is created again counts its versions
// from 1; here it does.
package gcpsmtest

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// Config sets the service's behaviour. The zero Config is the global service without
// limits, delays or faults. Every Config verifies checksums and etags and refuses the
// names, labels and policies that the service refuses.
type Config struct {
	// Project is the only project that exists: in any other, nobody has any permission.
	// Empty: any project will do.
	Project string
	// Number replaces the project's ID in the names of replies; requests may use either.
	// Empty: names come back as they were sent. (Seen,
	// https://github.com/googleapis/google-cloud-python/issues/13389.)
	Number string
	// Location makes the service that of one region, such as "europe-west3": it
	// takes names projects/*/locations/*/secrets/* only. Empty: the global
	// service, which takes projects/*/secrets/* only. (Seen,
	// https://github.com/googleapis/google-cloud-python/issues/13389.)
	Location string
	// Size is the size of the largest payload in bytes. (API: 64 KiB.)
	Size int
	// Quotas limits calls per minute: 600 writes, 600 reads of metadata and 90,000
	// accesses; and per second: for one secret 2 of AddSecretVersion and UpdateSecret
	// together, and at most 120 a minute; for one version 1 of Enable-, Disable- and
	// DestroySecretVersion. A region allows 80, 4,800 and 50 instead. Calls above these
	// limits fail with RESOURCE_EXHAUSTED. (quotas)
	Quotas bool
	// Stale is how far out of date everything but an access by number may be: "latest",
	// aliases, metadata and lists. Writes never rely on stale data. (consistency: usually
	// minutes, rarely hours; seen,
	// https://github.com/Worklytics/psoxy/pull/451.)
	Stale time.Duration
	// StatesLate is how long a version may still be accessed as before after it was
	// enabled, disabled or destroyed, or its secret deleted. A secret that was created
	// again is never read as it was before. (destroy: a change takes time to reach
	// everywhere.)
	StatesLate time.Duration
	// HideMissing answers PERMISSION_DENIED for a secret that does not exist, as the
	// service does for roles granted on single secrets. (Seen,
	// https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/711:
	// "or it may not exist".)
	HideMissing bool
	// LoseReplies is the share of writes, 0 to 1, that are applied but whose reply is
	// lost: UNAVAILABLE, or sometimes DEADLINE_EXCEEDED.
	LoseReplies float64
	// LoseRequests is the share of calls, 0 to 1, that never arrive. The caller gets the
	// same error as for a lost reply.
	LoseRequests float64
	// Damage is the share of accesses, 0 to 1, whose data are damaged in transit and do
	// not match their checksum. (API, SecretPayload: to be verified.)
	Damage float64
	// Latency is how far each call moves the clock.
	Latency time.Duration
	// Seed makes a run repeatable.
	Seed uint64
}

// Real returns the limits, quotas and rules of the real service, without delays or
// faults.
func Real() Config {
	return Config{
		Project: "test-project", Number: "123456789012",
		Size: 64 << 10, Quotas: true, Latency: 50 * time.Millisecond,
	}
}

// Unpleasant returns everything at once: the real limits and quotas, minutes of
// staleness, late destruction, and lost requests and replies.
func Unpleasant() Config {
	c := Real()
	c.Latency = 20 * time.Millisecond // Fast enough to meet the quotas.
	c.Stale = 2 * time.Minute
	c.StatesLate = time.Minute
	c.LoseReplies, c.LoseRequests = 0.03, 0.01
	return c
}

// Service is the service: one project, in all locations or in one region. It is
// safe for concurrent use.
type Service struct {
	*Principal
	config Config
	clock  *Clock

	mu      sync.Mutex
	random  *rand.Rand
	secrets map[string]*secret
	windows map[string]window
	calls   map[string]int
	etags   int64
	serial  int
	billed  time.Duration // of secrets that were deleted
	before  func(method, id string)
}

var _ secretmanagerpb.SecretManagerServiceServer = (*Service)(nil)

// New returns an empty service. With a nil clock it makes one of its own.
func New(config Config, clock *Clock) *Service {
	if clock == nil {
		clock = NewClock()
	}
	s := &Service{
		config: config, clock: clock, random: rand.New(rand.NewPCG(config.Seed, 1)),
		secrets: map[string]*secret{}, windows: map[string]window{}, calls: map[string]int{},
	}
	s.Principal = &Principal{service: s, used: map[string]bool{}}
	return s
}

// Before sets a function that is called before each call is applied, with the method's
// name, such as "AddSecretVersion", and the secret's ID, so that a test can intervene.
// It may use the service; calls made while it runs are not reported.
func (s *Service) Before(f func(method, id string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Calls returns how many calls of each method have arrived, including those that
// failed.
func (s *Service) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}
