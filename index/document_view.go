package index

import (
	"context"
	"fmt"
	"time"

	"example.com/tokenstore/driver"
)

// moves bounds how often one operation follows a change of the fan-out.
const moves = 8

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
