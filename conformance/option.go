// The options of the suite for stores.

package conformance

import (
	"context"
	"time"

	"example.com/tokenstore"
)

// Option configures a suite for the store under test.
type Option func(*settings)

// settings are the options as given.
type settings struct {
	reopen  func(context.Context, tokenstore.Store) (tokenstore.Store, error)
	foreign func(context.Context, tokenstore.Store) (func(context.Context) error, error)
	read    func(ctx context.Context, store tokenstore.Store, id string) ([]byte, error)
	write   func(ctx context.Context, store tokenstore.Store, id string, data []byte) error
	unseen  func(context.Context) (tokenstore.Store, error)
	keep    func(context.Context, tokenstore.Store) error
	output  func() string
	tick    func()
	tokens  int

	patience time.Duration
	choice
}

func newSettings(options []Option) *settings {
	s := &settings{tokens: 1000, tick: func() {}, patience: time.Minute, choice: choice{option: "WithMissing"}}
	for _, c := range Cases() {
		s.names = append(s.names, c.Name)
	}
	for _, option := range options {
		option(s)
	}
	return s
}

// WithReopen sets the function that opens the store of a handle again: another handle on
// the same tokens, as another process would have it. The suite closes the result if it is
// an io.Closer. Without it the cases of opening again (O01, O02 and those whose names
// begin with "handles") fail unless they are declared missing.
func WithReopen(reopen func(context.Context, tokenstore.Store) (tokenstore.Store, error)) Option {
	return func(s *settings) { s.reopen = reopen }
}

// WithForeign sets the function that plants foreign data next to the store's own: other
// secrets under the same prefix, other rows or columns, a file in the same folder. It
// returns a function that returns an error if any of the foreign data was changed or is
// gone. The cases of Diagnose and Mend plant it, too. Without it the case "foreign" fails
// unless it is declared missing.
func WithForeign(plant func(context.Context, tokenstore.Store) (check func(context.Context) error, err error)) Option {
	return func(s *settings) { s.foreign = plant }
}

// WithPerson sets the functions with which a person reads and overwrites the secret of
// the token with an ID, in the service's console. The data is what the service holds,
// without an adapter's own fields. If the service does not accept such data, write
// returns an error that matches errors.ErrUnsupported. Without it the cases of damaged
// and edited secrets are reported as missing; a store that does not keep each token in a
// secret leaves it out.
func WithPerson(
	read func(ctx context.Context, store tokenstore.Store, id string) ([]byte, error),
	write func(ctx context.Context, store tokenstore.Store, id string, data []byte) error,
) Option {
	return func(s *settings) { s.read, s.write = read, write }
}

// WithUnseen sets the function that opens a store over a service that accepts every
// write but never returns the written data. Without it the cases whose names begin with
// "unseen" are reported as missing.
func WithUnseen(open func(context.Context) (tokenstore.Store, error)) Option {
	return func(s *settings) { s.unseen = open }
}

// WithKeeping sets the function that makes stored tokens impossible to remove, although
// every removal seems to succeed: a trigger that ignores deletes, for example. Without it
// the cases "delete-ignored" and "delete-all-ignored" are reported as missing.
func WithKeeping(keep func(context.Context, tokenstore.Store) error) Option {
	return func(s *settings) { s.keep = keep }
}

// WithPatience sets how long to wait for a call that must return without a deadline; the
// default is a minute.
func WithPatience(d time.Duration) Option { return func(s *settings) { s.patience = d } }

// WithOutput sets the function that returns everything that the store has logged, traced
// or counted so far. It is called after each case, and its result must hold no
// credential.
func WithOutput(output func() string) Option {
	return func(s *settings) { s.output = output }
}

// WithTick sets the function that is called before each save whose order matters. A store
// that orders tokens by a clock needs it if the clock may not advance between two saves:
// the function sleeps, or advances a fake clock.
func WithTick(tick func()) Option { return func(s *settings) { s.tick = tick } }

// WithTokens sets how many tokens the case "thousand" stores; the default is 1,000. Use
// fewer only if each save costs money.
func WithTokens(n int) Option { return func(s *settings) { s.tokens = n } }

// WithOnly limits the run to the cases whose names match one of the patterns of
// path.Match: "F*", "concurrent-*", "S32".
func WithOnly(patterns ...string) Option {
	return func(s *settings) { s.only = append(s.only, patterns...) }
}

// WithMissing declares that the store cannot pass the cases whose names match one of the
// patterns of path.Match, and why. The cases still run and are reported as [Missing]; it
// is a failure if one of them passes, or if a pattern matches no case. The cases of
// strings and IDs are excused only if the store refuses with an error that matches
// ErrInvalidToken or ErrTooLarge and stores nothing.
func WithMissing(reason string, patterns ...string) Option {
	return func(s *settings) { s.declare(reason, patterns) }
}
