// Claim and Release on documents. A call writes each document once, and follows a change of
// the fan-out that happens in between.

package index

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore/driver"
)

var (
	// errFrozen means that the document is sealed.
	errFrozen = errors.New("index document is sealed")
	// errMoved means that the root has another layout than the view.
	errMoved = errors.New("the index layout has changed")
	// errCrowded means that the index needs a larger fan-out before the batch goes on.
	errCrowded = errors.New("index document is crowded")
)

// Claim writes each document that its keys belong to, once.
func (v *documentView) Claim(ctx context.Context, claims ...Claim) ([][]Hint, error) {
	b, err := newBatch(claims)
	if err != nil {
		return nil, err
	}
	b.claiming = true
	if err := v.run(ctx, b); err != nil {
		return nil, err
	}
	return b.others, refused(b.faults)
}

// Release writes the documents that have such a hint.
func (v *documentView) Release(ctx context.Context, claims ...Claim) error {
	b, err := newBatch(claims)
	if err != nil {
		return err
	}
	if err := v.run(ctx, b); err != nil {
		return err
	}
	return refused(b.faults)
}

// batch is the claims of one call, which all claim or all release.
type batch struct {
	claiming bool
	claims   []Claim
	keys     []string
	others   [][]Hint // of a claim
	faults   []error  // By place in claims: why a page could not take them.
	pending  []int    // Places in claims.
	written  bool     // A document was written.

	crowded string // With errCrowded: the document's name
	grown   int    // and the fan-out that the index needs first.
	ungrown error  // Why the index could not get a larger fan-out; the batch goes on without.
}

func newBatch(claims []Claim) (*batch, error) {
	b := &batch{claims: claims, others: make([][]Hint, len(claims)), faults: make([]error, len(claims))}
	for i, c := range claims {
		if err := c.check(shortHash); err != nil {
			return nil, err
		}
		b.keys = append(b.keys, c.Hash[:shortHash])
		b.pending = append(b.pending, i)
	}
	return b, nil
}

// changing returns those of the places in claims that change the page. A claim always
// does.
func (b *batch) changing(p *page, at []int) []int {
	if b.claiming {
		return at
	}
	var changing []int
	for _, i := range at {
		if p.marks(b.keys[i]).releases(b.claims[i]) {
			changing = append(changing, i)
		}
	}
	return changing
}

// change applies the claims at the given places to the page.
func (b *batch) change(p *page, at []int, now time.Time) {
	for _, i := range at {
		if b.claiming {
			p.claim(b.keys[i], b.claims[i], now)
		} else {
			p.release(b.keys[i], b.claims[i])
		}
	}
}

// finish takes the hints of others from the page as it was written.
func (b *batch) finish(p *page, at []int) {
	if !b.claiming {
		return
	}
	for _, i := range at {
		b.others[i] = p.marks(b.keys[i]).others(b.claims[i].ID)
	}
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
// change of the fan-out that it meets, and begins one if a document is crowded. If there
// is no index, a claim creates one, and a release does nothing.
func (v *documentView) run(ctx context.Context, b *batch) error {
	for attempt := 0; len(b.pending) > 0; attempt++ {
		if attempt == moves {
			return errorIn(v.x.root(), fmt.Errorf("%w: gave up: the index layout changed repeatedly; retry later", driver.ErrConflict))
		}
		if err := v.open(ctx, v.holding(b.pendingKeys())); err != nil {
			return err
		}
		if v.layout.fanout == 0 {
			if !b.claiming {
				return nil
			}
			if err := v.create(ctx); err != nil {
				return err
			}
			continue
		}
		if err := v.follow(ctx, b, v.runPages(ctx, b), attempt); err != nil {
			return err
		}
	}
	if b.written {
		v.x.retire(ctx)
	}
	return nil
}

// follow decides how a batch goes on after the result of runPages.
func (v *documentView) follow(ctx context.Context, b *batch, err error, attempt int) error {
	switch {
	case errors.Is(err, errFrozen):
		err = v.x.passSeal(ctx, v.layout.epoch, attempt)
		v.Forget()
	case errors.Is(err, errCrowded):
		if b.ungrown = v.x.grow(ctx, v.layout, b.grown); b.ungrown != nil {
			v.x.leaveAlone(b.crowded)
		}
		v.Forget()
		err = ctx.Err()
	case errors.Is(err, errMoved):
		err = nil
	}
	return err
}

// runPages applies the pending claims of a batch. A page that cannot take its claims does
// not keep the others from being written.
func (v *documentView) runPages(ctx context.Context, b *batch) error {
	l := v.layout
	for _, name := range v.x.namesOf(l, b.pendingKeys()) {
		at, rest := b.of(func(key string) bool { return v.x.name(l, l.part(key)) == name })
		p, err := v.write(ctx, b, name, at)
		switch {
		case err == nil:
			b.finish(p, at)
		case concernsOne(err):
			for _, i := range at {
				b.faults[i] = err
			}
		default:
			return err
		}
		b.pending = rest
	}
	return nil
}

// write applies a part of a batch to one page by compare-and-swap, and returns the page
// as stored or, if there was nothing to change, as read.
func (v *documentView) write(ctx context.Context, b *batch, name string, at []int) (*page, error) {
	for attempt := 0; ; attempt++ {
		p, err := v.writable(ctx, name)
		if err != nil {
			return nil, err
		}
		changing, err := v.x.permitted(ctx, v.layout, b, p, b.changing(p, at))
		if err == nil && len(changing) > 0 {
			// If this fails, the view must read the page again.
			delete(v.pages, name)
			b.change(p, changing, v.x.config.Now())
			if err = v.x.save(ctx, p, v.x.room()); err == nil {
				b.written = true
			}
			err = v.x.overflow(v.layout, b, p, err)
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
	if v.rootFresh() {
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
