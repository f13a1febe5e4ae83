// SaveTokens. It plans tokens together to save reads and writes of the index; the result must
// be that of single saves in the same order.

package secretstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/progress"
)

// saveChunk is the maximum number of tokens that SaveTokens handles at a time.
const saveChunk = 500

// SaveTokens saves tokens in order, as SaveToken would one by one, and returns them as
// stored. The index is read and written once for many of them, so that a thousand tokens
// cost only a handful of index writes. If some tokens cannot be saved, the others are
// saved nevertheless, the places of the failed ones in the result are empty, and the error
// joins their errors.
func (s *Store) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	stored := make([]tokenstore.OAuthToken, len(tokens))
	var faults []error
	chunk := saveChunk
	for start := 0; start < len(tokens); {
		end := s.independent(tokens, start, chunk)
		done := s.saveGroup(ctx, tokens[start:end], stored[start:end])
		for i, fault := range done {
			op := fmt.Sprintf("save token %d of %d", start+i+1, len(tokens))
			faults = append(faults, s.fail(op, tokens[start+i].ID, fault))
		}
		if start += len(done); start < end {
			chunk = max(len(done), saveChunk/10) // More takes too long.
		}
	}
	return stored, errors.Join(faults...)
}

// independent returns the end of the longest run of tokens from start, at most chunk long,
// in which no token can affect another: they share no key, and no ID, given or derived
// from a key.
func (s *Store) independent(tokens []tokenstore.OAuthToken, start, chunk int) int {
	seen := map[string]bool{}
	for i := start; i < len(tokens) && i < start+chunk; i++ {
		var marks []string
		for _, k := range tokenstore.KeysOf(tokens[i]) {
			marks = append(marks, s.hash(k)) // It is also the derived ID.
		}
		if tokens[i].ID != "" {
			marks = append(marks, escapeID(tokens[i].ID))
		}
		for _, m := range marks {
			if seen[m] {
				return i
			}
		}
		for _, m := range marks {
			seen[m] = true
		}
	}
	return min(len(tokens), start+chunk)
}

// group is a run of independent tokens that are planned together and then handled one by
// one.
type group struct {
	plans  []*plan // nil: planning has failed
	faults []error
	claims error // the error of claiming the keys of the plans
	// Changes by the tokens handled so far, which the plans have not seen:
	written map[string]bool // IDs of rows
	edited  bool            // a row that a person had edited, so that its keys were not in the index
}

// step is how a token of a group is handled.
type step int

const (
	refuse step = iota // return its error
	alone              // save it separately, without the plan
	keep               // it is stored already
	write              // apply its plan; after a conflict, save it separately
)

// steps decide how the next token of a group is handled: the first one that applies.
var steps = []struct {
	when func(g *group, p *plan, fault error) bool
	do   step
}{
	// No later save changes this error.
	{func(_ *group, _ *plan, fault error) bool { return final(fault) }, refuse},
	// The tokens before it may have removed the cause of any other error.
	{func(_ *group, p *plan, _ error) bool { return p == nil }, alone},
	{func(g *group, p *plan, _ error) bool { return g.edited || p.mends }, alone},
	{func(g *group, p *plan, _ error) bool { return p.unchanged && g.written[p.next.token.ID] }, alone},
	{func(_ *group, p *plan, _ error) bool { return p.unchanged }, keep},
	{func(g *group, _ *plan, _ error) bool { return g.claims != nil }, alone},
	{func(*group, *plan, error) bool { return true }, write},
}

// next returns how to handle token i.
func (g *group) next(i int) step {
	for _, s := range steps {
		if s.when(g, g.plans[i], g.faults[i]) {
			return s.do
		}
	}
	return alone
}

// final reports whether a fault stays the same whatever other tokens are saved.
func final(fault error) bool {
	return errors.Is(fault, driver.ErrNoContainer) || errors.Is(fault, context.Canceled) || errors.Is(fault, context.DeadlineExceeded)
}

