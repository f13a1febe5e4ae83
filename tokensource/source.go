// Package tokensource gives every process of a fleet a valid access token: one redemption per
// expiry, no refresh token lost and none spent twice, and no call while the token is good.
//
// A [Source] reads tokens from a store of package tokenstore, redeems the refresh token of one
// that ends with a [Redeemer], and saves the result. The processes coordinate through a note
// beside the token, with the store's conditional save ([tokenstore.Swapper]); there is no lock
// service, no leader, and nothing else to run.
//
// # What a call costs
//
// [Source.Token] keeps a token in memory until shortly before it ends: its expiry less a margin of
// a minute, less a random time of about a minute that differs between processes. Until then a call
// makes no request, waits for no lock and allocates nothing. Then the process reads the row once.
// Usually another process has refreshed it by then, and that read is all. Otherwise this process
// refreshes it: a read, a claim (one write; none if the refresh token can be redeemed any number
// of times and the access token is still good), a redemption, and the save (one write). This takes
// place in the background while the access token is good; a caller waits only if it has ended.
//
// At most 65,536 tokens are kept in memory; beyond that the process forgets some and reads them
// again. What a person changes in the store (deletes, edits, rotates) takes effect when the memory
// of the token runs out, or at the next [Source.Renew]; for a token without an expiry within an
// hour.
//
// # Which provider
//
// How often a refresh token may be redeemed decides how careful a Source is; see [WithReuse]. The
// default, zero, is right for every provider, but a process that dies between a redemption and its
// save loses the new refresh token, and the user has to consent again.
//
// # Errors
//
// Errors of a redemption match one of the kinds of this package, such as [ErrNeedsConsent], and are
// of type [*Error]. A provider or store that does not answer gives an error that matches
// [tokenstore.ErrUnavailable]; a deleted token one that matches [tokenstore.ErrNotFound]. Errors of
// the store are returned as they are. [tokenstore.Retryable] tells whether to try again. No error,
// event or log line contains a credential.
package tokensource

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
)

// Forever is the reuse of a provider whose refresh tokens stay the same, for [WithReuse].
const Forever time.Duration = math.MaxInt64

// Redeemer redeems refresh tokens at one provider.
type Redeemer interface {
	// Redeem redeems t's refresh token or, if it has none, its grant token (an authorization
	// code). What is empty in the result stays as it is stored; the result's ID and UserName
	// are ignored. It has ten seconds, must honour its context, and must not retry a request
	// that may have been received.
	//
	// An error matches ErrNeedsConsent, ErrMisconfigured, ErrThrottled or ErrNotSent if that is
	// what has happened; an [*Error] also says when the provider may be asked again. Any other
	// error means that the request may have been carried out.
	//
	// A Redeemer may have a method Reuse() time.Duration, which is the default of WithReuse.
	Redeem(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error)
}

// Source gives valid access tokens. It is safe for concurrent use; a process needs one for each
// store and provider.
type Source struct {
	settings
	store    tokenstore.Store
	swapper  tokenstore.Swapper // nil: without coordination
	redeemer Redeemer
	entries  table // by query

	closing sync.Mutex // one Close at a time
	closed  atomic.Bool
	calm    context.Context //nolint:containedctx // The life of the Source: it ends when Close begins, and with it what waits.
	hard    context.Context //nolint:containedctx // The same: it ends with Close, and with it every call.
	settle  context.CancelFunc
	stop    context.CancelFunc

	mu    sync.Mutex // of what follows; never held during a call, and taken before an entry's
	byID  map[string]*entry
	finds map[key]*find

	life    sync.Mutex // of what follows; taken last
	running sync.WaitGroup
}

// goOn begins a goroutine for which Close waits. It reports whether Close has not begun.
func (s *Source) goOn(do func()) bool {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed.Load() {
		return false
	}
	s.running.Go(do)
	return true
}

