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

const (
	defaultPrefix = "tokenstore/"
	// defaultScanLimit keeps a find of something unknown at five batch reads.
	defaultScanLimit   = 100
	defaultParallelism = 16
	// defaultAttempts lets an operation try for several seconds.
	defaultAttempts = 32
	// defaultGrace is far above the time for which an operation may be under way.
	defaultGrace = 24 * time.Hour
)

func defaults() settings {
	return settings{
		name:        "secretstore",
		prefix:      defaultPrefix,
		now:         time.Now,
		sleep:       pause.For,
		random:      mathrand.Float64,
		randomID:    func() (string, error) { return randomID() },
		log:         slog.New(slog.DiscardHandler),
		scanLimit:   defaultScanLimit,
		parallelism: defaultParallelism,
		attempts:    defaultAttempts,
		grace:       defaultGrace,
		accessIndex: true,
		fanout:      1,
		newIndex:    index.NewEntries,
	}
}

// randomID returns an ID of 128 random bits, in the form of a derived one.
func randomID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return escape.Base32(b[:]), nil
}

// WithName sets the store's name in errors and logs, for example "vault".
func WithName(name string) Option { return func(s *settings) { s.name = name } }

// WithPrefix sets what the names of all secrets begin with; it ends in a slash.
// Stores with different prefixes know nothing of each other.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithEntries keeps the index as one small secret for each key. It suits
// services where secrets and writes cost nothing, and is the default.
func WithEntries() Option { return func(s *settings) { s.newIndex = index.NewEntries } }

// WithDocument keeps the index in a root secret or, with a fan-out above one,
// in that many documents. It suits services that charge for each secret and
// each write. The fan-out, 1 to index.MaxFanout, counts when the index is made;
// later the stored one does, which Reindex changes.
func WithDocument(fanout int) Option {
	return func(s *settings) {
		s.fanout = fanout
		s.newIndex = func(secrets driver.Secrets, c index.Config) index.Index {
			return index.NewDocument(secrets, c, index.WithFanout(fanout))
		}
	}
}

// WithoutAccessIndex leaves access tokens out of the index where the token has
// another key, so that the hourly refresh writes no index. A find by access
// token then looks at what the process knows, and else reads all tokens.
func WithoutAccessIndex() Option { return func(s *settings) { s.accessIndex = false } }

// WithPepper mixes a secret into the hashes of keys, so that nobody who sees
// the names of secrets can tell whether a given user has a token. Every program
// that uses the store needs it; a URL names a file that holds it, see
// [URLOptions]. Without it, or under another one, tokens are not found, or only as
// long as they are few (see [WithScanLimit]), and a save may insert a second token
// of a user: the log warns of it once. To change the pepper, change it for all
// programs, and run Reindex with ChangePepper.
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

// WithSleep sets how the store waits before it tries again. The function
// returns early, with the context's error, when the context ends.
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

// WithRandomID sets where IDs come from that cannot be derived. The function
// must never return an ID twice.
func WithRandomID(id func() (string, error)) Option {
	return func(s *settings) {
		if id != nil {
			s.randomID = id
		}
	}
}

// WithLogger sets where the store reports what it could not finish and left to
// the repair. The default discards it. No credential is logged.
func WithLogger(log *slog.Logger) Option {
	return func(s *settings) {
		if log != nil {
			s.log = log
		}
	}
}

// WithObserver has every call to the backend reported when it ends, for metrics
// and traces. Calls that are made at the same time are reported by several
// goroutines.
func WithObserver(observer func(context.Context, Call)) Option {
	return func(s *settings) { s.observer = observer }
}

// WithScanLimit sets up to how many tokens a find reads one by one before it
// says that there is none: a person may have changed a key in the service's
// console, where no index hears of it. The default is 100; zero turns it off.
// An access token that is left out of the index is searched without a limit.
func WithScanLimit(tokens int) Option { return func(s *settings) { s.scanLimit = tokens } }

// WithParallelism bounds the calls of the service that one call of the store
// makes at the same time, where there is more than one to make. The default is
// 16.
func WithParallelism(calls int) Option { return func(s *settings) { s.parallelism = calls } }

// WithAttempts bounds how often an operation starts again when others change
// what it rests on; then it gives up with an error that matches ErrConflict.
// The default is 32, which with the random pauses in between is several seconds.
func WithAttempts(n int) Option { return func(s *settings) { s.attempts = n } }

// WithGrace sets for how long tombstones and hints without a token are left
// alone by the repair. It must be longer than any operation and than the time
// for which the service may show an old state. The default is a day.
func WithGrace(grace time.Duration) Option { return func(s *settings) { s.grace = grace } }

// WithClose sets what Close does; openers use it to release their clients.
func WithClose(closer func() error) Option { return func(s *settings) { s.close = closer } }
