// A group of tokens that are saved together: planned on one view of the index, their keys
// claimed at once, written in parallel, and their old keys released at once.

package secretstore

import (
	"context"
	"errors"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// expectFrom is the number of new keys from which the index is told of them in advance.
const expectFrom = 200

// group is a number of items that are handled together.
type group struct {
	*attempt
	members  []*member
	stale    bool // it got too old before all were written
	conflict bool // an item met a conflict
}

// member is an item in a group.
type member struct {
	*item
	plan    *plan // nil if planning has failed
	problem error // of planning
	others  [][]index.Hint
}

// saveGroup saves items, and leaves those without a result that another group must handle.
// waiting is how many items of the call have no result yet, these included.
func (s *Store) saveGroup(ctx context.Context, items []*item, waiting int) *group {
	g := &group{attempt: s.attempt()}
	if len(items) == 1 {
		unlock, err := s.lock(ctx, items[0].token)
		if err != nil {
			return g
		}
		defer unlock()
	}
	g.planAll(ctx, items)
	writing := g.independent()
	if err := g.tooOld(); err != nil {
		g.overdue(writing)
		return g
	}
	g.expect(ctx, writing, waiting)
	writing = g.claimAll(ctx, writing)
	writing = g.settleAll(ctx, writing)
	g.writeAll(ctx, writing)
	var written []*plan
	for _, m := range writing {
		if m.done && m.fault == nil {
			written = append(written, m.plan)
		}
	}
	g.secure(ctx, written...)
	g.release(ctx, written...)
	return g
}

// planAll plans each item, after reading what all of them need.
func (g *group) planAll(ctx context.Context, items []*item) {
	tokens := make([]tokenstore.OAuthToken, len(items))
	for i, it := range items {
		tokens[i] = it.token
	}
	g.prefetch(ctx, tokens)
	for _, it := range items {
		m := &member{item: it}
		if m.problem = it.token.Validate(); m.problem == nil {
			m.plan, m.problem = g.plan(ctx, it.token)
		}
		switch p := m.plan; {
		case m.problem != nil:
			m.plan = nil
		case p.unchanged:
		case p.target.inserts():
			p.next.created = it.created
		default:
			if r := it.race.overwritten(p); r != nil {
				m.plan = &plan{unchanged: true, next: r}
			}
		}
		g.members = append(g.members, m)
	}
}

// independent gives the members a result that need no write, and returns those to write: no
// two of them can affect each other, and none can be affected by a member before it that
// has no result yet. All others are left to the next group.
func (g *group) independent() []*member {
	var writing []*member
	seen := map[string]bool{} // the marks of the members so far
	open := false             // one of them has yet to be written
	left := false             // one of them is left to the next group
	for _, m := range g.members {
		marks := g.marks(m)
		// Which keys a damaged row had is unknown: it may be what one that is left finds.
		depends := left && m.mends()
		for _, mark := range marks {
			depends = depends || seen[mark]
		}
		for _, mark := range marks {
			seen[mark] = true
		}
		switch {
		case final(m.problem):
			m.finish(tokenstore.OAuthToken{}, m.problem)
		case depends, m.plan == nil && open:
			// One before it may also remove the cause of a problem.
			open, left = true, true
		case errors.Is(m.problem, driver.ErrConflict):
			g.failed(m, m.problem, 1)
			open, left = true, true
		case m.plan == nil:
			m.finish(tokenstore.OAuthToken{}, m.problem)
		case m.plan.unchanged:
			m.finish(m.plan.next.token, nil)
		default:
			writing, open = append(writing, m), true
		}
	}
	return writing
}

// mends reports whether the member writes a damaged row.
func (m *member) mends() bool {
	return m.plan != nil && m.plan.target != nil && m.plan.target.state == damaged
}

// marks returns what a save may read or change: the hashes of keys, which are also derived
// IDs, and IDs. Those of the token count, and those of its row before and after the save: if
// a person has edited the row, the index may lack its keys, so that a save after it finds
// it, and one before it does not.
func (g *group) marks(m *member) []string {
	var marks []string
	add := func(t tokenstore.OAuthToken) {
		for _, k := range tokenstore.KeysOf(t) {
			marks = append(marks, g.s.hash(k))
		}
	}
	add(m.token)
	if m.token.ID != "" {
		marks = append(marks, escapeID(m.token.ID))
	}
	if p := m.plan; p != nil {
		marks = append(marks, p.next.id)
		add(p.next.token)
		if p.target != nil {
			add(p.target.token)
		}
	}
	return unique(marks)
}

// expect tells the index how many keys the call is about to store. If the index does not
// become large enough for them, it grows later.
func (g *group) expect(ctx context.Context, writing []*member, waiting int) {
	sizer, ok := g.s.index.(index.Sizer)
	tokens, hints := 0, 0
	for _, m := range writing {
		hints += len(m.plan.claims)
		if m.plan.target.inserts() {
			tokens++
		}
	}
	if !ok || hints < expectFrom {
		return
	}
	// The others that wait are probably like these.
	more := float64(waiting) / float64(len(g.members))
	err := sizer.Expect(ctx, int(float64(tokens)*more), int(float64(hints)*more))
	if err != nil {
		g.s.log.DebugContext(ctx, "the index could not be made large enough in advance", "store", g.s.name, "error", err)
	}
	g.view.Forget() // Its layout may have changed.
}

// claimAll claims the keys of all members, and returns those that may be written.
func (g *group) claimAll(ctx context.Context, writing []*member) []*member {
	var claims []index.Claim
	for _, m := range writing {
		claims = append(claims, g.s.claims(m.plan.claims, m.plan.next)...)
	}
	if len(claims) == 0 {
		return writing
	}
	hints, err := g.view.Claim(ctx, claims...)
	var some *index.Refused
	faults := make([]error, len(claims))
	switch {
	case errors.As(err, &some):
		faults = some.Faults
	case err != nil:
		hints = make([][]index.Hint, len(claims))
		for i := range faults {
			faults[i] = err
		}
	}
	var claimed []*member
	for _, m := range writing {
		n := len(m.plan.claims)
		if fault := first(faults[:n]); fault != nil {
			g.failed(m, m.plan.advise(fault), claimTries)
		} else {
			m.others = hints[:n]
			claimed = append(claimed, m)
		}
		hints, faults = hints[n:], faults[n:]
	}
	return claimed
}

// first returns the first error that is not nil.
func first(faults []error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// settleAll settles the keys of the members, and returns those that may be written. Few
// have a key with the hint of another token.
func (g *group) settleAll(ctx context.Context, claimed []*member) []*member {
	var settled []*member
	for _, m := range apart(claimed) {
		if err := g.settle(ctx, m.plan, m.others); err != nil {
			g.failed(m, err, 1)
		} else {
			settled = append(settled, m)
		}
	}
	return settled
}

// apart returns those of the members whose rows are not hinted at by keys of each other, and
// leaves the rest to the next group. Two members that settle such hints would each make the
// write of the other fail, in every group that they are in together.
func apart(claimed []*member) []*member {
	var kept []*member
	rows, hinted := map[string]bool{}, map[string]bool{}
	for _, m := range claimed {
		var ids []string
		for _, of := range m.others {
			for _, hint := range of {
				ids = append(ids, hint.ID)
			}
		}
		if hinted[m.plan.next.id] || slices.ContainsFunc(ids, func(id string) bool { return rows[id] }) {
			continue
		}
		kept = append(kept, m)
		rows[m.plan.next.id] = true
		for _, id := range ids {
			hinted[id] = true
		}
	}
	return kept
}

// writeAll writes the tokens of the members, several at a time. What is not written when
// the group gets too old is left to the next one.
func (g *group) writeAll(ctx context.Context, settled []*member) {
	// The errors are those of the members; a context that ended ends the next group.
	_ = g.s.parallel(ctx, len(settled), func(ctx context.Context, i int) error {
		if g.tooOld() != nil {
			return nil //nolint:nilerr // It is left to the next group.
		}
		m := settled[i]
		if m.problem = g.commit(ctx, m.plan); m.problem == nil {
			m.finish(m.plan.next.token, nil)
		}
		return ctx.Err()
	})
	var late []*member
	for _, m := range settled {
		switch {
		case m.done:
		case m.problem != nil:
			if errors.Is(m.problem, driver.ErrConflict) {
				m.race.failed(g.attempt, m.plan)
			}
			g.failed(m, m.problem, 1)
		default:
			late = append(late, m)
		}
	}
	g.overdue(late)
}

// overdue leaves members to the next group because this one is too old. One that is alone
// in its group has met a conflict, as in a single save.
func (g *group) overdue(late []*member) {
	if len(late) == 0 {
		return
	}
	g.stale = true
	if len(g.members) == 1 {
		g.failed(late[0], errAgain, 1)
	}
}

// failed finishes a member with an error, or leaves it to the next group: after a conflict
// as often as a single save starts again, and limit times if the service did not answer.
func (g *group) failed(m *member, err error, limit int) {
	conflict := errors.Is(err, driver.ErrConflict)
	switch {
	case conflict:
		limit = g.s.attempts
	case !errors.Is(err, driver.ErrUnavailable):
		limit = 1
	}
	m.tries++
	switch {
	case m.tries < limit:
		g.conflict = true
	case conflict:
		m.finish(tokenstore.OAuthToken{}, gaveUp(m.tries))
	default:
		m.finish(tokenstore.OAuthToken{}, err)
	}
}

// unique returns the strings, each once, sorted.
func unique(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return slices.Compact(texts)
}

// final reports whether a fault stays the same whatever other tokens are saved.
func final(fault error) bool {
	return errors.Is(fault, driver.ErrNoContainer) || errors.Is(fault, context.Canceled) || errors.Is(fault, context.DeadlineExceeded)
}
