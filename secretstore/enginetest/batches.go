// A batch plans its tokens together, which must not change the result: the suite here
// compares it with the same saves, made one by one.

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/index"
)

// BatchOptions are the options of [Batches].
type BatchOptions struct {
	Service
	// Batches is the number of random batches; 0 means 200.
	Batches int
	// Pepper is the engine's pepper.
	Pepper []byte
	// WithoutAccessIndex says that the engine leaves access tokens out of its index.
	// Which of several tokens it finds by an access token then depends on its earlier
	// reads, so no two tokens get the same one.
	WithoutAccessIndex bool
	// Rotating says that the engine leaves refresh tokens out of its index. Tokens then get
	// different ones, for the same reason, except that a save without a user may mean a
	// token with a user by its refresh token.
	Rotating bool
	// MaxSize is the service's size limit of a secret, in bytes. If it is not zero, some
	// tokens come close to it, and updates of them exceed it.
	MaxSize int
	// WriteTime is how long each write of the batch takes on the engine's clock: if it is
	// minutes, what the engine has planned gets too old.
	WriteTime time.Duration
	// Throttled has the service throttle every third write of the batch.
	Throttled bool
}

// Batches saves random tokens in one call of SaveTokens, on a store with tokens of which
// a person has edited some. It saves the same tokens one by one on an identical store.
// Both must return the same tokens and the same kind of error at each place, list the
// same tokens in the same order, and find them by the same keys; only random IDs may
// differ. newSecrets returns a new, empty service each time.
func Batches(t *testing.T, newSecrets func(t testing.TB) driver.Secrets, engine NewEngine, options BatchOptions) {
	t.Helper()
	wanted := options.Batches
	if wanted == 0 {
		wanted = 200
	}
	for seed := range wanted {
		c := &batchCase{random: rand.New(rand.NewPCG(uint64(seed), 5)), options: options}
		c.draw()
		var outcomes [2]batchOutcome
		for i := range outcomes {
			site := newSite(t, newSecrets, engine, options.Service)
			var err error
			if outcomes[i], err = c.run(t.Context(), site, i == 0); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if batch, single := outcomes[0].String(), outcomes[1].String(); batch != single {
			t.Fatalf("seed %d: before: %s\nsaved: %s\nas a batch:\n%s\none by one:\n%s", seed, describeTokens(c.before), describeTokens(c.batch), batch, single)
		}
	}
}

// batchCase is the input of one comparison.
type batchCase struct {
	random  *rand.Rand
	options BatchOptions
	before  []tokenstore.OAuthToken // saved one by one
	edits   map[int]string          // the users that a person writes into them
	batch   []tokenstore.OAuthToken
	drawn   int // access tokens
	rotated int // refresh tokens
}

func (c *batchCase) draw() {
	c.before = c.tokens(c.random.IntN(5))
	c.edits = map[int]string{}
	if len(c.before) > 0 && c.random.IntN(3) == 0 {
		c.edits[c.random.IntN(len(c.before))] = c.pick("u1", "u2", "u3", "u4")
	}
	c.batch = c.tokens(1 + c.random.IntN(8))
}

func (c *batchCase) pick(from ...string) string { return from[c.random.IntN(len(from))] }

// tokens returns tokens that share keys and IDs, including IDs derived from a key of
// another token.
func (c *batchCase) tokens(n int) []tokenstore.OAuthToken {
	derived := func(kind tokenstore.KeyKind, value string) string {
		return index.Hash(tokenstore.Key{Kind: kind, Value: value}, c.options.Pepper)
	}
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		t := &tokens[i]
		t.UserName, t.RefreshToken = c.pick(modelUsers...), c.pick(modelRefresh...)
		t.GrantToken, t.AccessToken = c.pick(modelGrants...), c.pick(modelAccess...)
		if c.options.WithoutAccessIndex && t.AccessToken != "" {
			c.drawn++
			t.AccessToken = fmt.Sprint("a", c.drawn)
		}
		t.ClientID = c.pick(modelClient...)
		t.ClientSecret = t.ClientID
		t.APIDomain, t.RedirectURL = c.pick(modelDomains...), c.pick("", "", "https://app.example")
		switch c.random.IntN(6) {
		case 0:
			t.ID = c.pick("x", "y / ü", "unknown")
		case 1:
			t.ID = c.pick(derived(tokenstore.UserKey, "u1"), derived(tokenstore.UserKey, "u2"), derived(tokenstore.RefreshKey, "r1"), derived(tokenstore.GrantKey, "g1"))
		}
		if c.options.Rotating && t.RefreshToken != "" {
			if n := c.rotated; n > 0 && t.UserName == "" && t.ID == "" && c.random.IntN(3) > 0 {
				t.RefreshToken, t.GrantToken = fmt.Sprint("r", 1+c.random.IntN(n)), ""
				t.ClientID, t.ClientSecret = client, client
			} else {
				c.rotated++
				t.RefreshToken = fmt.Sprint("r", c.rotated)
			}
		}
		if long := strings.Repeat("l", c.options.MaxSize*6/10); c.random.IntN(3) == 0 && long != "" {
			if c.random.IntN(2) == 0 {
				t.APIDomain = long
			} else {
				t.RedirectURL = long
			}
		}
		if c.random.IntN(4) == 0 {
			t.Expiry = time.Unix(2_000_000_000, 0).UTC()
		}
	}
	return tokens
}

