// SaveTokens. It saves tokens in groups, see group.go, to save reads and writes of the
// index; the result must be that of single saves in the same order.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/progress"
)

const (
	// bulkChunk is the maximum number of tokens that are handled at a time. The parts of
	// the index that they share are read and written once.
	bulkChunk = 5000
	// ahead limits how many tokens are planned for each that was saved: tokens that
	// depend on each other are planned again and again.
	ahead = 100
	// claimTries is how often the keys of a token are claimed if the service does not
	// answer: one lost reply would fail thousands of tokens.
	claimTries = 3
)

// item is a token of a SaveTokens call.
type item struct {
	token   tokenstore.OAuthToken
	created int64  // when it was inserted, if it is: the order of the call decides
	tries   int    // how often it met a conflict
	step    func() // reports that it has a result
	race    race   // its attempts that met a conflict

	done   bool // stored or fault is its result
	stored tokenstore.OAuthToken
	fault  error
}

// finish sets the result of an item.
func (it *item) finish(stored tokenstore.OAuthToken, fault error) {
	it.done, it.stored, it.fault = true, stored, fault
	it.step()
}

// SaveTokens saves tokens in order, as SaveToken would one by one, and returns them as
// stored. The index is read and written once for thousands of them. Tokens are written
// several at a time, as fast as the service allows; writes that it throttles are repeated
// later. If some tokens cannot be saved, the others are saved nevertheless, the places of
// the failed ones in the result are empty, and the error joins their errors.
func (s *Store) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	items := s.saveAll(bulk(ctx), tokens)
	stored := make([]tokenstore.OAuthToken, len(tokens))
	var faults []error
	for i, it := range items {
		stored[i] = it.stored
		if it.fault != nil {
			faults = append(faults, s.fail(fmt.Sprintf("save token %d of %d", i+1, len(tokens)), it.token.ID, it.fault))
		}
	}
	return stored, errors.Join(faults...)
}

// saveAll saves tokens in groups until all have a result. What a group leaves, because it
// depends on others in it, met a conflict, or the group got too old, begins the next one.
func (s *Store) saveAll(ctx context.Context, tokens []tokenstore.OAuthToken) []*item {
	items := s.items(ctx, tokens)
	queue, most, pause := items, s.most(), firstPause
	for size := most; len(queue) > 0; {
		if err := ctx.Err(); err != nil {
			for _, it := range queue {
				it.finish(tokenstore.OAuthToken{}, err)
			}
			break
		}
		next := queue[:min(size, len(queue))]
		g := s.saveGroup(ctx, next, len(queue))
		left := unfinished(next)
		done := len(next) - len(left)
		queue = append(left, queue[len(next):]...)
		if g.stale {
			most = max(done, len(next)/10, 1) // More takes too long.
		}
		size = min(most, max(ahead*done, ahead))
		if !g.conflict {
			pause = firstPause
			continue
		}
		// The error of a context that ended is that of the loop's next round.
		_ = s.sleep(ctx, time.Duration(s.random()*float64(pause)))
		pause = min(2*pause, maxPause)
		s.log.DebugContext(ctx, startingAgain, "store", s.name, "tokens", len(left))
	}
	return items
}

// items returns tokens as items. The time at which each is inserted, if it is, is that of
// the call, in the call's order, in whichever order they are written.
func (s *Store) items(ctx context.Context, tokens []tokenstore.OAuthToken) []*item {
	step := func() { progress.Step(ctx) }
	created := s.timestamps(int64(len(tokens)))
	items := make([]*item, len(tokens))
	began := s.wall()
	for i, token := range tokens {
		items[i] = &item{token: token, created: created + int64(i), step: step, race: race{began: began}}
	}
	return items
}

// unfinished returns the items without a result.
func unfinished(items []*item) []*item {
	var left []*item
	for _, it := range items {
		if !it.done {
			left = append(left, it)
		}
	}
	return left
}
