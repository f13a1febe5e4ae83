// SaveToken: plan, claim, settle, write, release. docs/design.md explains the order.

package secretstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

const (
	// firstPause and maxPause limit the random pauses between attempts.
	firstPause = 5 * time.Millisecond
	maxPause   = 500 * time.Millisecond
	// retirementPause is the first pause between checks whether a tombstone has been
	// retired; each further one is twice as long.
	retirementPause = 100 * time.Millisecond
	// maxAge is how old an attempt may be when it writes, so that a process that stalled
	// does not write with knowledge older than the grace period. Thousands of tokens that
	// are saved together are written within it.
	maxAge = 5 * time.Minute
	// maxSkew is the largest difference between the clocks of two machines.
	maxSkew = 5 * time.Minute
)

// startingAgain is logged when an operation starts over, without what it has read.
const startingAgain = "conflicting change; starting again"

// errAgain means that something on which an attempt rests has changed.
var errAgain = fmt.Errorf("%w: conflicting change", tokenstore.ErrConflict)

// SaveToken updates the token that a find of it finds, or inserts it, and returns the
// token as now stored; see package tokenstore. It retries after conflicting changes, and
// after too many of them fails with an error that matches ErrConflict. After any error
// the same save may be repeated.
func (s *Store) SaveToken(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	stored, err := s.save(ctx, token)
	return stored, s.fail("save token", token.ID, err)
}

func (s *Store) save(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if err := token.Validate(); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	unlock, err := s.lock(ctx, token)
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	defer unlock()
	var stored tokenstore.OAuthToken
	others := race{began: s.wall()}
	err = s.again(ctx, func() error {
		a := s.attempt()
		p, err := a.plan(ctx, token)
		if err != nil {
			return err
		}
		stored = p.next.token
		if p.unchanged {
			return nil
		}
		if r := others.overwritten(p); r != nil {
			stored = r.token
			return nil
		}
		err = a.carryOut(ctx, p)
		if errors.Is(err, driver.ErrConflict) {
			others.failed(a, p)
		}
		return err
	})
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	return stored, nil
}

// lock makes saves of one process with the same key wait for each other.
func (s *Store) lock(ctx context.Context, token tokenstore.OAuthToken) (unlock func(), err error) {
	key := s.lockKey(token)
	if key == "" {
		return func() {}, nil
	}
	return s.locks.Lock(ctx, key)
}

// lockKey returns the key for lock, empty if the token has none.
func (s *Store) lockKey(token tokenstore.OAuthToken) string {
	if token.ID != "" {
		return escapeID(token.ID)
	}
	if keys := tokenstore.FindKeys(token); len(keys) > 0 {
		return s.hash(keys[0])
	}
	return ""
}

// again repeats an operation until it meets no conflict.
func (s *Store) again(ctx context.Context, operation func() error) error {
	pause := firstPause
	for tries := 1; ; tries++ {
		err := operation()
		if !errors.Is(err, driver.ErrConflict) {
			return err
		}
		if tries == s.attempts {
			return gaveUp(tries)
		}
		if err := s.sleep(ctx, time.Duration(s.random()*float64(pause))); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
		s.log.DebugContext(ctx, startingAgain, "store", s.name, "attempt", tries+1)
	}
}

// gaveUp returns the error of an operation that met too many conflicts.
func gaveUp(tries int) error {
	return fmt.Errorf("%w: gave up after %d conflicting changes; retry later", tokenstore.ErrConflict, tries)
}

// plan is the planned outcome of a save.
type plan struct {
	target    *row // the row to replace: live, a tombstone, or absent
	next      *row // the row to write
	unchanged bool // nothing needs to be written
	mends     bool // a person has edited the row, so the index may lack some of its keys
	rotates   bool // the row's refresh token changes, and the index must have it
	claims    []tokenstore.Key
	releases  []tokenstore.Key
	// rests are the keys that were looked up without a hit, and on which the decision
	// rests. The value says whether only a row without a user would have counted.
	rests map[tokenstore.Key]bool
}

// plan decides which row a save writes, and what the row becomes.
func (a *attempt) plan(ctx context.Context, token tokenstore.OAuthToken) (*plan, error) {
	p := &plan{rests: map[tokenstore.Key]bool{}}
	a.saving = token
	r, missed, err := a.resolve(ctx, token, tokenstore.FindKeys(token))
	if err != nil {
		return nil, err
	}
	p.restOn(missed, false)
	if r == nil {
		r, missed, err = a.firstHit(ctx, tokenstore.AdoptionKeys(token), true)
		if err != nil {
			return nil, err
		}
		p.restOn(missed, true)
	}
	switch {
	case r == nil:
		return p, a.planInsert(ctx, p, token)
	case r.state == damaged:
		return p, a.planMending(p, r, token)
	}
	return p, a.planUpdate(ctx, p, r, token)
}

