package index

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore/driver"
)

var (
	// errFrozen: the document is sealed.
	errFrozen = errors.New("index document is sealed")
	// errMoved: the root shows another layout than the view has.
	errMoved = errors.New("the index has moved")
)

// Claim writes one document for each that its keys fall into.
func (v *documentView) Claim(ctx context.Context, claims ...Claim) ([][]Hint, error) {
	b, err := newBatch(claims)
	if err != nil {
		return nil, err
	}
	b.change = func(p *page, keys []string, claims []Claim) (bool, error) {
		if err := v.x.withinQuota(p); err != nil {
			return false, err
		}
		now := v.x.config.Now()
		for i, c := range claims {
			p.claim(keys[i], c, now)
		}
		return true, nil
	}
	b.done = func(p *page, at []int) {
		for _, i := range at {
			b.others[i] = p.marks(b.keys[i]).others(claims[i].ID)
		}
	}
	if err := v.run(ctx, b, true); err != nil {
		return nil, err
	}
	return b.others, nil
}

// Release writes the documents that have such a hint.
func (v *documentView) Release(ctx context.Context, claims ...Claim) error {
	b, err := newBatch(claims)
	if err != nil {
		return err
	}
	b.change = func(p *page, keys []string, claims []Claim) (bool, error) {
		var at []int
		for i, c := range claims {
			if p.marks(keys[i]).releases(c) {
				at = append(at, i)
			}
		}
		if len(at) == 0 || v.x.withinQuota(p) != nil {
			return false, nil //nolint:nilerr // At the limit a hint is left behind; it does no harm.
		}
		for _, i := range at {
			p.release(keys[i], claims[i])
		}
		return true, nil
	}
	return v.run(ctx, b, false)
}

// withinQuota returns an error if the page has had its writes of the day.
func (x *Document) withinQuota(p *page) error {
	limit := x.limits.WritesPerDay
	if limit == 0 || p.writes.total(x.config.Now()) < limit {
		return nil
	}
	return errorIn(p.name, fmt.Errorf("%w: %d writes in 24 hours; give the index a larger fan-out", driver.ErrQuota, limit))
}

// batch is the claims of one call, with what is to be done with them.
type batch struct {
	claims  []Claim
	keys    []string
	others  [][]Hint
	pending []int // Places in claims.
	// change changes a page and reports whether it is to be written. It does
	// not touch a page that is not.
	change func(p *page, keys []string, claims []Claim) (bool, error)
	// done is called with the page as written, or as read if there was nothing
	// to write, and the places of the claims.
	done func(p *page, at []int)
}

func newBatch(claims []Claim) (*batch, error) {
	b := &batch{claims: claims, others: make([][]Hint, len(claims)), done: func(*page, []int) {}}
	for i, c := range claims {
		if err := c.check(shortHash); err != nil {
			return nil, err
		}
		b.keys = append(b.keys, c.Hash[:shortHash])
		b.pending = append(b.pending, i)
	}
	return b, nil
}

// pendingKeys returns the keys of the claims that are still to be done.
func (b *batch) pendingKeys() []string {
	var keys []string
	for _, i := range b.pending {
		keys = append(keys, b.keys[i])
	}
	return keys
}

// of returns those of the pending claims that satisfy in, and keeps the others.
func (b *batch) of(in func(key string) bool) (at, rest []int) {
	for _, i := range b.pending {
		if in(b.keys[i]) {
			at = append(at, i)
		} else {
			rest = append(rest, i)
		}
	}
	return at, rest
}

