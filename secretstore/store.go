// Package secretstore is the engine of the stores over secret managers: it keeps
// the contract of package tokenstore over any driver.Secrets whose only strong
// operation is a compare-and-swap of one secret. Most programs use it through an
// adapter (awssm, vault, gcpsm) and never import it.
//
// Each token is one JSON secret. An index (package index) maps users, refresh,
// access and grant tokens to the IDs of the tokens that may hold them.
// docs/design.md explains why that is enough. There is one file per operation.
//
// Importing the package registers the URL "memory:", a store in the memory of the process.
package secretstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/keylock"
	"example.com/tokenstore/internal/staleness"
)

// Store is a tokenstore.Store over any secret manager. It keeps each token as one JSON
// secret and finds it through an index in the same secret manager; the only strong
// operation that it needs of a driver is a compare-and-swap of one secret. The
// constructors of the adapters return one.
//
// It is safe for concurrent use, also by any number of processes on the same secrets. It keeps
// no token in memory. What it remembers so that no read goes back in time takes less than 30
// MiB for any number of tokens, and an index of documents up to 8 MiB more.
type Store struct {
	settings

	secrets *paced
	batch   driver.BatchGetter // nil if the service reads one secret at a time
	retirer driver.Retirer     // nil if the service keeps no older versions
	pruner  driver.Pruner      // nil if older versions cost nothing, or expire
	// The service's limits for one secret; 0 if there are none.
	maxSize      int // of its data in bytes
	writesPerDay int

	index   index.Index
	omitter index.Omitter // nil if the index has every key that a program's options let it have
	rotates atomic.Bool   // whether the index is known to leave out refresh tokens
	tokens  string        // prefix of the tokens' secrets
	known   *known
	reader  *staleness.Reader[*row]
	// locks keep goroutines that save the same token from conflicts at the service, which
	// cost calls. Only speed depends on them.
	locks keylock.Locks

	createdMu   sync.Mutex
	lastCreated int64

	pinged          atomic.Pointer[string] // the secret of the index that Ping has read
	pepperMark      string                 // of the pepper, in digests
	pepperWarned    atomic.Bool            // whether another one was seen
	formChecked     atomic.Bool            // whether the other form was looked for
	settingsChecked atomic.Bool            // whether the service's settings were checked
}

var _ tokenstore.OpenStore = (*Store)(nil)

// New returns the store that keeps its tokens in secrets. Without options it has the
// prefix "tokenstore/" and an index of one secret per key. It makes no call. All programs
// that use the same secrets must set the same prefix, pepper and form of index. Invalid
// options and nil secrets give an error that matches ErrInvalidArgument.
func New(secrets driver.Secrets, options ...Option) (*Store, error) {
	if secrets == nil {
		return nil, &tokenstore.Error{Op: "new store", Kind: tokenstore.ErrInvalidArgument, Err: errors.New("secrets must not be nil")}
	}
	c := defaults()
	for _, option := range options {
		option(&c)
	}
	if err := c.check(); err != nil {
		return nil, &tokenstore.Error{Store: c.name, Op: "new store", Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	return newStore(secrets, c), nil
}

// newStore returns the store for checked settings.
func newStore(secrets driver.Secrets, c settings) *Store {
	s := &Store{settings: c, known: newKnown(c.now), tokens: c.prefix + "tokens/", pepperMark: markOf(c.pepper)}
	s.secrets = newPaced(observe(secrets, s.observer, s.now), c, s.wall)
	s.batch, _ = driver.As[driver.BatchGetter](s.secrets)
	s.retirer, _ = driver.As[driver.Retirer](s.secrets)
	s.pruner, _ = driver.As[driver.Pruner](s.secrets)
	if limited, ok := driver.As[driver.Limited](s.secrets); ok {
		s.maxSize, s.writesPerDay = limited.Limits().MaxSize, limited.Limits().WritesPerDay
	}
	s.reader = s.newReader()
	s.index = s.newIndex(s.secrets, index.Config{Prefix: s.prefix + indexFolder, Now: s.wall, Sleep: s.sleep, Jitter: s.random, Parallelism: s.parallelism, Grace: s.grace})
	s.omitter, _ = s.index.(index.Omitter)
	return s
}

// Close releases the resources of the store's opener. For a store from a constructor it
// does nothing.
func (s *Store) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// fail wraps the error of an operation. It returns nil for a nil error.
func (s *Store) fail(op, id string, err error) error {
	if err == nil {
		return nil
	}
	kind := tokenstore.Kind(err)
	if kind == nil && errors.Is(err, driver.ErrInvalid) {
		kind = tokenstore.ErrInvalidArgument
	}
	return &tokenstore.Error{Store: s.name, Op: op, Name: tokenstore.Redact(id), Kind: kind, Err: err}
}

// warn logs a failure after the result of an operation was decided. It is left to the
// repair.
func (s *Store) warn(ctx context.Context, message, id string, err error) {
	s.log.WarnContext(ctx, message, "store", s.name, "id", tokenstore.Redact(id), "error", err)
}

// Option configures a Store.
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
	access       accessIndexing
	rotating     bool // a new index leaves out refresh tokens
	documents    bool // the index is one of documents
	fanout       int  // of a document index
	newIndex     func(driver.Secrets, index.Config) index.Index
	close        func() error
}

func (s *settings) check() error {
	if !strings.HasSuffix(s.prefix, "/") || driver.CheckName(strings.TrimSuffix(s.prefix, "/")) != nil {
		return errors.New("the prefix must be a path that ends in a slash, such as tokenstore/")
	}
	if s.parallelism < 1 || s.attempts < 1 || s.scanLimit < 0 || s.grace < 0 {
		return errors.New("parallelism and attempts must be at least 1; scan limit and grace must not be negative")
	}
	if s.rotating && !s.documents {
		return errors.New("rotating refresh tokens are left out of an index of documents only: use WithDocument, or leave WithRotating out")
	}
	return index.CheckFanout(s.fanout)
}
