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
		end := independent(tokens, start, chunk)
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
// than chunk, that have no key and no ID in common, so that none can decide about
// another.
func independent(tokens []tokenstore.OAuthToken, start, chunk int) int {
	seen := map[any]bool{}
	for i := start; i < len(tokens) && i < start+chunk; i++ {
		var marks []any
		for _, k := range tokenstore.KeysOf(tokens[i]) {
			marks = append(marks, k)
		}
		if tokens[i].ID != "" {
			marks = append(marks, tokens[i].ID)
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

// saveGroup saves tokens that have no key and no ID in common. Those with which
// others interfere are saved by themselves, each in its turn. It returns what
// went wrong with each. If what was planned gets too old it stops, and returns
// so many faults as tokens were handled, one at least.
func (s *Store) saveGroup(ctx context.Context, tokens, stored []tokenstore.OAuthToken) []error {
	faults := make([]error, len(tokens))
	a := s.attempt()
	plans := a.planGroup(ctx, tokens, faults)
	others, err := a.claimGroup(ctx, plans)
	begun := a.tooOld() == nil
	var done []*plan
	written := map[string]bool{} // IDs of rows
	edited := false              // a row was written that a person had edited
	for i, p := range plans {
		if begun && i > 0 && a.tooOld() != nil {
			faults = faults[:i]
			break
		}
		alone := false
		switch {
		case edited:
			// Its keys were not in the index when the plan was made.
			alone = faults[i] == nil || errors.Is(faults[i], tokenstore.ErrInvalidToken) || errors.Is(faults[i], tokenstore.ErrUnreadable) || errors.Is(faults[i], driver.ErrConflict)
		case p == nil:
			alone = errors.Is(faults[i], driver.ErrConflict)
		case p.unchanged && !written[p.next.token.ID]:
			stored[i] = p.next.token
		case p.unchanged || err != nil:
			// What a token before it in the group has changed it did not see.
			alone = true
		default:
			faults[i] = a.finish(ctx, p, others[i])
			alone = errors.Is(faults[i], driver.ErrConflict)
		}
		if alone {
			stored[i], faults[i] = s.save(ctx, tokens[i])
		} else if faults[i] == nil && !p.unchanged {
			stored[i], done = p.next.token, append(done, p)
		}
		written[stored[i].ID] = true
		edited = edited || p != nil && !p.unchanged && (p.target.state == damaged || p.target.state == live && s.edited(p.target))
	}
	a.secure(ctx, done...)
	a.release(ctx, done...)
	return faults
}

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

// claimGroup claims the keys of all plans together.
func (a *attempt) claimGroup(ctx context.Context, plans []*plan) ([][][]index.Hint, error) {
	if err := a.tooOld(); err != nil {
		return nil, err
	}
	var claims []index.Claim
	for _, p := range plans {
		if p != nil && !p.unchanged {
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
		if p != nil && !p.unchanged {
			others[i], hints = hints[:len(p.claims)], hints[len(p.claims):]
		}
	}
	return others, nil
}