// batchOutcome is the result of the saves, in a form that can be compared.
type batchOutcome struct {
	saved, stored []tokenstore.OAuthToken
	kinds         []error // of the faults, by place
	found         []string
}

// run saves the tokens, together or one by one.
func (c *batchCase) run(ctx context.Context, s *site, together bool) (batchOutcome, error) {
	var o batchOutcome
	store, err := s.process(nil)
	if err != nil {
		return o, err
	}
	for i, token := range c.before {
		saved, err := store.SaveToken(ctx, token)
		if user, edits := c.edits[i]; edits && err == nil {
			err = errors.Join(s.settle(ctx), s.editToken(ctx, secretID(saved.ID), map[string]string{"user_name": user}), s.settle(ctx))
			if err != nil {
				return o, err
			}
		}
	}
	s.advance(time.Second)
	if err := s.settle(ctx); err != nil {
		return o, err
	}
	var hinder func(driver.Secrets) driver.Secrets
	if together {
		hinder = c.hinder(s)
	}
	if store, err = s.process(hinder); err != nil {
		return o, err
	}
	o.kinds = make([]error, len(c.batch))
	if together {
		o.saved, err = store.SaveTokens(ctx, c.batch)
		if err := placeFaults(o.kinds, err); err != nil {
			return o, err
		}
	} else {
		for i, token := range c.batch {
			saved, err := store.SaveToken(ctx, token)
			o.saved, o.kinds[i] = append(o.saved, saved), tokenstore.Kind(err)
			if err != nil && o.kinds[i] == nil {
				return o, err
			}
		}
	}
	return o, c.look(ctx, s, &o)
}

// hinder returns a wrapper that makes writes slow, and throttles some.
func (c *batchCase) hinder(s *site) func(driver.Secrets) driver.Secrets {
	var writes atomic.Int64
	return func(secrets driver.Secrets) driver.Secrets {
		return drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
			if !call.Method.Writes() {
				return do(ctx)
			}
			if c.options.Throttled && writes.Add(1)%3 == 0 {
				return drivertest.Throttled.Err
			}
			err := do(ctx)
			s.advance(c.options.WriteTime)
			return err
		})
	}
}

// look lists the tokens in another process and finds each of them by each key.
func (c *batchCase) look(ctx context.Context, s *site, o *batchOutcome) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	store, err := s.process(nil)
	if err != nil {
		return err
	}
	if o.stored, err = store.GetTokens(ctx); err != nil {
		return err
	}
	for _, token := range o.stored {
		for _, k := range tokenstore.KeysOf(token) {
			found, err := store.FindToken(ctx, tokenstore.QueryFor(k))
			if err != nil && !errors.Is(err, tokenstore.ErrNotFound) { // A key that a person has written is found after the next save.
				return fmt.Errorf("find by a key of %s: %w", describeToken(token), err)
			}
			o.found = append(o.found, found.ID)
		}
	}
	return nil
}

// placeFaults puts the kinds of the errors that SaveTokens joined in their places.
func placeFaults(kinds []error, err error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("the errors of single tokens are not joined: %w", err)
	}
	for _, part := range joined.Unwrap() {
		var fault *tokenstore.Error
		var at, of int
		if !errors.As(part, &fault) {
			return part
		}
		if n, _ := fmt.Sscanf(fault.Op, "save token %d of %d", &at, &of); n != 2 || of != len(kinds) || at < 1 || at > of {
			return fmt.Errorf("an error does not say which of %d tokens it belongs to: %w", len(kinds), part)
		}
		if kinds[at-1] = tokenstore.Kind(part); kinds[at-1] == nil {
			return part
		}
	}
	return nil
}

// String returns the outcome with each random ID replaced by the place where it first
// occurs.
func (o batchOutcome) String() string {
	places := map[string]string{}
	id := func(id string) string {
		if strings.HasPrefix(id, randomMark) {
			if places[id] == "" {
				places[id] = fmt.Sprint("random-", len(places)+1)
			}
			return places[id]
		}
		return id
	}
	var b strings.Builder
	show := func(what string, tokens []tokenstore.OAuthToken) {
		for i, t := range tokens {
			t.ID = id(t.ID)
			fmt.Fprintf(&b, "%s %d: %s, fields of %d and %d bytes\n", what, i+1, describeToken(t), len(t.APIDomain), len(t.RedirectURL))
		}
	}
	show("saved", o.saved)
	for i, kind := range o.kinds {
		if kind != nil {
			fmt.Fprintf(&b, "fault %d: %v\n", i+1, kind)
		}
	}
	show("stored", o.stored)
	for _, found := range o.found {
		fmt.Fprintf(&b, "found %s\n", id(found))
	}
	return b.String()
}

func describeTokens(tokens []tokenstore.OAuthToken) string {
	shown := make([]string, len(tokens))
	for i, t := range tokens {
		shown[i] = describeToken(t)
	}
	return "[" + strings.Join(shown, ", ") + "]"
}
