package secretstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// saveChunk is how many tokens SaveTokens handles at a time, at most.
const saveChunk = 500

// SaveTokens saves tokens in their order, as SaveToken would one after the
// other, and returns them as stored. The index is read and written once for
// many of them, so that a thousand tokens cost a handful of its writes. If some
// could not be saved, their places in the result are empty, the others are
// saved, and the error joins what went wrong.
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

// independent returns the end of the longest run of tokens from start, not longer
// than chunk, that have nothing in common by which one could decide about another: no
// key, and no ID, be it given or derived from a key.
func (s *Store) independent(tokens []tokenstore.OAuthToken, start, chunk int) int {
	seen := map[string]bool{}
	for i := start; i < len(tokens) && i < start+chunk; i++ {
		var marks []string
		for _, k := range tokenstore.KeysOf(tokens[i]) {
			marks = append(marks, s.hash(k)) // It is the derived ID, too.
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

// group is a run of independent tokens that are planned together and then handled
// one after the other.
type group struct {
	plans  []*plan // nil: planning has failed
	faults []error
	claims error // why the keys of the plans could not be claimed
	// What the tokens that were handled have changed, and the plans have not seen:
	written map[string]bool // IDs of rows
	edited  bool            // a row that a person had edited, whose keys were not in the index
}

// step is what is done with a token of a group.
type step int

const (
	refuse step = iota // its fault stands
	alone              // it is saved by itself, whatever was planned
	keep               // it is stored already
	write              // its plan is carried out; after a conflict it is saved alone
)

// steps say what is done with the next token of a group: the first that applies.
var steps = []struct {
	when func(g *group, p *plan, fault error) bool
	do   step
}{
	// No token can be saved.
	{func(_ *group, _ *plan, fault error) bool { return final(fault) }, refuse},
	// Another fault may be gone with what the tokens before it have changed.
	{func(_ *group, p *plan, _ error) bool { return p == nil }, alone},
	{func(g *group, p *plan, _ error) bool { return g.edited || p.mends }, alone},
	{func(g *group, p *plan, _ error) bool { return p.unchanged && g.written[p.next.token.ID] }, alone},
	{func(_ *group, p *plan, _ error) bool { return p.unchanged }, keep},
	{func(g *group, _ *plan, _ error) bool { return g.claims != nil }, alone},
	{func(*group, *plan, error) bool { return true }, write},
}

// next returns what is done with the token at place i.
func (g *group) next(i int) step {
	for _, s := range steps {
		if s.when(g, g.plans[i], g.faults[i]) {
			return s.do
		}
	}
	return alone
}

// final reports whether a fault is one that no save of another token changes.
func final(fault error) bool {
	return errors.Is(fault, driver.ErrNoContainer) || errors.Is(fault, context.Canceled) || errors.Is(fault, context.DeadlineExceeded)
}

// saveGroup saves independent tokens. Those with which others interfere are saved by
// themselves, each in its turn. It returns what went wrong with each. If what was
// planned gets too old it stops, and returns one error slot per token that it
// handled, at least one.
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
		g.written[stored[i].ID] = true
		g.edited = g.edited || p != nil && p.mends
	}
	a.secure(ctx, done...)
	a.release(ctx, done...)
	return g.faults
}

// together reports whether the keys of a plan are claimed with those of the others.
func (p *plan) together() bool { return p != nil && !p.unchanged && !p.mends }

// finish writes the token of a plan whose keys are claimed.
func (a *attempt) finish(ctx context.Context, p *plan, others [][]index.Hint) error {
	if p.target.inserts() {
		// A token before it in the group may have been inserted by a save of its own.
		a.s.age(p.next)
	}
	if err := a.settle(ctx, p, others); err != nil {
		return err
	}
	return a.commit(ctx, p)
}

// planGroup plans each save, after reading what all of them will look at.
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

// prefetch reads the rows and the parts of the index that the plans need, in as
// few calls as the service allows. Its errors come again in the plans.
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

// claimGroup claims the keys of all plans together, but for those that mend an edited
// row: by the keys that a person has given it, tokens before it must not find it yet.
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
