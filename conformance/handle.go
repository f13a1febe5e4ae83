// The rules that hold for every call of a store are checked here, whichever case makes it.

package conformance

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// handle is a store under test. It passes every call on and checks the rules that hold for
// every call. It repeats a call that the service has throttled.
type handle struct {
	store tokenstore.Store
	trial *trial
	// crowded says that others use the store all the time, so that any call but a swap may
	// give up, and is repeated as well.
	crowded bool
}

// throttled reports whether the service has refused the call for now. What it was to do has
// not happened or, of a deletion, not all of it.
func throttled(err error) bool { return errors.Is(err, tokenstore.ErrThrottled) }

// again makes a call, and repeats it while it is throttled.
func (h *handle) again(call func() error) error { return repeated(call, h.repeats) }

// repeats reports whether again repeats a call with this error.
func (h *handle) repeats(err error) bool {
	return throttled(err) || h.crowded && tokenstore.Retryable(err)
}

// repeated makes a call, and makes it again as long as its error says that it may be, with
// pauses that get longer, and not for ever. No check depends on their length.
func repeated(call func() error, may func(error) bool) error {
	const attempts = 200
	for n := 0; ; n++ {
		err := call()
		if !may(err) || n == attempts {
			return err
		}
		time.Sleep(time.Duration(min(n/4, 10)) * time.Millisecond)
	}
}

var errPanic = errors.New("the call panicked")

// recovered turns a panic of the store into a finding and an error, so that a panic in a
// goroutine does not end the program.
func (h *handle) recovered(err *error) {
	if p := recover(); p != nil {
		h.trial.panicked(p)
		*err = errPanic
	}
}

func (h *handle) FindToken(ctx context.Context, query token) (found token, err error) {
	err = h.again(func() (err error) {
		defer h.recovered(&err)
		found, err = h.store.FindToken(ctx, query)
		h.check(ctx, "find", found, err)
		if err == nil && !shares(found, query) {
			h.trial.breaks(ruleHit, "find: the token %s has none of the keys", show(found.ID, false))
		}
		return err
	})
	return found, err
}

// shares reports whether found holds one of the keys that are set in query.
func shares(found, query token) bool {
	if query.ID != "" && query.ID == found.ID {
		return true
	}
	for _, k := range tokenstore.KeysOf(query) {
		if tokenstore.Holds(found, k) {
			return true
		}
	}
	return false
}

func (h *handle) SaveToken(ctx context.Context, t token) (saved token, err error) {
	err = h.again(func() (err error) {
		defer h.recovered(&err)
		saved, err = h.store.SaveToken(ctx, t)
		h.check(ctx, "save", saved, err)
		return err
	})
	if err != nil {
		return saved, err
	}
	for _, f := range texts {
		if set := *f.of(&t); set != "" && set != *f.of(&saved) {
			h.trial.breaks(ruleResult, "save: %s is %s instead of %s", f.name, show(*f.of(&saved), f.credential), show(set, f.credential))
		}
	}
	if !t.Expiry.IsZero() && !saved.Expiry.Equal(t.Normal().Expiry) {
		h.trial.breaks(ruleResult, "save: the expiry is %v instead of %v", saved.Expiry, t.Expiry)
	}
	if t.ID != saved.ID {
		h.trial.mu.Lock()
		h.trial.generated[saved.ID] = true
		h.trial.mu.Unlock()
	}
	return saved, nil
}

func (h *handle) FindTokenByID(ctx context.Context, id string) (found token, err error) {
	err = h.again(func() (err error) {
		defer h.recovered(&err)
		found, err = h.store.FindTokenByID(ctx, id)
		h.check(ctx, "find by ID", found, err)
		return err
	})
	if err == nil && found.ID != id {
		h.trial.breaks(ruleByID, "find by ID: the token %s instead of %s", show(found.ID, false), show(id, false))
	}
	return found, err
}

func (h *handle) GetTokens(ctx context.Context) (tokens []token, err error) {
	err = h.again(func() (err error) {
		defer h.recovered(&err)
		tokens, err = h.store.GetTokens(ctx)
		h.checkErr(ctx, "list", err)
		return err
	})
	for _, t := range tokens {
		h.checkToken("list", t)
	}
	return tokens, err
}

func (h *handle) DeleteToken(ctx context.Context, id string) error {
	return h.again(func() (err error) {
		defer h.recovered(&err)
		err = h.store.DeleteToken(ctx, id)
		h.checkErr(ctx, "delete", err)
		return err
	})
}

func (h *handle) DeleteTokens(ctx context.Context) error {
	return h.again(func() (err error) {
		defer h.recovered(&err)
		err = h.store.DeleteTokens(ctx)
		h.checkErr(ctx, "delete all", err)
		return err
	})
}

func (h *handle) check(ctx context.Context, doing string, t token, err error) {
	h.checkErr(ctx, doing, err)
	if err == nil {
		h.checkToken(doing, t)
	}
}

// checkToken checks a token that was returned.
func (h *handle) checkToken(doing string, t token) {
	if t.ID == "" {
		h.trial.breaks(ruleNormal, "%s: the token has no ID", doing)
	}
	if t != t.Normal() {
		h.trial.breaks(ruleNormal, "%s: the expiry is %s", doing, t.Expiry.Format(time.RFC3339Nano))
	}
}

// checkErr checks an error that was returned.
func (h *handle) checkErr(ctx context.Context, doing string, err error) {
	switch {
	case err == nil:
	case leaks(err):
		h.trial.add(Finding{Rule: ruleNoCredential, Detail: doing + ": the error's text holds a credential", hard: true})
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
	case tokenstore.Kind(err) == nil:
		h.trial.breaks(ruleKinds, "%s: the error matches no sentinel: %s", doing, safe(err))
	case errors.Is(err, tokenstore.ErrNotFound) && tokenstore.Retryable(err):
		h.trial.breaks(ruleKinds, "%s: the error matches both ErrNotFound and a fault: %s", doing, safe(err))
	}
	if err != nil && tokenstore.Retryable(err) && permanent(err) {
		h.trial.breaks(ruleRetryable, "%s: the error matches both a retryable and a permanent fault: %s", doing, safe(err))
	}
}

// permanent reports whether err says that the same call can never succeed.
func permanent(err error) bool {
	return errors.Is(err, tokenstore.ErrInvalidToken) || errors.Is(err, tokenstore.ErrInvalidArgument) ||
		errors.Is(err, tokenstore.ErrTooLarge) || errors.Is(err, tokenstore.ErrNotFound)
}

// gaveUp reports whether a call that was not repeated may be: a store may give up when
// there are many concurrent writers. What again has repeated in vain is not repeated again.
func (h *handle) gaveUp(err error) bool { return tokenstore.Retryable(err) && !h.repeats(err) }

// patient repeats a save that gave up.
func (h *handle) patient(ctx context.Context, t token) (saved token, err error) {
	err = repeated(func() (err error) {
		saved, err = h.SaveToken(ctx, t)
		return err
	}, h.gaveUp)
	return saved, err
}
