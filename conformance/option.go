package conformance

import (
	"context"
	"time"

	"example.com/tokenstore"
)

// Option tells a suite about the store under test.
type Option func(*settings)

// settings are what the options say.
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

// WithReopen gives the function that opens the store of a handle once more:
// another handle on the same tokens, as another process would have it. The
// suite closes what it returns if it is an io.Closer. Without it the cases of
// opening again (O01, O02 and those whose name begins with "handles") fail
// unless they are declared missing.
func WithReopen(reopen func(context.Context, tokenstore.Store) (tokenstore.Store, error)) Option {
	return func(s *settings) { s.reopen = reopen }
}

// WithForeign gives the function that plants foreign data beside the store's
// own: other secrets under the same prefix, rows or columns of others, a file
// in the same folder. It returns a function that looks at the foreign data and
// returns an error if anything of it was changed or is gone. Without it the
// case "foreign" fails unless it is declared missing.
func WithForeign(plant func(context.Context, tokenstore.Store) (check func(context.Context) error, err error)) Option {
	return func(s *settings) { s.foreign = plant }
}

// WithPerson gives the functions by which a person reads and overwrites the
// secret of the token with an ID, in the service's own console. The data is what
// the service holds, without an adapter's own fields. If the service does not accept
// such data, write returns an error that matches errors.ErrUnsupported. Without it,
// as for a store that does not keep each token in a secret, the cases about damaged
// and edited secrets are reported as missing.
func WithPerson(
	read func(ctx context.Context, store tokenstore.Store, id string) ([]byte, error),
	write func(ctx context.Context, store tokenstore.Store, id string, data []byte) error,
) Option {
	return func(s *settings) { s.read, s.write = read, write }
}

// WithUnseen gives the function that opens a store over a service that accepts
// every write, and whose reads never return it. Without it the cases whose names begin with
// "unseen" are reported as missing.
func WithUnseen(open func(context.Context) (tokenstore.Store, error)) Option {
	return func(s *settings) { s.unseen = open }
}

// WithKeeping gives the function that makes what is stored impossible to remove,
// although every removal seems to succeed: a trigger that ignores it, for example.
// Without it the cases "delete-ignored" and "delete-all-ignored" are reported as
// missing.
func WithKeeping(keep func(context.Context, tokenstore.Store) error) Option {
	return func(s *settings) { s.keep = keep }
}

// WithPatience sets how long to wait for a call that must return by itself; the
// default is a minute.
func WithPatience(d time.Duration) Option { return func(s *settings) { s.patience = d } }

// WithOutput gives the function that returns everything that the store has
// logged, traced or counted so far. It is read after each case and must hold no
// credential.
func WithOutput(output func() string) Option {
	return func(s *settings) { s.output = output }
}

// WithTick gives the function that is called before each save whose order
// matters. A store that tells older from younger by a clock needs it if the
// clock may stand still between two saves: it sleeps, or moves a fake clock.
func WithTick(tick func()) Option { return func(s *settings) { s.tick = tick } }

// WithTokens sets how many tokens the case "thousand" stores, 1,000 if it is
// not given. Use fewer only where each save costs money.
func WithTokens(n int) Option { return func(s *settings) { s.tokens = n } }

// WithOnly limits the run to the cases whose names match one of the patterns,
// in the manner of path.Match: "F*", "concurrent-*", "S32".
func WithOnly(patterns ...string) Option {
	return func(s *settings) { s.only = append(s.only, patterns...) }
}

// WithMissing declares that the store cannot pass the cases whose names match
// one of the patterns (as in path.Match), and why. The cases are run all the
// same and reported as [Missing]; one that passes is a failure, and so is a
// pattern that matches no case. The cases about texts and IDs are excused only
// if the store refuses with an error that matches ErrInvalidToken or
// ErrTooLarge and stores nothing.
func WithMissing(reason string, patterns ...string) Option {
	return func(s *settings) { s.declare(reason, patterns) }
}
