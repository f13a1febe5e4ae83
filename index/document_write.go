// Claim and Release on documents. A call writes each document once, and follows a change of
// the fan-out that happens in between.

package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

var (
	// errFrozen means that the document is sealed.
	errFrozen = errors.New("index document is sealed")
	// errMoved means that the root has another layout than the view.
	errMoved = errors.New("the index layout has changed")
)

// crowdedError means that the index needs a larger fan-out before a batch goes on.
type crowdedError struct {
	name   string // of the document that is crowded
	fanout int
}

func (e *crowdedError) Error() string { return "index document is crowded" }

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
	others   [][]Hint    // of a claim
	faults   []error     // By place in claims: why a page could not take them.
	pending  []int       // Places in claims.
	written  atomic.Bool // A document was written.
	ungrown  error       // Why the index could not get a larger fan-out; the batch goes on without.
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

// part is the claims of a batch that belong to one document.
type part struct {
	name string
	at   []int // Places in claims.
	done bool
}

// parts returns the pending claims by document, in numerical order of the documents.
func (b *batch) parts(x *Document, l layout) []*part {
	byNumber := map[int]*part{}
	for _, i := range b.pending {
		n := l.part(b.keys[i])
		if byNumber[n] == nil {
			byNumber[n] = &part{name: x.name(l, n)}
		}
		byNumber[n].at = append(byNumber[n].at, i)
	}
	parts := make([]*part, 0, len(byNumber))
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		parts = append(parts, byNumber[n])
	}
	return parts
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
	if b.written.Load() {
		v.x.retire(ctx)
	}
	return nil
}

// follow decides how a batch goes on after the result of runPages.
func (v *documentView) follow(ctx context.Context, b *batch, err error, attempt int) error {
	var crowded *crowdedError
	switch {
	case errors.Is(err, errFrozen):
		err = v.x.passSeal(ctx, v.layout.epoch, attempt)
		v.Forget()
	case errors.As(err, &crowded):
		if b.ungrown = v.x.grow(ctx, v.layout, crowded.fanout); b.ungrown != nil && ctx.Err() == nil {
			v.x.leaveAlone(crowded.name)
		}
		v.Forget()
		err = ctx.Err()
	case errors.Is(err, errMoved):
		err = nil
	}
	return err
}

// runPages applies the pending claims of a batch, to several pages at a time. A page that
// cannot take its claims does not keep the others from being written. What is still
// pending afterwards waits for what the error says.
func (v *documentView) runPages(ctx context.Context, b *batch) error {
	l, parts := v.layout, b.parts(v.x, v.layout)
	if err := v.mayCreateAny(ctx, parts); err != nil {
		return err
	}
	var stopped atomic.Pointer[error] // The layout is to change first.
	err := parallel.Each(ctx, len(parts), v.x.config.Parallelism, func(ctx context.Context, i int) error {
		if stopped.Load() != nil {
			return nil
		}
		err := v.runPage(ctx, l, b, parts[i])
		if changes(err) {
			stopped.CompareAndSwap(nil, &err)
			return nil
		}
		return err
	})
	b.pending = nil
	for _, p := range parts {
		if !p.done {
			b.pending = append(b.pending, p.at...)
		}
	}
	switch first := stopped.Load(); {
	case err != nil || first == nil:
		return err
	case v.layout != l:
		return errMoved
	default:
		return *first
	}
}

// changes reports whether an error of a page says that the layout is to change first.
func changes(err error) bool {
	var crowded *crowdedError
	return errors.Is(err, errFrozen) || errors.Is(err, errMoved) || errors.As(err, &crowded)
}

// runPage applies a part of a batch.
func (v *documentView) runPage(ctx context.Context, l layout, b *batch, part *part) error {
	p, err := v.write(ctx, l, b, part)
	switch {
	case err == nil:
		b.finish(p, part.at)
	case concernsOne(err):
		for _, i := range part.at {
			b.faults[i] = err
		}
	default:
		return err
	}
	part.done = true
	return nil
}

// write applies a part of a batch to one page by compare-and-swap, and returns the page
// as stored or, if there was nothing to change, as read.
func (v *documentView) write(ctx context.Context, l layout, b *batch, part *part) (*page, error) {
	for attempt := 0; ; attempt++ {
		p, err := v.writable(ctx, part.name)
		if err != nil {
			return nil, err
		}
		changing, err := v.x.permitted(ctx, l, b, p, b.changing(p, part.at))
		if err == nil && len(changing) > 0 {
			// If this fails, the view must read the page again.
			v.keep(part.name, nil)
			b.change(p, changing, v.x.config.Now())
			if err = v.x.save(ctx, p, v.x.room()); err == nil {
				b.written.Store(true)
			}
			err = v.x.overflow(l, b, p, err)
		}
		if err == nil {
			v.keep(part.name, p)
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
	v.mu.Lock()
	p := v.pages[name]
	v.mu.Unlock()
	if p != nil {
		return p, nil
	}
	if name == v.x.root() {
		return v.x.readRoot(ctx)
	}
	return v.x.readPage(ctx, name)
}

// keep keeps a page as it was last written; with nil it drops it.
func (v *documentView) keep(name string, p *page) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p == nil {
		delete(v.pages, name)
		return
	}
	v.put(name, p)
}

// mayCreateAny is mayCreate for all parts whose page does not exist, so that the root is
// read once for all of them.
func (v *documentView) mayCreateAny(ctx context.Context, parts []*part) error {
	for _, part := range parts {
		if p := v.pages[part.name]; p != nil && !p.exists() && part.name != v.x.root() {
			return v.mayCreate(ctx)
		}
	}
	return nil
}

// mayCreate returns errMoved unless the layout was just read from the root: no process
// would find the hints in a new document of an old layout.
func (v *documentView) mayCreate(ctx context.Context) error {
	v.mu.Lock()
	fresh, before := v.rootFresh(), v.layout
	v.mu.Unlock()
	if fresh {
		return nil
	}
	root, err := v.x.readRoot(ctx)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.adopt(root); v.layout != before {
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
