package gcpsm

// What can be set, for the store and for the driver, and the checks of it: a mistake
// shows when the store is made, not with the first call.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// storeName is how the store calls itself in errors and logs.
const storeName = "gcpsm"

// The labels of the store. The second one is changed whenever a deleted name is
// taken again, so that a removal that is under way fails.
const (
	managedByKey   = "managed-by"
	managedByValue = "tokenstore"
	stateKey       = "tokenstore-state"
	stateDeleted   = "deleted"
)

// maxLabels is how many labels a secret has.
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

// settings are the options put together.
type settings struct {
	project  string
	prefix   string
	location string
	replicas []replica
	kmsKey   string
	labels   map[string]string
	fanout   int
	clock    bool // now and sleep are the caller's
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	store    []secretstore.Option
}

// replica is one location of a secret that is not replicated automatically.
type replica struct{ location, kmsKey string }

// WithPrefix sets how the names of all secrets begin, "tokenstore/" by default;
// it ends in a slash.
// Stores with different prefixes know nothing of each other.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithLocation makes the secrets regional secrets of one location, such as
// "europe-west3". The client must be one of that location's own endpoint,
// secretmanager.LOCATION.rep.googleapis.com. Global and regional secrets know
// nothing of each other.
func WithLocation(location string) Option { return func(s *settings) { s.location = location } }

// WithReplica has new secrets replicated to a location, encrypted with a key of
// that location, or with Google's own if kmsKey is empty. It is given once for
// each location; without it Google chooses the locations. Each location is paid
// for, and the locations of a secret can never be changed.
func WithReplica(location, kmsKey string) Option {
	return func(s *settings) { s.replicas = append(s.replicas, replica{location, kmsKey}) }
}

// WithKMSKey sets the resource name of the key that encrypts new secrets: a
// global or multi-region key for secrets that Google replicates, else one of
// their location. By default Google's own keys do. Secrets that exist keep
// theirs.
func WithKMSKey(name string) Option { return func(s *settings) { s.kmsKey = name } }

// WithLabels adds labels to new secrets, beside the label managed-by=tokenstore
// that they all get.
func WithLabels(labels map[string]string) Option {
	return func(s *settings) {
		for k, v := range labels {
			s.labels[k] = v
		}
	}
}

// WithFanout sets over how many secrets a new index is spread, 1 to 1,024; 1 by
// default, which holds about 1,000 tokens. An index that exists keeps its own.
func WithFanout(n int) Option { return func(s *settings) { s.fanout = n } }

// WithClock sets the clock and how to wait, of the driver and the engine, for
// tests. Both must be given.
func WithClock(now func() time.Time, sleep func(context.Context, time.Duration) error) Option {
	return func(s *settings) { s.now, s.sleep, s.clock = now, sleep, true }
}

// WithStoreOptions passes options on to secretstore.New, after this
// package's own.
func WithStoreOptions(options ...secretstore.Option) Option {
	return func(s *settings) { s.store = append(s.store, options...) }
}

// configure applies the options and checks what they gave.
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
		return errors.New("the project is not a project's ID or number")
	case s.location != "" && !locationForm.MatchString(s.location):
		return errors.New("the location is not one such as europe-west3")
	case s.location != "" && len(s.replicas) > 0:
		return errors.New("regional secrets have no replicas")
	case s.kmsKey != "" && len(s.replicas) > 0:
		return errors.New("each replica has a key of its own")
	case s.now == nil || s.sleep == nil:
		return errors.New("a clock needs both functions")
	case s.prefix != "" && driver.CheckName(s.prefix+"x") != nil:
		return errors.New("a prefix has no empty, . or .. segment")
	}
	for _, r := range s.replicas {
		if !locationForm.MatchString(r.location) {
			return errors.New("a replica's location is not one such as europe-west3")
		}
	}
	return checkLabels(s.labels)
}

func checkLabels(labels map[string]string) error {
	if len(labels) >= maxLabels { // One is for the state.
		return fmt.Errorf("a secret has at most %d labels, two of them the store's", maxLabels)
	}
	for k, v := range labels {
		switch {
		case k == stateKey:
			return fmt.Errorf("the label %s is the store's", stateKey)
		case !labelKey.MatchString(k) || !labelValue.MatchString(v):
			return errors.New("a label's key begins with a small letter, and key and value have small letters, digits, _ and -, at most 63")
		}
	}
	return nil
}

// parent is what the secrets belong to.
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

// sleepFor waits and honours the context.
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
