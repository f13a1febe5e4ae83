// Growth: a document index gets a larger fan-out by itself, before its documents are full or
// have used up the writes that the service allows in a day.

package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/tokenstore/driver"
)

// Sizer is implemented by an index that can be made large enough in advance for what is
// about to be stored.
type Sizer interface {
	// Expect makes the index large enough for that many more tokens, with that many hints
	// in all, before they are stored. It creates the index if there is none. Claims succeed
	// without it, but then the index grows step by step while they wait. After an error
	// the index may be too small, and grows as it is used.
	Expect(ctx context.Context, tokens, hints int) error
}

const (
	// fieldSize and hintSize are about what the field of an ID takes in a document, and
	// what each hint in it takes, for a derived ID.
	fieldSize = 43
	hintSize  = 17
	// keyLife is how many days a key that Expect plans for is kept on average. A key that
	// changes is a write of its document.
	keyLife = 10

	// askAgain is how long a document is left alone after growth would not have helped it.
	askAgain = 5 * time.Minute
)

// Expect implements [Sizer]. Half of each document stays free, and half of its writes of a
// day, even if a tenth of all keys change in a day.
func (x *Document) Expect(ctx context.Context, tokens, hints int) error {
	if x.limits.MaxSize == 0 && x.limits.WritesPerDay == 0 || hints < 1 {
		return nil
	}
	root, pages, err := x.present(ctx)
	if err != nil {
		return err
	}
	for _, p := range pages {
		for _, f := range p.ids() {
			tokens, hints = tokens+1, hints+len(hintsOf(idOf(f), textOf(f)))
		}
	}
	if root == nil && x.enough(x.initial.fanout, tokens, hints) == 1 {
		return nil // The first claim creates it.
	}
	return x.change(ctx, func(root *page, l layout) (layout, error) {
		enough := x.enough(l.fanout, tokens, hints)
		if enough == l.fanout {
			return l, nil
		}
		l.fanout = enough
		return l, x.hasWritesToGrow(root)
	})
}

// enough doubles a fan-out until that many tokens and hints use half of the documents.
func (x *Document) enough(fanout, tokens, hints int) int {
	for ; fanout < MaxFanout; fanout = doubled(fanout) {
		fields := hints // In many documents, each hint of a token has a field of its own.
		if fanout == 1 {
			fields = min(tokens, hints)
		}
		size, writes := fields*fieldSize+hints*hintSize, hints/keyLife
		if halfUsed(size, fanout, x.limits.MaxSize) && halfUsed(writes, fanout, x.limits.WritesPerDay) {
			break
		}
	}
	return fanout
}

// halfUsed reports whether an amount uses at most half of n limits; 0 means no limit.
func halfUsed(amount, n, limit int) bool { return limit == 0 || amount/n <= limit/2 }

func doubled(fanout int) int { return min(2*fanout, MaxFanout) }

// crowded reports whether more than three quarters of a limit are used; 0 means no limit.
func crowded(used, limit int) bool { return limit > 0 && 4*used > 3*limit }

// permitted returns which changes of a batch a page can take: usually all. It returns a
// crowdedError if the index needs a larger fan-out first. If the writes of the day are used
// up, a claim fails, and a release does nothing.
func (x *Document) permitted(ctx context.Context, l layout, b *batch, p *page, changing []int) ([]int, error) {
	if len(changing) == 0 {
		return nil, nil
	}
	if b.ungrown == nil {
		if fanout := x.outgrown(ctx, l, b, p); fanout > l.fanout {
			return nil, &crowdedError{p.name, fanout}
		}
	}
	if err := x.withinQuota(p); err != nil {
		switch {
		case !b.claiming:
			return nil, nil // The hint is left behind, which is harmless.
		case b.ungrown != nil && !errors.Is(b.ungrown, driver.ErrQuota):
			return nil, b.ungrown
		}
		return nil, err
	}
	return changing, nil
}

