// The options of a Source, and their defaults.

package tokensource

import (
	"context"
	"log/slog"
	mathrand "math/rand/v2"
	"time"
)

const (
	defaultMargin = time.Minute
	defaultClaim  = time.Minute
	// minClaim is long enough for a claim's holder to redeem within its budget and to save.
	minClaim = 30 * time.Second
	maxClaim = time.Hour
	// spread is the mean of the random time by which processes refresh at different moments.
	spread = time.Minute
	// budget is how long after a claim was begun its holder may send a redemption, and how
	// long a redemption, or a call to the store, takes at most.
	budget = 10 * time.Second
	// maxTokens limits what a process keeps in memory.
	maxTokens = 1 << 16
)

// Option is an option of [New].
type Option func(*settings)

type settings struct {
	reuse         time.Duration
	margin        time.Duration
	claim         time.Duration
	observer      func(context.Context, Event)
	log           *slog.Logger
	now           func() time.Time
	sleep         func(context.Context, time.Duration) error
	random        func() float64
	uncoordinated bool
	foreground    bool
	limit         int
}

func defaults() settings {
	return settings{
		margin: defaultMargin,
		claim:  defaultClaim,
		now:    time.Now,
		sleep:  sleepFor,
		random: mathrand.Float64,
		limit:  maxTokens,
	}
}

// sleepFor sleeps for d, or until the context ends, and then returns the context's error.
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

// WithReuse sets how long after its first use a refresh token is accepted again without harm to
// what the first use gave. It is a property of the provider:
//
//   - [Forever]: the refresh token stays the same (Zoho, Google). Nothing is ever lost.
//   - Some seconds: the token rotates, and the old one is accepted for a while (Auth0 with an
//     overlap, Okta, Cognito). From 20 seconds on, a crash between redemption and save loses
//     nothing while another process waits for the token.
//   - Zero, the default: a second use is refused, revokes all tokens of the user, or ends what the
//     first use gave. A refresh token is then sent once.
//
// A value that is too long loses refresh tokens; one that is too short costs recovery after a crash.
func WithReuse(reuse time.Duration) Option { return func(s *settings) { s.reuse = reuse } }

// WithMargin sets how long before its end an access token is refreshed, to which a random time is
// added. The default is a minute. It must be shorter than an access token's life; for one that lives
// for a minute or less, choose a quarter of its life at most.
func WithMargin(margin time.Duration) Option { return func(s *settings) { s.margin = margin } }

// WithClaim sets how long a claim lasts: the time after which another process takes over if the one
// that redeems dies. The default is a minute; less than 30 seconds is too short for a slow
// redemption and save. With a reuse of 20 to 70 seconds, a claim lasts 10 seconds less than the
// reuse. A claim lasts twice as long as the failed one before it, up to two minutes or, where the
// store limits the writes of a day, up to that limit.
func WithClaim(claim time.Duration) Option { return func(s *settings) { s.claim = claim } }

// WithObserver sets a function that is called after every step, for metrics and traces. Steps of a
// refresh are reported by its goroutine, with the context values of the caller that began it; several
// goroutines report at once. The function delays the step that it observes.
func WithObserver(observer func(context.Context, Event)) Option {
	return func(s *settings) { s.observer = observer }
}

// WithLogger sets the log: failures and what needs attention at level Warn, redemptions and saves at
// Info, every other step at Debug. By default nothing is logged.
func WithLogger(log *slog.Logger) Option { return func(s *settings) { s.log = log } }

// WithClock sets the clock; nil or no option means time.Now. Claims are timed with the monotonic
// reading of its times, if they have one.
func WithClock(now func() time.Time) Option {
	return func(s *settings) {
		if now != nil {
			s.now = now
		}
	}
}

// WithSleep sets how a Source waits. The function must return early, with the context's error, when
// the context ends.
func WithSleep(sleep func(context.Context, time.Duration) error) Option {
	return func(s *settings) {
		if sleep != nil {
			s.sleep = sleep
		}
	}
}

// WithRandom sets the source of chance, numbers in [0,1). Processes of a fleet must draw different
// numbers.
func WithRandom(random func() float64) Option {
	return func(s *settings) {
		if random != nil {
			s.random = random
		}
	}
}

// WithoutCoordination makes a Source redeem without a claim and save without a condition, also if the
// store can swap. It is right for one process alone, or for a small fleet whose provider accepts
// refresh tokens [Forever]; with other providers, two processes lose a refresh token sooner or later.
// Every process asks about a refused refresh token on its own.
func WithoutCoordination() Option { return func(s *settings) { s.uncoordinated = true } }

// WithForeground makes the call that begins a refresh wait for it and for its save, also while the
// access token is good. Use it where a process is frozen between calls, as AWS Lambda does: there a
// refresh in the background stops between redemption and save, and the refresh token is lost.
func WithForeground() Option { return func(s *settings) { s.foreground = true } }
