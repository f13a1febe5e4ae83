package index

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore/driver"
)

// moves bounds how often one operation follows a change of the fan-out.
const moves = 8

var (
	// errFrozen: the document is sealed.
	errFrozen = errors.New("index document is sealed")
	// errMoved: the root shows another layout than the view has.
	errMoved = errors.New("the index has moved")
)

// documentView keeps the documents that one operation has read or written, and
// the layout by which it found them.
type documentView struct {
	x      *Document
	layout layout    // No fan-out: not known yet, or there is no index.
	rootAt time.Time // When this view read the root; zero if it did not.
	pages  map[string]*page
}

func (v *documentView) Forget() {
	v.layout, v.rootAt, v.pages = layout{}, time.Time{}, map[string]*page{}
}

func (v *documentView) Lookup(ctx context.Context, hashes ...string) ([][]Hint, error) {
	keys, err := shortKeys(hashes)
	if err != nil {
		return nil, err
	}
	if err := v.open(ctx, keys); err != nil {
		return nil, err
	}
	found := make([][]Hint, len(keys))
	for i, key := range keys {
		if p := v.page(key); p != nil {
			found[i] = p.marks(key).hints()
		}
	}
	return found, nil
}

// shortKeys cuts the hashes to the length that documents hold.
func shortKeys(hashes []string) ([]string, error) {
	keys := make([]string, len(hashes))
	for i, hash := range hashes {
		if err := checkHash(hash, shortHash); err != nil {
			return nil, err
		}
		keys[i] = hash[:shortHash]
	}
	return keys, nil
}

// page returns the page that holds a key, or nil if there is no index.
func (v *documentView) page(key string) *page {
	if v.layout.fanout == 0 {
		return nil
	}
	return v.pages[v.x.name(v.layout, v.layout.part(key))]
}

// open reads the pages that hold the keys.
func (v *documentView) open(ctx context.Context, keys []string) error {
	return v.load(ctx, func(l layout) []string { return v.x.namesOf(l, keys) })
}

// all reads all pages and returns them.
func (v *documentView) all(ctx context.Context) ([]*page, error) {
	if err := v.load(ctx, v.x.names); err != nil || v.layout.fanout == 0 {
		return nil, err
	}
	var pages []*page
	for _, name := range v.x.names(v.layout) {
		pages = append(pages, v.pages[name])
	}
	return pages, nil
}

// load reads the pages that the view has not read yet. If one of them is sealed
// or missing, the layout may be an old one: then the root decides, read after
// the page.
func (v *documentView) load(ctx context.Context, names func(layout) []string) error {
	for attempt := range moves {
		if err := v.place(ctx); err != nil || v.layout.fanout == 0 {
			return err
		}
		doubt, err := v.readPages(ctx, names(v.layout))
		if err != nil || doubt == nil {
			return err
		}
		epoch := v.layout.epoch
		root, err := v.readRoot(ctx)
		if err != nil {
			return err
		}
		if root.epoch == epoch && (root.next != nil || !doubt.frozen()) {
			return nil
		}
		// A seal that the root knows nothing of: what was read of the root is old.
		if root.epoch == epoch {
			v.Forget()
			if err := v.x.wait(ctx, attempt); err != nil {
				return err
			}
		}
	}
	return fault(v.x.root(), fmt.Errorf("%w: it does not fit the other documents", driver.ErrUnavailable))
}

// place finds out the layout, if the view does not know it. It stays unknown if
// there is no index. A root that holds the hints says the layout anew whenever
// it is read.
func (v *documentView) place(ctx context.Context) error {
	if v.layout.fanout > 1 || v.layout.fanout == 1 && v.pages[v.x.root()] != nil {
		return nil
	}
	if l, ok := v.x.remembered(); ok {
		v.layout = l
		return nil
	}
	_, err := v.readRoot(ctx)
	return err
}

// readRoot reads the root and takes over its layout. Pages of another one are
// dropped.
func (v *documentView) readRoot(ctx context.Context) (*page, error) {
	root, err := v.x.readRoot(ctx)
	if err != nil {
		return nil, err
	}
	if root.layout != v.layout {
		v.Forget()
	}
	v.layout, v.rootAt = root.layout, v.x.config.Now()
	v.pages[root.name] = root
	return root, nil
}

// readPages reads those pages that the view has not, and returns one that lets
// the layout appear to be an old one, a sealed one before a missing one.
func (v *documentView) readPages(ctx context.Context, names []string) (doubt *page, err error) {
	var missing []string
	for _, name := range names {
		if v.pages[name] == nil {
			missing = append(missing, name)
		}
	}
	pages, err := v.x.read(ctx, missing)
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		v.pages[p.name] = p
		switch {
		case p.frozen():
			doubt = p
		case !p.exists() && v.rootAt.IsZero() && doubt == nil:
			doubt = p
		}
	}
	return doubt, nil
}

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
			return false, nil
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
	return fault(p.name, fmt.Errorf("%w: %d writes in 24 hours; give the index a larger fan-out", driver.ErrQuota, limit))
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
		if err := v.open(ctx, b.pendingKeys()); err != nil {
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
			err = v.x.settle(ctx, v.layout.epoch, attempt)
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
	return fault(v.x.root(), fmt.Errorf("%w: the index moves on and on", driver.ErrConflict))
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
	var err error
	for attempt := range writeAttempts {
		p, err1 := v.writable(ctx, name)
		if err1 != nil {
			return nil, err1
		}
		// Whatever goes wrong now, what the view knows of the page is void.
		delete(v.pages, name)
		var changed bool
		if changed, err = b.change(p, keys, claims); err == nil && changed {
			err = v.x.save(ctx, p, v.x.room())
		}
		if err == nil {
			v.pages[name] = p
			return p, nil
		}
		if !errors.Is(err, driver.ErrConflict) {
			return nil, err
		}
		if err := v.x.wait(ctx, attempt); err != nil {
			return nil, err
		}
	}
	return nil, err
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

func (v *documentView) known(ctx context.Context, name string) (*page, error) {
	if p := v.pages[name]; p != nil {
		return p, nil
	}
	pages, err := v.x.read(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	if name == v.x.root() {
		v.x.remember(pages[0])
	}
	return pages[0], nil
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
	v.x.begin(root, v.x.initial)
	if v.x.initial > 1 {
		err := v.x.save(ctx, root, v.x.limits.MaxSize)
		if errors.Is(err, driver.ErrConflict) {
			_, err = v.readRoot(ctx)
			return err
		}
		if err != nil {
			return err
		}
	}
	v.layout, v.rootAt = root.layout, v.x.config.Now()
	v.pages[root.name] = root
	return nil
}