// outgrown returns the fan-out that the index needs because the page is crowded, or 0. A
// larger fan-out must help: the page's hints can be divided, or the other documents are
// written too. Otherwise one key that many tokens share, or one that is written again and
// again, would make the index grow without end, in vain.
func (x *Document) outgrown(ctx context.Context, l layout, b *batch, p *page) int {
	full := b.claiming && crowded(p.size, x.limits.MaxSize)
	busy := crowded(p.writes.total(x.config.Now()), x.limits.WritesPerDay)
	if !full && !busy || l.fanout == MaxFanout || x.leftAlone(p.name) {
		return 0
	}
	if full {
		if fanout := x.divided(l, p, x.limits.MaxSize/4*3); fanout > 0 {
			return fanout
		}
	}
	if busy && x.spread(ctx, l) {
		return doubled(l.fanout)
	}
	if ctx.Err() == nil {
		x.leaveAlone(p.name)
	}
	return 0
}

// overflow handles the error of writing a batch's claims to a page. If the page had no room
// for them, it returns a crowdedError, unless no fan-out helps.
func (x *Document) overflow(l layout, b *batch, p *page, err error) error {
	if !errors.Is(err, ErrFull) || x.limits.MaxSize == 0 || !b.claiming {
		return err
	}
	if b.ungrown != nil {
		return b.ungrown
	}
	fanout := cmp.Or(x.divided(l, p, x.limits.MaxSize/4*3), x.divided(l, p, x.room()))
	if fanout == 0 {
		return err
	}
	return &crowdedError{p.name, fanout}
}

// divided returns the first doubling of the fan-out that divides the page's hints into parts
// of at most the given size, or 0 if there is none.
func (x *Document) divided(l layout, p *page, size int) int {
	for fanout := l.fanout; fanout < MaxFanout; {
		fanout = doubled(fanout)
		parts := x.split([]*page{p}, layout{epoch: l.epoch + 1, fanout: fanout})
		if len(parts) > 1 && !slices.ContainsFunc(parts, func(part *page) bool { return len(part.stored().encode()) > size }) {
			return fanout
		}
	}
	return 0
}

// spread reports whether the documents together have been written so often in a day that
// the writes of one of them are not those of a few keys: on average half as often as a
// crowded one.
func (x *Document) spread(ctx context.Context, l layout) bool {
	if l.fanout == 1 {
		return true
	}
	pages, err := x.readPages(ctx, x.names(l))
	if err != nil {
		return false
	}
	total, now := 0, x.config.Now()
	for _, p := range pages {
		total += p.writes.total(now)
	}
	return 8*total >= 3*l.fanout*x.limits.WritesPerDay
}

// leaveAlone remembers that growth would not help a document now, or has just failed.
func (x *Document) leaveAlone(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.alone.Put(name, x.config.Now())
}

// leftAlone reports whether growth would not have helped a document a moment ago.
func (x *Document) leftAlone(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	since, ok := x.alone.Get(name)
	return ok && x.config.Now().Sub(since).Abs() < askAgain
}

// grow gives the index a larger fan-out if it still has the layout in which a document was
// crowded. Of many writers that meet that document, the first to announce the change
// decides, and the others finish it with that one.
func (x *Document) grow(ctx context.Context, seen layout, fanout int) error {
	return x.change(ctx, func(root *page, l layout) (layout, error) {
		if root.exists() && l != seen { // If there is no root, a new one had no room.
			return l, nil
		}
		l.fanout = fanout
		return l, x.hasWritesToGrow(root)
	})
}

// hasWritesToGrow returns an error unless the root has the writes of the day that a change
// of the fan-out takes: without the second one, all documents would stay sealed.
func (x *Document) hasWritesToGrow(root *page) error {
	const announceAndSwap = 2
	limit, now := x.limits.WritesPerDay, x.config.Now()
	if limit == 0 || root.writes.total(now)+announceAndSwap <= limit {
		return nil
	}
	return errorIn(root.name, fmt.Errorf("%w: the index cannot grow until %s", driver.ErrQuota, root.writes.below(limit-1, now).UTC().Format(time.RFC3339)))
}

// withinQuota returns an error if the page has reached the service's limit of daily writes.
func (x *Document) withinQuota(p *page) error {
	limit, now := x.limits.WritesPerDay, x.config.Now()
	if limit == 0 || p.writes.total(now) < limit {
		return nil
	}
	return errorIn(p.name, fmt.Errorf("%w: its %d writes of a day are used up until %s; saves of new tokens and of changed keys that belong to it fail until then, finds and refreshes go on",
		driver.ErrQuota, limit, p.writes.below(limit, now).UTC().Format(time.RFC3339)))
}
