// Options of the store and of the driver. They are checked when the store is made, so
// that a mistake shows before the first call.

package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// storeName is the store's name in errors and logs.
const storeName = "gcpsm"

// The store's labels. stateKey changes whenever a deleted name is used again, so
// that a removal in progress fails.
const (
	managedByKey   = "managed-by"
	managedByValue = "tokenstore"
	stateKey       = "tokenstore-state"
	stateDeleted   = "deleted"
)

// maxLabels is how many labels a secret can have.
// https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets
const maxLabels = 64

var (
	projectForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]*$`)
	locationForm = regexp.MustCompile(`^[a-z0-9-]+$`)
	labelKey     = regexp.MustCompile(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValue   = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
)

// Option sets one property of the store or the driver.
type Option func(*settings)

// settings are all the options together.
type settings struct {
	project  string
	prefix   string
	location string
	replicas []replica
	kmsKey   string
	labels   map[string]string
	fanout   int
	clock    bool // now and sleep were set by the caller
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	store    []secretstore.Option
}

// replica is one location of a secret that is not replicated automatically.
type replica struct{ location, kmsKey string }

// WithPrefix sets the prefix of all secrets' names, "tokenstore/" by default. It
// must end in a slash. Stores with different prefixes are independent.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithLocation makes the secrets regional secrets of one location, such as
// "europe-west3". The client must use that location's endpoint,
// secretmanager.LOCATION.rep.googleapis.com. Global and regional secrets are
// independent.
func WithLocation(location string) Option { return func(s *settings) { s.location = location } }

// WithReplica replicates new secrets to a location, encrypted with a key of that
// location, or with Google's own if kmsKey is empty. Use it once per location;
// without it Google chooses the locations. Each location is billed, and the
// locations of a secret cannot be changed later.
func WithReplica(location, kmsKey string) Option {
	return func(s *settings) { s.replicas = append(s.replicas, replica{location, kmsKey}) }
}

// WithKMSKey sets the resource name of the key that encrypts new secrets: a
// global or multi-region key for secrets that Google replicates, else one of
// their location. By default Google's own keys do. Existing secrets keep theirs.
func WithKMSKey(name string) Option { return func(s *settings) { s.kmsKey = name } }

// WithLabels adds labels to new secrets, in addition to managed-by=tokenstore,
// which all of them get.
func WithLabels(labels map[string]string) Option {
	return func(s *settings) {
		for k, v := range labels {
			s.labels[k] = v
		}
	}
}

// WithFanout sets how many secrets a new index starts with, 1 to index.MaxFanout. The
// default is 1, which holds about 1,000 tokens. The index grows by itself before its secrets
// are full; one that exists keeps its own fan-out.
func WithFanout(n int) Option { return func(s *settings) { s.fanout = n } }

// WithClock sets the clock and the sleep function of the driver and the engine,
// for tests. Both must be set.
func WithClock(now func() time.Time, sleep func(context.Context, time.Duration) error) Option {
	return func(s *settings) { s.now, s.sleep, s.clock = now, sleep, true }
}

// WithStoreOptions passes options to secretstore.New, after those of this package.
func WithStoreOptions(options ...secretstore.Option) Option {
	return func(s *settings) { s.store = append(s.store, options...) }
}

// configure applies the options and checks the result.
func configure(client API, project string, options []Option) (*settings, error) {
	s := &settings{project: project, labels: map[string]string{}, fanout: 1, now: time.Now, sleep: sleepFor}
	for _, o := range options {
		o(s)
	}
	s.labels[managedByKey] = managedByValue
	if client == nil {
		return s, errNoClient
	}
	return s, s.check()
}

func (s *settings) check() error {
	switch {
	case !projectForm.MatchString(s.project):
		return errors.New("invalid project: must be a project ID or number")
	case s.location != "" && !locationForm.MatchString(s.location):
		return errors.New("invalid location: want something like europe-west3")
	case s.location != "" && len(s.replicas) > 0:
		return errors.New("use either a location or replicas: regional secrets have no replicas")
	case s.kmsKey != "" && len(s.replicas) > 0:
		return errors.New("KMS key and replicas cannot be combined: give each replica a key of its own with WithReplica")
	case s.now == nil || s.sleep == nil:
		return errors.New("WithClock: now and sleep must both be set")
	case s.prefix != "" && driver.CheckName(s.prefix+"x") != nil:
		return errors.New("invalid prefix: empty, \".\" and \"..\" segments are not allowed")
	}
	for _, r := range s.replicas {
		if !locationForm.MatchString(r.location) {
			return errors.New("invalid replica location: want something like europe-west3")
		}
	}
	return checkLabels(s.labels)
}

func checkLabels(labels map[string]string) error {
	if len(labels) >= maxLabels { // Leave room for the state.
		return fmt.Errorf("too many labels: a secret can have %d, and two of them are reserved", maxLabels)
	}
	for k, v := range labels {
		switch {
		case k == stateKey:
			return fmt.Errorf("the label %s is reserved", stateKey)
		case !labelKey.MatchString(k) || !labelValue.MatchString(v):
			return errors.New("invalid label: the key must begin with a lowercase letter; key and value may have up to 63 lowercase letters, digits, _ and -")
		}
	}
	return nil
}

// parent is the resource that holds the secrets.
func (s *settings) parent() string {
	if s.location != "" {
		return "projects/" + s.project + "/locations/" + s.location
	}
	return "projects/" + s.project
}

// storeOptions are the options for the engine.
func (s *settings) storeOptions() []secretstore.Option {
	options := []secretstore.Option{
		secretstore.WithName(storeName),
		secretstore.WithDocument(s.fanout),
		secretstore.WithoutAccessIndex(),
	}
	if s.clock {
		options = append(options, secretstore.WithClock(s.now), secretstore.WithSleep(s.sleep))
	}
	if s.prefix != "" {
		options = append(options, secretstore.WithPrefix(s.prefix))
	}
	return append(options, s.store...)
}

// sleepFor sleeps, or returns when the context ends.
func sleepFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
