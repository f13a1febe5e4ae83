// What a caller may choose, with the service's limits for it, checked before the
// first call.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
	"example.com/tokenstore/secretstore"
)

// storeName is how the store calls itself in errors and logs.
const storeName = "awssm"

// Limits of the service for what the options set.
const (
	minRecoveryDays     = 7
	maxRecoveryDays     = 30
	defaultRecoveryDays = 7
	maxTags             = 50
	maxTagKey           = 127
	maxTagValue         = 255
	maxDescription      = 2048
)

// managedBy is the tag that every secret gets.
const (
	managedByKey   = "managed-by"
	managedByValue = "tokenstore"
)

// Option sets one property of the store or the driver.
type Option func(*settings)

// settings are the options put together.
type settings struct {
	prefix       string
	kmsKey       string
	description  string
	tags         map[string]string
	recoveryDays int64
	force        bool
	fanout       int
	slot         int
	clock        bool // now and sleep are the caller's
	now          func() time.Time
	sleep        func(context.Context, time.Duration) error
	store        []secretstore.Option
}

// WithPrefix sets how the names of all secrets begin, "tokenstore/" by default;
// it ends in a slash.
// Stores with different prefixes know nothing of each other.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithKMSKey sets the ID, alias or ARN of the key that encrypts new secrets. By
// default it is the account's key aws/secretsmanager. Secrets that exist keep
// theirs.
func WithKMSKey(id string) Option { return func(s *settings) { s.kmsKey = id } }

// WithTags adds tags to new secrets, beside the tag managed-by=tokenstore that
// they all get.
func WithTags(tags map[string]string) Option {
	return func(s *settings) {
		for k, v := range tags {
			s.tags[k] = v
		}
	}
}

// WithDescription sets the description of new secrets.
func WithDescription(text string) Option { return func(s *settings) { s.description = text } }

// WithRecoveryWindow sets for how many days a deleted secret can be restored, 7
// to 30; 7 by default.
func WithRecoveryWindow(days int) Option { return func(s *settings) { s.recoveryDays = int64(days) } }

// WithForceDelete deletes secrets without a recovery window. Nobody can bring
// them back.
func WithForceDelete() Option { return func(s *settings) { s.force = true } }

// WithFanout sets over how many secrets a new index is spread, 1 to 1,024; 1 by
// default, which holds about 1,000 tokens. An index that exists keeps its own.
func WithFanout(n int) Option { return func(s *settings) { s.fanout = n } }

// WithCandidate sets which of the eight candidate labels, 0 to 7, this process
// writes with. By default it is chosen at random, and processes may share one. With
// an endpoint that is not AWS each process has a label of its own by default: an
// emulator may drop a version together with its last label.
func WithCandidate(slot int) Option { return func(s *settings) { s.slot = slot } }

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

// configure applies the options and checks the client and what they gave.
func configure(client API, options []Option) (*settings, error) {
	s := &settings{
		tags: map[string]string{}, recoveryDays: defaultRecoveryDays, fanout: 1,
		slot: anySlot, now: time.Now, sleep: pause.For,
	}
	for _, o := range options {
		o(s)
	}
	s.tags[managedByKey] = managedByValue
	if err := checkClient(client); err != nil {
		return nil, err
	}
	return s, s.check()
}

// checkClient refuses a client whose every call would fail.
func checkClient(client API) error {
	if c, ok := client.(*secretsmanager.Client); client == nil || ok && c == nil {
		return errors.New("the client is nil")
	}
	c, ok := client.(interface{ Options() secretsmanager.Options })
	if !ok {
		return nil
	}
	switch region := c.Options().Region; {
	case region == "":
		return errors.New("the client has no region")
	case !hostLabel.MatchString(region):
		return errors.New("the client's region is not the name of one, such as eu-central-1")
	}
	return nil
}

// hostLabel is what a region must be for the SDK to make a host's name of it.
var hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

func (s *settings) check() error {
	switch {
	case s.recoveryDays < minRecoveryDays || s.recoveryDays > maxRecoveryDays:
		return fmt.Errorf("the recovery window is %d to %d days", minRecoveryDays, maxRecoveryDays)
	case s.slot != anySlot && (s.slot < 0 || s.slot >= candidates):
		return fmt.Errorf("the candidate is 0 to %d", candidates-1)
	case len(s.description) > maxDescription:
		return fmt.Errorf("a description has at most %d bytes", maxDescription)
	case s.now == nil || s.sleep == nil:
		return errors.New("a clock needs both functions")
	case s.prefix != "" && driver.CheckName(s.prefix+"x") != nil:
		return errors.New("a prefix has no empty, . or .. segment")
	}
	return checkTags(s.tags)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fmt.Errorf("a secret has at most %d tags", maxTags)
	}
	for k, v := range tags {
		switch {
		case k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue:
			return fmt.Errorf("a tag's key has 1 to %d characters and its value at most %d", maxTagKey, maxTagValue)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return errors.New("tags that begin with aws: are reserved")
		}
	}
	return nil
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
