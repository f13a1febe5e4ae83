// How one operation reads documents, although the fan-out may change at any moment.

package index

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/tokenstore/driver"
)

// moves limits how often one operation follows a change of the fan-out.
const moves = 8

// documentView keeps the documents that one operation has read or written, and the
// layout that it used to find them.
type documentView struct {
	x      *Document
	mu     sync.Mutex       // For what one call changes at the same time, see runPages.
	layout layout           // Fan-out 0: not known yet or, if pages has the root, there is no index.
	rootAt time.Time        // When this view read the root; zero if it did not.
	pages  map[string]*page // nil while there are none, as in most finds by user
}

func (v *documentView) Forget() {
	v.layout, v.rootAt, v.pages = layout{}, time.Time{}, nil
}

func (v *documentView) Lookup(ctx context.Context, hashes ...string) ([][]Hint, error) {
	keys, err := shortKeys(hashes)
	if err != nil {
		return nil, err
	}
	if err := v.open(ctx, v.holding(keys)); err != nil {
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

// shortKeys cuts the hashes to the length that documents keep.
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

// holding returns a function that names the pages that hold the keys in a layout.
func (v *documentView) holding(keys []string) func(layout) []string {
	return func(l layout) []string { return v.x.namesOf(l, keys) }
}

// page returns the page that holds a key, or nil if there is no index.
func (v *documentView) page(key string) *page {
	if v.layout.fanout == 0 {
		return nil
	}
	return v.pages[v.x.name(v.layout, v.layout.part(key))]
}

// open makes sure that the view has the pages that names returns. It takes three steps:
// learn the layout, read the pages and, if one of them casts doubt on the layout, read
// the root once more. If there is no index it stops after the first step.
func (v *documentView) open(ctx context.Context, names func(layout) []string) error {
	for attempt := range moves {
		if err := v.learnLayout(ctx); err != nil || v.layout.fanout == 0 {
			return err
		}
		doubt, err := v.readMissing(ctx, names(v.layout))
		if err != nil || doubt == nil {
			return err
		}
		if ok, err := v.checkLayout(ctx, doubt, attempt); ok || err != nil {
			return err
		}
	}
	return errorIn(v.x.root(), fmt.Errorf("%w: index root and documents disagree about the layout; retry later", driver.ErrUnavailable))
}

// learnLayout finds out the layout, unless the view knows it or knows that there is no
// index. It reads the root unless the process remembers the layout.
func (v *documentView) learnLayout(ctx context.Context) error {
	if v.layout.fanout > 1 || v.pages[v.x.root()] != nil {
		return nil
	}
	if l, ok := v.x.remembered(); ok {
		v.layout = l
		return nil
	}
	_, err := v.readRoot(ctx)
	return err
}

// readMissing reads the pages that the view does not have. It returns one that suggests
// that the layout is out of date: a sealed page or, failing that, a missing one.
func (v *documentView) readMissing(ctx context.Context, names []string) (doubt *page, err error) {
	names = slices.DeleteFunc(names, func(name string) bool { return v.pages[name] != nil })
	if len(names) == 0 {
		return nil, nil
	}
	pages, err := v.x.readPages(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		v.put(p.name, p)
		switch {
		case p.frozen():
			doubt = p
		case !p.exists() && !v.rootFresh() && doubt == nil:
			doubt = p
		}
	}
	return doubt, nil
}

// rootFresh reports whether this view has read the root so short a time ago that the
// documents of its layout cannot have been deleted since. Otherwise a missing document is
// no evidence.
func (v *documentView) rootFresh() bool {
	return !v.rootAt.IsZero() && v.x.config.Now().Sub(v.rootAt) < freshLife
}

// checkLayout reads the root because a page casts doubt on the layout, and reports
// whether the layout was right.
func (v *documentView) checkLayout(ctx context.Context, doubt *page, attempt int) (ok bool, err error) {
	epoch := v.layout.epoch
	root, err := v.readRoot(ctx)
	switch {
	case err != nil || root.epoch != epoch:
		return false, err
	case root.next != nil || !doubt.frozen():
		return true, nil
	}
	// The root announces no change, so it is older than the seal.
	v.Forget()
	return false, v.x.wait(ctx, attempt)
}

// readRoot reads the root and adopts it.
func (v *documentView) readRoot(ctx context.Context) (*page, error) {
	root, err := v.x.readRoot(ctx)
	if err != nil {
		return nil, err
	}
	v.adopt(root)
	return root, nil
}

// adopt uses the layout of a root that was just read or written; an absent root has
// none. It drops the pages of another layout.
func (v *documentView) adopt(root *page) {
	if root.layout != v.layout {
		v.Forget()
	}
	v.layout, v.rootAt = root.layout, v.x.config.Now()
	v.put(root.name, root)
}

func (v *documentView) put(name string, p *page) {
	if v.pages == nil {
		v.pages = map[string]*page{}
	}
	v.pages[name] = p
}

// all reads all pages and returns them.
func (v *documentView) all(ctx context.Context) ([]*page, error) {
	if err := v.open(ctx, v.x.names); err != nil || v.layout.fanout == 0 {
		return nil, err
	}
	var pages []*page
	for _, name := range v.x.names(v.layout) {
		pages = append(pages, v.pages[name])
	}
	return pages, nil
}