// saveGroup saves independent tokens. Tokens that meet conflicting changes are saved
// separately, each in its turn. It returns one error slot per token it handled, at least
// one: it stops when the plans get too old.
func (s *Store) saveGroup(ctx context.Context, tokens, stored []tokenstore.OAuthToken) []error {
	a := s.attempt()
	g := &group{faults: make([]error, len(tokens)), written: map[string]bool{}}
	g.plans = a.planGroup(ctx, tokens, g.faults)
	others, err := a.claimGroup(ctx, g.plans)
	g.claims = err
	begun := a.tooOld() == nil
	var done []*plan
	for i, p := range g.plans {
		if begun && i > 0 && a.tooOld() != nil {
			g.faults = g.faults[:i]
			break
		}
		do := g.next(i)
		switch do {
		case keep:
			stored[i] = p.next.token
		case write:
			if g.faults[i] = a.finish(ctx, p, others[i]); g.faults[i] == nil {
				stored[i], done = p.next.token, append(done, p)
			} else if errors.Is(g.faults[i], driver.ErrConflict) {
				do = alone
			}
		}
		if do == alone {
			stored[i], g.faults[i] = s.save(ctx, tokens[i])
		}
		progress.Step(ctx)
		g.written[stored[i].ID] = true
		g.edited = g.edited || p != nil && p.mends
	}
	a.secure(ctx, done...)
	a.release(ctx, done...)
	return g.faults
}

// together reports whether the keys of a plan are claimed together with those of others.
func (p *plan) together() bool { return p != nil && !p.unchanged && !p.mends }

// finish writes the token of a plan whose keys are claimed.
func (a *attempt) finish(ctx context.Context, p *plan, others [][]index.Hint) error {
	if p.target.inserts() {
		// A token before it in the group may have been inserted by a separate save.
		a.s.age(p.next)
	}
	if err := a.settle(ctx, p, others); err != nil {
		return err
	}
	return a.commit(ctx, p)
}

// planGroup plans each save, after reading what all of them need.
func (a *attempt) planGroup(ctx context.Context, tokens []tokenstore.OAuthToken, faults []error) []*plan {
	a.prefetch(ctx, tokens)
	plans := make([]*plan, len(tokens))
	for i, t := range tokens {
		if faults[i] = t.Validate(); faults[i] == nil {
			plans[i], faults[i] = a.plan(ctx, t)
		}
		if faults[i] != nil {
			plans[i] = nil
		}
	}
	return plans
}

// prefetch reads the rows and the parts of the index that the plans need, in as few calls
// as the service allows. Its errors occur again in the plans, which report them.
func (a *attempt) prefetch(ctx context.Context, tokens []tokenstore.OAuthToken) {
	var ids, hashes []string
	for _, t := range tokens {
		if t.ID != "" {
			ids = append(ids, escapeID(t.ID))
		}
		keys := tokenstore.KeysOf(t)
		for _, k := range keys {
			hashes = append(hashes, a.s.hash(k))
		}
		if len(keys) > 0 {
			ids = append(ids, a.s.hash(keys[0]))
		}
	}
	if err := a.load(ctx, ids); err != nil {
		return
	}
	_, _ = a.view.Lookup(ctx, hashes...)
}

// claimGroup claims the keys of all plans together, except for plans that re-index an
// edited row: tokens before it must not find it yet by the keys that a person has written.
func (a *attempt) claimGroup(ctx context.Context, plans []*plan) ([][][]index.Hint, error) {
	if err := a.tooOld(); err != nil {
		return nil, err
	}
	var claims []index.Claim
	for _, p := range plans {
		if p.together() {
			claims = append(claims, a.s.claims(p.claims, p.next)...)
		}
	}
	if len(claims) == 0 {
		return make([][][]index.Hint, len(plans)), nil
	}
	hints, err := a.view.Claim(ctx, claims...)
	if err != nil {
		return nil, err
	}
	others := make([][][]index.Hint, len(plans))
	for i, p := range plans {
		if p.together() {
			others[i], hints = hints[:len(p.claims)], hints[len(p.claims):]
		}
	}
	return others, nil
}