// run does a batch, document by document. It follows, and if need be finishes,
// a change of the fan-out that it meets. If there is no index, it is created if
// create is set, else nothing is done.
func (v *documentView) run(ctx context.Context, b *batch, create bool) error {
	for attempt := range moves {
		if len(b.pending) == 0 {
			return nil
		}
		if err := v.open(ctx, v.holding(b.pendingKeys())); err != nil {
			return err
		}
		if v.layout.fanout == 0 {
			if !create {
				return nil
			}
			if err := v.create(ctx); err != nil {
				return err
			}
			continue
		}
		err := v.runPages(ctx, b)
		switch {
		case errors.Is(err, errFrozen):
			err = v.x.passSeal(ctx, v.layout.epoch, attempt)
			v.Forget()
		case errors.Is(err, errMoved):
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if len(b.pending) == 0 {
		return nil
	}
	return errorIn(v.x.root(), fmt.Errorf("%w: gave up: the index layout changed repeatedly", driver.ErrConflict))
}

// runPages does what of a batch is pending.
func (v *documentView) runPages(ctx context.Context, b *batch) error {
	l := v.layout
	for _, name := range v.x.namesOf(l, b.pendingKeys()) {
		at, rest := b.of(func(key string) bool { return v.x.name(l, l.part(key)) == name })
		p, err := v.write(ctx, b, name, at)
		if err != nil {
			return err
		}
		b.done(p, at)
		b.pending = rest
	}
	return nil
}

// write changes one page by compare-and-swap and returns it as it is then.
func (v *documentView) write(ctx context.Context, b *batch, name string, at []int) (*page, error) {
	var keys []string
	var claims []Claim
	for _, i := range at {
		keys, claims = append(keys, b.keys[i]), append(claims, b.claims[i])
	}
	for attempt := 0; ; attempt++ {
		p, err := v.writable(ctx, name)
		if err != nil {
			return nil, err
		}
		// Whatever goes wrong now, what the view knows of the page is void.
		delete(v.pages, name)
		changed, err := b.change(p, keys, claims)
		if err == nil && changed {
			err = v.x.save(ctx, p, v.x.room())
		}
		if err == nil {
			v.pages[name] = p
			return p, nil
		}
		if !errors.Is(err, driver.ErrConflict) {
			return nil, err
		}
		if err := v.x.retry(ctx, attempt, p.object, err); err != nil {
			return nil, err
		}
	}
}

// writable returns the page as the view knows it, or reads it, and checks that
// it takes writes and belongs to the present layout.
func (v *documentView) writable(ctx context.Context, name string) (*page, error) {
	p, err := v.known(ctx, name)
	if err != nil {
		return nil, err
	}
	root := name == v.x.root()
	switch {
	case p.frozen():
		return nil, errFrozen
	case root && p.layout != v.layout && p.exists():
		v.Forget()
		return nil, errMoved
	case root && !p.exists():
		// A new root is created with the first hints in it.
		p.layout = v.layout
	case !root && !p.exists():
		return p, v.mayCreate(ctx)
	}
	return p, nil
}

// known returns the page as the view knows it, or reads it.
func (v *documentView) known(ctx context.Context, name string) (*page, error) {
	if p := v.pages[name]; p != nil {
		return p, nil
	}
	if name == v.x.root() {
		return v.x.readRoot(ctx)
	}
	return v.x.readPage(ctx, name)
}

// mayCreate returns errMoved unless the layout was read from the root just now:
// in an old layout, whose documents have been deleted, nobody would find what a
// new one holds.
func (v *documentView) mayCreate(ctx context.Context) error {
	if !v.rootAt.IsZero() && v.x.config.Now().Sub(v.rootAt) < freshLife {
		return nil
	}
	before := v.layout
	if _, err := v.readRoot(ctx); err != nil {
		return err
	}
	if v.layout != before {
		return errMoved
	}
	return nil
}

// create gives an index that does not exist a layout. A root with several
// documents is written now, one that holds the hints itself with the first ones.
func (v *documentView) create(ctx context.Context) error {
	root := &page{object: absent(v.x.root())}
	if v.x.initial == 1 {
		v.x.begin(root, 1)
	} else {
		var err error
		if root, err = v.x.create(ctx, v.x.initial); err != nil {
			return err
		}
	}
	v.adopt(root)
	return nil
}
