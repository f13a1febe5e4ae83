// Claim and Release on documents. A call writes each document once, and follows a change of
// the fan-out that happens in between.

package index

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore/driver"
)

var (
	// errFrozen means that the document is sealed.
	errFrozen = errors.New("index document is sealed")
	// errMoved means that the root has another layout than the view.
	errMoved = errors.New("the index layout has changed")
)

// Claim writes each document that its keys belong to, once.
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
			return false, nil //nolint:nilerr // At the limit the hint is left behind, which is harmless.
		}
		for _, i := range at {
			p.release(keys[i], claims[i])
		}
		return true, nil
	}
	return v.run(ctx, b, false)
}

// withinQuota returns an error if the page has reached the service's limit of daily writes.
func (x *Document) withinQuota(p *page) error {
	limit := x.limits.WritesPerDay
	if limit == 0 || p.writes.total(x.config.Now()) < limit {
		return nil
	}
	return errorIn(p.name, fmt.Errorf("%w: %d writes in 24 hours; give the index a larger fan-out", driver.ErrQuota, limit))
}

// batch is the claims of one call, and what to do with them.
type batch struct {
	claims  []Claim
	keys    []string
	others  [][]Hint
	pending []int // Places in claims.
	// change changes a page and reports whether it did; an unchanged page is not
	// written.
	change func(p *page, keys []string, claims []Claim) (bool, error)
	// done is called with the places of the claims and the page, as written or, if
	// there was nothing to write, as read.
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

// pendingKeys returns the keys of the pending claims.
func (b *batch) pendingKeys() []string {
	var keys []string
	for _, i := range b.pending {
		keys = append(keys, b.keys[i])
	}
	return keys
}

// of returns the pending claims whose keys satisfy in, and the rest.
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

// run applies a batch, document by document. It follows, and if necessary finishes, a
// change of the fan-out that it meets. If there is no index, it creates one if create
// is set, and otherwise does nothing.
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
	return errorIn(v.x.root(), fmt.Errorf("%w: gave up: the index layout changed repeatedly; retry later", driver.ErrConflict))
}

// runPages applies the pending claims of a batch.
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

// write changes one page by compare-and-swap and returns it as stored.
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
		// If anything fails from here on, the view must read the page again.
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

// writable returns the page as the view knows it, or reads it, and checks that it is
// not sealed and belongs to the current layout.
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
		// A new root is created together with the first hints.
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

// mayCreate returns errMoved unless the layout was just read from the root: no process
// would find the hints in a new document of an old layout.
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

// create gives a new index its layout. A root of several documents is written now; a
// root that holds the hints itself is written together with the first ones.
func (v *documentView) create(ctx context.Context) error {
	root := &page{object: absent(v.x.root())}
	if v.x.initial.fanout == 1 {
		v.x.begin(root, v.x.initial)
	} else {
		var err error
		if root, err = v.x.create(ctx, v.x.initial); err != nil {
			return err
		}
	}
	v.adopt(root)
	return nil
}