func (p *plan) restOn(keys []tokenstore.Key, ownerless bool) {
	for _, k := range keys {
		p.rests[k] = ownerless
	}
}

func (a *attempt) planUpdate(ctx context.Context, p *plan, r *row, token tokenstore.OAuthToken) error {
	updated := tokenstore.Update(r.token, token)
	if updated == r.token && !a.s.edited(r) {
		p.unchanged, p.next = true, r
		return nil
	}
	if err := a.rewrite(ctx, p, r, updated); err != nil {
		return err
	}
	return a.s.checkSize(p.next)
}

// rewrite plans to replace the token of a live row.
func (a *attempt) rewrite(ctx context.Context, p *plan, r *row, updated tokenstore.OAuthToken) error {
	p.target, p.next = r, a.s.written(r, updated)
	before, after := a.s.keys(r.token), a.s.keys(updated)
	if a.s.edited(r) {
		// A person has changed the row, so it is unknown which of its keys are in the
		// index: claim them all.
		before, p.mends = nil, true
	}
	p.claims = without(after, before)
	p.releases = without(a.s.keys(r.token), after)
	return a.leaveOut(ctx, p, r)
}

// planMending repairs a damaged row whose name belongs to the token: the fields that are
// set overwrite, and the others stay as the person wrote them.
func (a *attempt) planMending(p *plan, r *row, token tokenstore.OAuthToken) error {
	own, plain := unescapeID(r.id)
	if !plain {
		own = token.ID
	}
	if escapeID(own) != r.id {
		return r.fault()
	}
	there, set := r.object.Clone(), driver.Object{}
	tokenstore.EncodeFields(token, &set)
	set.Set(idField, own)
	for _, f := range set.WithPrefix("") {
		text, _ := f.Text() // It was encoded from a string.
		there.Set(f.Name, text)
	}
	if _, err := tokenstore.DecodeFields(there); err != nil {
		return r.fault() // A field that this save does not set cannot be parsed.
	}
	before := r.token
	before.ID = own
	updated := tokenstore.Update(before, token)
	if err := tokenstore.CheckInsert(updated); err != nil {
		return err
	}
	p.target, p.next, p.mends = r, a.s.written(r, updated), true
	p.claims = a.s.keys(updated)
	return a.s.checkSize(p.next)
}

func (a *attempt) planInsert(ctx context.Context, p *plan, token tokenstore.OAuthToken) error {
	if err := tokenstore.CheckInsert(token); err != nil {
		return err
	}
	target, err := a.place(ctx, token)
	if err != nil {
		return err
	}
	switch target.state {
	case damaged:
		return a.planMending(p, target, token)
	case live:
		return a.planUpdate(ctx, p, target, token)
	}
	if err := a.awaitRetirement(ctx, target); err != nil {
		return err
	}
	if token.ID == "" {
		token.ID, _ = unescapeID(target.id) // A generated ID needs no escape.
	}
	p.target, p.next = target, a.s.written(target, token)
	p.claims = a.s.keys(token)
	return a.s.checkSize(p.next)
}

// place returns the row that an insert writes: the one with the given ID, or with the
// derived ID or, if that is taken, with a random ID. The row with the derived ID may be
// the token itself, live or damaged, without a hint; then the save is not an insert.
func (a *attempt) place(ctx context.Context, token tokenstore.OAuthToken) (*row, error) {
	if token.ID != "" {
		r, err := a.ownRow(ctx, escapeID(token.ID))
		if err == nil && (r.state == damaged || r.state == live && r.token.ID == token.ID) {
			return nil, errAgain // created since the look-up
		}
		if err == nil && r.state != absent && r.state != tombstone {
			err = fmt.Errorf("%w: the secret for this ID does not contain a token; delete it, or save under another ID", tokenstore.ErrUnreadable)
		}
		return r, err
	}
	k := tokenstore.KeysOf(token)[0]
	r, err := a.row(ctx, a.s.hash(k))
	if err != nil {
		return nil, err
	}
	a.s.recognise(r, lookedFor(k))
	if err := a.witness.recognise(ctx, r); err != nil {
		return nil, err
	}
	switch {
	case r.state == absent || r.state == tombstone || r.state == damaged:
		return r, nil
	case r.holds(k) && slices.Contains(tokenstore.FindKeys(token), k):
		return r, nil
	}
	id, err := a.s.randomID()
	if err != nil {
		return nil, fmt.Errorf("generate an ID: %w", err)
	}
	return a.row(ctx, escapeID(id))
}

