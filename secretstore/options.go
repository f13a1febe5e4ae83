// The options of a Store, and their defaults.

package secretstore

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/escape"
	"example.com/tokenstore/internal/pause"
)

// DefaultPrefix is the prefix of all secrets' names if [WithPrefix] sets no other.
const DefaultPrefix = "tokenstore/"

const (
	// defaultScanLimit limits a find of an unknown key to five batch reads.
	defaultScanLimit   = 100
	defaultParallelism = 24
	// defaultAttempts allows an operation to try for several seconds.
	defaultAttempts = 32
	// defaultGrace is much longer than any operation takes.
	defaultGrace = 24 * time.Hour
)

func defaults() settings {
	return settings{
		name:        "secretstore",
		prefix:      DefaultPrefix,
		now:         time.Now,
		sleep:       pause.For,
		random:      mathrand.Float64,
		randomID:    func() (string, error) { return randomID() },
		log:         slog.New(slog.DiscardHandler),
		scanLimit:   defaultScanLimit,
		parallelism: defaultParallelism,
		attempts:    defaultAttempts,
		grace:       defaultGrace,
		fanout:      1,
		newIndex:    index.NewEntries,
	}
}

// randomID returns an ID of 128 random bits, which looks like a derived one.
func randomID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return escape.Base32(b[:]), nil
}

// WithName sets the store's name in errors and logs, for example "vault".
func WithName(name string) Option { return func(s *settings) { s.name = name } }

// WithPrefix sets the prefix of the names of all secrets; it must end in a slash. Stores
// with different prefixes are independent of each other.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithEntries keeps the index as one small secret for each key, which is the default. It
// suits services where secrets and writes cost nothing.
func WithEntries() Option {
	return func(s *settings) { s.documents, s.newIndex = false, index.NewEntries }
}

// WithDocument keeps the index in a root secret or, with a fan-out above one, in that many
// documents. It suits services that charge for each secret and each write. The fan-out, 1
// to index.MaxFanout, is that of a new index, which grows by itself: [index.Document] says
// when.
func WithDocument(fanout int) Option {
	return func(s *settings) {
		s.fanout, s.documents = fanout, true
		s.newIndex = func(secrets driver.Secrets, c index.Config) index.Index {
			options := []index.DocumentOption{index.WithFanout(fanout)}
			if s.rotating {
				options = append(options, index.WithoutRefreshTokens())
			}
			return index.NewDocument(secrets, c, options...)
		}
	}
}

// accessIndexing says who indexes the access tokens of tokens with another key. A token whose
// only key is its access token is always in the index.
type accessIndexing int

const (
	accessEverywhere accessIndexing = iota // every program does, so that a find relies on the index
	accessHere                             // this program does, and others may not
	accessLeftOut                          // this program does not
)

// WithoutAccessIndex does not index the access tokens of tokens with another key, so that
// the hourly refresh does not write the index. A find by an access token that is not in the
// index, and that this process has not seen before, reads tokens until it has found it; so
// does a save of a token whose only key is its access token. In an index of documents every
// program's find does so, with or without this option.
func WithoutAccessIndex() Option { return func(s *settings) { s.access = accessLeftOut } }

// WithAccessIndex indexes the access tokens that this program saves, where other programs
// may leave them out. A find by one of these reads the index and the token; one that the
// index does not answer still reads tokens, as with [WithoutAccessIndex]. The hourly refresh
// then writes the index twice: with the new access token, and without the old one.
func WithAccessIndex() Option { return func(s *settings) { s.access = accessHere } }

// WithRotating is for providers that replace the refresh token with every refresh. A save
// that changes the refresh token of a token with a user then leaves the index alone, so that
// it costs one read and one write. A find by a refresh token that is not in the index, and
// that this process has not seen before, reads tokens until it has found it; so does a save
// without a user before it inserts.
//
// It needs an index of documents, and applies when the index is created: all programs then
// follow the index, whatever their options. Reindex with Rotating makes an existing index
// one that leaves out refresh tokens. That cannot be undone.
func WithRotating() Option { return func(s *settings) { s.rotating = true } }

// WithPepper mixes a secret into the hashes of keys, so that the names of secrets do not
// show whether a given user has a token. Every program that uses the store needs the same
// pepper; a URL names a file that holds it, see [URLOptions]. With another pepper, or
// without one, a program finds tokens only while there are few (see [WithScanLimit]), and
// a save may insert a second token for a user; the log warns of that once. To change the
// pepper, change it for all programs, and run Reindex with ChangePepper.
func WithPepper(pepper []byte) Option {
	pepper = append([]byte(nil), pepper...)
	return func(s *settings) { s.pepper = pepper }
}

// WithClock sets the clock; nil or no option means time.Now.
func WithClock(now func() time.Time) Option {
	return func(s *settings) {
		if now != nil {
			s.now = now
		}
	}
}

// WithSleep sets how the store waits before a retry. The function must return early, with
// the context's error, when the context ends.
func WithSleep(sleep func(context.Context, time.Duration) error) Option {
	return func(s *settings) {
		if sleep != nil {
			s.sleep = sleep
		}
	}
}

// WithRandom sets the source of jitter, numbers in [0,1).
func WithRandom(random func() float64) Option {
	return func(s *settings) {
		if random != nil {
			s.random = random
		}
	}
}

// WithRandomID sets the source of IDs that cannot be derived. It must never return the
// same ID twice.
func WithRandomID(id func() (string, error)) Option {
	return func(s *settings) {
		if id != nil {
			s.randomID = id
		}
	}
}

// WithLogger sets the log for warnings, such as work that was left to the repair. By
// default they are discarded. No credential is logged.
func WithLogger(log *slog.Logger) Option {
	return func(s *settings) {
		if log != nil {
			s.log = log
		}
	}
}

// WithObserver sets a function that is called after every call to the backend, for metrics
// and traces. Concurrent calls are reported by several goroutines.
func WithObserver(observer func(context.Context, Call)) Option {
	return func(s *settings) { s.observer = observer }
}

// WithScanLimit sets the number of tokens up to which a find reads all tokens when the
// index has no hit: a person may have changed a key in the service's console, which does
// not change the index. The default is 100; zero turns this off. Keys that the index leaves
// out, see [WithoutAccessIndex] and [WithRotating], are searched without a limit.
func WithScanLimit(tokens int) Option { return func(s *settings) { s.scanLimit = tokens } }

// WithParallelism limits how many concurrent calls to the service one call of the store
// makes. The default is 24.
func WithParallelism(calls int) Option { return func(s *settings) { s.parallelism = calls } }

// WithAttempts limits how often an operation is tried before it fails because of
// conflicting changes, with an error that matches ErrConflict. The default is 32; with
// the random pauses in between, that takes several seconds.
func WithAttempts(n int) Option { return func(s *settings) { s.attempts = n } }

// WithGrace sets how old a tombstone or an orphaned hint must be before Reindex removes
// it, and how long the documents that the growth of an index has replaced are kept, two
// hours at least. It must be longer than any operation takes, and longer than the service
// may return old states. The default is a day.
func WithGrace(grace time.Duration) Option { return func(s *settings) { s.grace = grace } }

// WithClose sets what Close does; openers use it to release their clients.
func WithClose(closer func() error) Option { return func(s *settings) { s.close = closer } }
