package tokenstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/keylock"
)

// SecretStore is a Store over any secret manager. It keeps each token as one
// JSON secret and finds it through an index that lies in the same secrets; its
// driver needs no more than a compare-and-swap of one secret. The constructors
// of the adapters return one.
//
// It is safe for concurrent use. What it remembers between calls only saves
// reads: any number of processes may use the same secrets.
type SecretStore struct {
	settings

	secrets driver.Secrets
	batch   driver.BatchGetter // nil if the service reads one secret at a time
	retirer driver.Retirer     // nil if the service keeps nothing of what was overwritten
	pruner  driver.Pruner      // nil if older versions cost nothing, or go by themselves
	maxSize int                // of a secret's data in bytes; 0: unknown

	index  index.Index
	tokens string // prefix of the tokens' secrets
	known  *known
	// locks keep the goroutines that save one token from conflicts with each other
	// at the service, which cost calls. Nothing but speed depends on them.
	locks keylock.Locks

	createdMu   sync.Mutex
	lastCreated int64

	pepperMark   string      // of the pepper, in digests
	pepperWarned atomic.Bool // that another one was seen
}

var _ OpenStore = (*SecretStore)(nil)

// NewSecretStore returns the store that keeps its tokens in secrets. Without
// options it has the prefix "tokenstore/" and an index of one secret per key.
// It makes no call. Everyone who uses the same secrets must give the same
// prefix, pepper and form of index. An option that cannot be used, and secrets that
// are nil, give an error that matches ErrInvalidArgument.
func NewSecretStore(secrets driver.Secrets, options ...Option) (*SecretStore, error) {
	if secrets == nil {
		return nil, &Error{Op: "new store", Kind: ErrInvalidArgument, Err: errors.New("secrets is nil")}
	}
	c := defaults()
	for _, option := range options {
		option(&c)
	}
	if err := c.check(); err != nil {
		return nil, &Error{Store: c.name, Op: "new store", Kind: ErrInvalidArgument, Err: err}
	}
	return newSecretStore(secrets, c), nil
}

// newSecretStore returns the store for settings that have been checked.
func newSecretStore(secrets driver.Secrets, c settings) *SecretStore {
	s := &SecretStore{settings: c, known: newKnown(c.now), tokens: c.prefix + "tokens/", pepperMark: markOf(c.pepper)}
	s.secrets = observe(secrets, s.observer, s.now)
	s.batch, _ = driver.As[driver.BatchGetter](s.secrets)
	s.retirer, _ = driver.As[driver.Retirer](s.secrets)
	s.pruner, _ = driver.As[driver.Pruner](s.secrets)
	if limited, ok := driver.As[driver.Limited](s.secrets); ok {
		s.maxSize = limited.Limits().MaxSize
	}
	s.index = s.newIndex(s.secrets, index.Config{Prefix: s.prefix + "index/", Now: s.wall, Sleep: s.sleep, Jitter: s.random, Parallelism: s.parallelism})
	return s
}

// Close releases what the store's opener made. A store from a constructor holds
// nothing, and closing it does nothing.
func (s *SecretStore) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// fail wraps an error of an operation. A nil error stays nil.
func (s *SecretStore) fail(op, id string, err error) error {
	if err == nil {
		return nil
	}
	kind := Kind(err)
	if kind == nil && errors.Is(err, driver.ErrInvalid) {
		kind = ErrInvalidArgument
	}
	return &Error{Store: s.name, Op: op, Name: Redact(id), Kind: kind, Err: err}
}

// warn logs what went wrong after the outcome of an operation was settled, and
// what leaves only something for the repair to remove.
func (s *SecretStore) warn(ctx context.Context, message, id string, err error) {
	s.log.WarnContext(ctx, message, "store", s.name, "id", Redact(id), "error", err)
}

// Option changes how a SecretStore works.
type Option func(*settings)

type settings struct {
	name, prefix string
	pepper       []byte
	now          func() time.Time
	sleep        func(context.Context, time.Duration) error
	random       func() float64
	randomID     func() (string, error)
	log          *slog.Logger
	observer     func(context.Context, Call)
	scanLimit    int
	parallelism  int
	attempts     int
	grace        time.Duration
	accessIndex  bool
	fanout       int // of a document index
	newIndex     func(driver.Secrets, index.Config) index.Index
	close        func() error
}

func (s *settings) check() error {
	if !strings.HasSuffix(s.prefix, "/") || driver.CheckName(strings.TrimSuffix(s.prefix, "/")) != nil {
		return errors.New("the prefix must be a path that ends in a slash, such as tokenstore/")
	}
	if s.parallelism < 1 || s.attempts < 1 || s.scanLimit < 0 || s.grace < 0 {
		return errors.New("parallelism and attempts must be at least 1, scan limit and grace not negative")
	}
	return index.CheckFanout(s.fanout)
}