// awaitRetirement waits until no process can still be retiring the tombstone that is about
// to be replaced. That is usually quick, so it checks now and then whether the service has
// removed the tombstone.
func (a *attempt) awaitRetirement(ctx context.Context, r *row) error {
	if a.s.retirer == nil || r.state != tombstone {
		return nil
	}
	// The tombstone's time is from another machine's clock, so it can only show that the
	// tombstone is old. How long this process has seen it comes from this clock.
	window, now := a.s.retirer.RetireWindow(), a.s.now()
	if window == 0 || now.Sub(r.deletedAt()).Abs() >= window+maxSkew {
		return nil
	}
	left := window - now.Sub(a.s.known.since(r))
	if left <= 0 {
		return nil
	}
	for pause := retirementPause; left > 0; pause *= 2 {
		pause = min(pause, left)
		if err := a.s.sleep(ctx, pause); err != nil {
			return err
		}
		left -= pause
		if seen, err := a.s.read(ctx, r.id); err != nil || seen.revision != r.revision {
			return cmp.Or(err, errAgain)
		}
	}
	return errAgain
}

func (s *Store) checkSize(r *row) error {
	if s.maxSize == 0 {
		return nil
	}
	return driver.CheckSize(len(r.data()), s.maxSize)
}

// carryOut applies a plan: it claims the keys, writes the token, which decides, and then
// releases the keys that the token no longer has.
func (a *attempt) carryOut(ctx context.Context, p *plan) error {
	if err := a.tooOld(); err != nil {
		return err
	}
	if len(p.claims) > 0 {
		others, err := a.view.Claim(ctx, a.s.claims(p.claims, p.next)...)
		if err != nil {
			return p.advise(err)
		}
		if err := a.settle(ctx, p, others); err != nil {
			return err
		}
	}
	if err := a.commit(ctx, p); err != nil {
		return err
	}
	a.secure(ctx, p)
	a.release(ctx, p)
	return nil
}

// secure checks that the keys of inserted rows are still in the index. On services where a
// deletion reserves the name and hides the tombstone, another process may have inserted
// and deleted the same row since its keys were claimed, and released them; the insert
// succeeds nevertheless. DeleteToken releases before it retires, so nothing is released
// after this check. DeleteTokens releases afterwards, in one write for all: by then a row
// that was inserted again has a higher generation, the clock's seconds, unless the
// deleted one was saved more than once a second. The save has already happened, so a
// failure here is left to the repair.
func (a *attempt) secure(ctx context.Context, plans ...*plan) {
	if a.s.retirer == nil || a.s.retirer.RetireWindow() == 0 {
		return
	}
	var claims []index.Claim
	var hashes []string
	for _, p := range plans {
		if p.target.state == absent {
			claims = append(claims, a.s.claims(p.claims, p.next)...)
		}
	}
	if len(claims) == 0 {
		return
	}
	for _, c := range claims {
		hashes = append(hashes, c.Hash)
	}
	a.view.Forget()
	hints, err := a.view.Lookup(ctx, hashes...)
	var lost []index.Claim
	for i := range hints {
		if !slices.ContainsFunc(hints[i], func(h index.Hint) bool { return h.ID == claims[i].ID && h.Generation >= claims[i].Generation }) {
			lost = append(lost, claims[i])
		}
	}
	if len(lost) > 0 {
		_, err = a.view.Claim(ctx, lost...)
	}
	if err != nil {
		a.s.warn(ctx, "token saved, but the index may lack some of its keys; run Reindex", claims[0].ID, err)
	}
}

// commit writes the token by compare-and-swap, which decides the save.
func (a *attempt) commit(ctx context.Context, p *plan) error {
	if err := a.tooOld(); err != nil {
		return err
	}
	stored, err := a.s.write(ctx, p.next)
	if err != nil {
		return err
	}
	p.next = stored
	return nil
}

// release removes from the index the keys that the written tokens no longer have. The saves
// have already happened; keys that cannot be released are harmless, and the repair removes
// them later.
func (a *attempt) release(ctx context.Context, plans ...*plan) {
	var claims []index.Claim
	for _, p := range plans {
		claims = append(claims, a.s.claims(p.releases, p.target)...)
	}
	if len(claims) == 0 {
		return
	}
	if err := a.view.Release(ctx, claims...); err != nil {
		a.s.warn(ctx, "token saved, but its old keys are still in the index; Reindex removes them", claims[0].ID, err)
	}
}

func (a *attempt) tooOld() error {
	if a.s.now().Sub(a.started) > maxAge {
		return errAgain
	}
	return nil
}

// claims returns the keys as claims of a row with its generation.
func (s *Store) claims(keys []tokenstore.Key, r *row) []index.Claim {
	claims := make([]index.Claim, len(keys))
	for i, k := range keys {
		claims[i] = index.Claim{Hash: s.hash(k), ID: r.id, Generation: r.generation}
	}
	return claims
}

// without returns the keys except those to leave out.
func without(keys, leaveOut []tokenstore.Key) []tokenstore.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k tokenstore.Key) bool { return slices.Contains(leaveOut, k) })
}
