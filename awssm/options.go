// Options of the store and of the driver. They are checked against the service's limits
// when the store is made, so that a mistake shows before the first call.

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

// storeName is the store's name in errors and logs.
const storeName = "awssm"

// The service's limits for the options.
const (
	minRecoveryDays     = 7
	maxRecoveryDays     = 30
	defaultRecoveryDays = 7
	maxTags             = 50
	maxTagKey           = 127
	maxTagValue         = 255
	maxDescription      = 2048
)

// managedBy is the tag of every secret.
const (
	managedByKey   = "managed-by"
	managedByValue = "tokenstore"
)

// Option sets one property of the store or the driver.
type Option func(*settings)

// settings are all the options together.
type settings struct {
	prefix       string
	kmsKey       string
	description  string
	tags         map[string]string
	recoveryDays int64
	force        bool
	fanout       int
	clock        bool // now and sleep were set by the caller
	now          func() time.Time
	sleep        func(context.Context, time.Duration) error
	store        []secretstore.Option
}

// WithPrefix sets the prefix of all secrets' names, "tokenstore/" by default. It must
// end in a slash. Stores with different prefixes are independent.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithKMSKey sets the ID, alias or ARN of the key that encrypts new secrets. The default
// is the account's key aws/secretsmanager. Existing secrets keep theirs.
func WithKMSKey(id string) Option { return func(s *settings) { s.kmsKey = id } }

// WithTags adds tags to new secrets, in addition to managed-by=tokenstore, which all of
// them get.
func WithTags(tags map[string]string) Option {
	return func(s *settings) {
		for k, v := range tags {
			s.tags[k] = v
		}
	}
}

// WithDescription sets the description of new secrets.
func WithDescription(text string) Option { return func(s *settings) { s.description = text } }

// WithRecoveryWindow sets how many days a deleted secret can be restored, 7 to 30. The
// default is 7.
func WithRecoveryWindow(days int) Option { return func(s *settings) { s.recoveryDays = int64(days) } }

// WithForceDelete deletes secrets without a recovery window: they cannot be restored.
func WithForceDelete() Option { return func(s *settings) { s.force = true } }

// WithFanout sets how many secrets a new index starts with, 1 to index.MaxFanout. The
// default is 1, which holds about 1,000 tokens. The index grows by itself before its secrets
// are full; one that exists keeps its own fan-out.
func WithFanout(n int) Option { return func(s *settings) { s.fanout = n } }

// WithClock sets the clock and the sleep function of the driver and the engine, for
// tests. Both must be set.
func WithClock(now func() time.Time, sleep func(context.Context, time.Duration) error) Option {
	return func(s *settings) { s.now, s.sleep, s.clock = now, sleep, true }
}

// WithStoreOptions passes options to secretstore.New, after those of this package.
func WithStoreOptions(options ...secretstore.Option) Option {
	return func(s *settings) { s.store = append(s.store, options...) }
}

// configure applies the options and checks the client and the result.
func configure(client API, options []Option) (*settings, error) {
	s := &settings{
		tags: map[string]string{}, recoveryDays: defaultRecoveryDays, fanout: 1,
		now: time.Now, sleep: pause.For,
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

// checkClient refuses a client whose calls would all fail.
func checkClient(client API) error {
	if c, ok := client.(*secretsmanager.Client); client == nil || ok && c == nil {
		return errors.New("the client must not be nil")
	}
	c, ok := client.(interface{ Options() secretsmanager.Options })
	if !ok {
		return nil
	}
	switch region := c.Options().Region; {
	case region == "":
		return errors.New("the client has no region; set one in its options")
	case !hostLabel.MatchString(region):
		return errors.New("the client's region is invalid: want something like eu-central-1")
	}
	return nil
}

// hostLabel matches a region that the SDK can make a host name of.
var hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

func (s *settings) check() error {
	switch {
	case s.recoveryDays < minRecoveryDays || s.recoveryDays > maxRecoveryDays:
		return fmt.Errorf("the recovery window must be %d to %d days", minRecoveryDays, maxRecoveryDays)
	case len(s.description) > maxDescription:
		return fmt.Errorf("the description must not be longer than %d bytes", maxDescription)
	case s.now == nil || s.sleep == nil:
		return errors.New("WithClock: now and sleep must both be set")
	case s.prefix != "" && driver.CheckName(s.prefix+"x") != nil:
		return errors.New("invalid prefix: empty, \".\" and \"..\" segments are not allowed")
	}
	return checkTags(s.tags)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fmt.Errorf("too many tags: a secret can have %d", maxTags)
	}
	for k, v := range tags {
		switch {
		case k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue:
			return fmt.Errorf("invalid tag: the key must have 1 to %d characters, and the value at most %d", maxTagKey, maxTagValue)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return errors.New("invalid tag: keys that begin with aws: are reserved")
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