// New returns a Source. The caller closes it, and then the store.
//
// The store should be able to swap ([tokenstore.Swapper]), as all stores of this module are. With
// one that cannot, processes do not coordinate, and New fails unless refresh tokens can be redeemed
// any number of times ([Forever]) or [WithoutCoordination] is given.
func New(store tokenstore.Store, r Redeemer, options ...Option) (*Source, error) {
	fail := func(text string) (*Source, error) {
		return nil, fmt.Errorf("tokensource: %w: %s", tokenstore.ErrInvalidArgument, text)
	}
	if store == nil || r == nil {
		return fail("New needs a store and a redeemer")
	}
	s := &Source{settings: defaults(), store: store, redeemer: r, byID: map[string]*entry{}, finds: map[key]*find{}}
	if p, ok := r.(interface{ Reuse() time.Duration }); ok {
		s.reuse = p.Reuse()
	}
	for _, o := range options {
		o(&s.settings)
	}
	swapper, can := tokenstore.As[tokenstore.Swapper](store)
	switch {
	case s.reuse < 0:
		return fail("WithReuse must not be negative")
	case s.margin < 0:
		return fail("WithMargin must not be negative")
	case s.claim < minClaim || s.claim > maxClaim:
		return fail(fmt.Sprintf("WithClaim must be between %s and %s", minClaim, maxClaim))
	case !can && s.reuse != Forever && !s.uncoordinated:
		return fail("the store cannot swap, so two processes may redeem a refresh token at once; " +
			"use a store that implements tokenstore.Swapper, WithReuse(Forever) if the provider allows it, or WithoutCoordination")
	}
	if can && !s.uncoordinated {
		s.swapper = swapper
	}
	s.entries.init()
	s.calm, s.settle = context.WithCancel(context.Background())
	s.hard, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Token returns the stored token that query finds, as FindToken does, with a valid access token. A
// query by ID or by user is best: it still finds the token after a rotation.
//
// It returns from memory if it can. If the access token has ended, it waits for a new one, from
// this process or another, and for at most about two claims (see [WithClaim]); if ctx ends first,
// it returns the error of ctx at once, and the refresh goes on for the others. If the access token
// is still good, it does not wait, and a failed refresh is no error; see [WithObserver].
//
// With an error that matches [ErrNotSaved] the token is valid all the same.
func (s *Source) Token(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if e := s.entries.load(&query); e != nil && !s.closed.Load() {
		if err := ctx.Err(); err != nil {
			return tokenstore.OAuthToken{}, err
		}
		now := s.now()
		if m := e.memory.Load(); m != nil && now.Before(m.until) {
			s.report(ctx, e, StepMemory, now, nil)
			return m.token, nil
		}
	}
	return s.obtain(ctx, query, "")
}

// Renew returns a valid token in place of one that an API has refused (status 401), although its
// access token has not ended: refused is that token, as Token returned it. If another access token
// is stored by now, that is the result. If the refused one was issued less than a minute ago, Renew
// returns it unchanged: the API refuses it for another reason than its age.
func (s *Source) Renew(ctx context.Context, refused tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if refused.AccessToken == "" {
		return s.Token(ctx, refused)
	}
	query := refused
	if query.ID != "" || query.UserName != "" {
		query.AccessToken, query.RefreshToken, query.GrantToken = "", "", ""
	}
	return s.obtain(ctx, query, refused.AccessToken)
}

// Close ends the Source: calls that wait fail with [ErrClosed], refreshes that have begun are
// completed and saved, and so are tokens that could not be saved before. It returns when that is
// done and every goroutine has ended, usually at once. If ctx ends first, it cancels what is left; an
// error that matches [ErrNotSaved] then says that refresh tokens may be lost. A Close that failed may
// be called again. Give it half a minute.
//
// Close does not close the store.
func (s *Source) Close(ctx context.Context) error {
	s.closing.Lock()
	defer s.closing.Unlock()
	s.life.Lock()
	s.closed.Store(true)
	s.settle()
	s.life.Unlock()

	ended := make(chan struct{})
	go func() { s.running.Wait(); close(ended) }()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		s.stop()
		<-ended
	}
	for _, e := range s.unsaved() {
		err = errors.Join(err, s.saveLast(ctx, e))
	}
	s.stop()
	if err != nil {
		return fmt.Errorf("tokensource: close: %w", err)
	}
	return nil
}

// unsaved returns the entries whose token is not saved.
func (s *Source) unsaved() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*entry
	for _, e := range s.byID {
		if e.isUnsaved() {
			found = append(found, e)
		}
	}
	return found
}
