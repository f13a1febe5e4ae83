// The list of all IDs. It must be complete although the documents are read one after
// the other, while tokens move between them.

package index

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// maxLooks limits how often a list reads the documents.
	maxLooks = 4
	// quiet is how old a document's last write must be so that it cannot have happened
	// during a list: longer than clocks differ and than a service is stale.
	quiet = 15 * time.Minute
)

// IDs returns every ID that has a hint, ordered by its hint with the earliest claim, and
// whether the list is complete: there is a root, the documents did not change while they
// were read, and none of them lacks what was claimed after the version that somebody has
// put back.
//
// When a token's key is rotated, the token gets a hint in one document and then loses
// its hint in another. A reader that reads the first document before and the second one
// after that sees neither hint. So the documents are read again, a few times at most,
// unless nothing can have been released in between.
func (x *Document) IDs(ctx context.Context) (ids []string, whole bool, err error) {
	began, seen := x.config.Now(), x.seenPages()
	first := map[string]time.Time{}
	var before *documentView
	for range maxLooks {
		v := x.view()
		if before != nil { // A missing page of this layout is no reason to read the root again.
			v.layout, v.rootAt = before.layout, before.rootAt
		}
		pages, err := v.all(ctx)
		if err != nil {
			return nil, false, err
		}
		for _, p := range pages {
			for _, h := range p.all() {
				if t, ok := first[h.ID]; !ok || h.Claimed.Before(t) {
					first[h.ID] = h.Claimed
				}
			}
		}
		hid := func(p *page) bool { return p.revision != seen[p.name] && !p.quietBefore(began) }
		if before != nil {
			hid = func(p *page) bool { return before.mayHaveHidden(p, v.layout) }
		}
		if len(pages) < 2 || !slices.ContainsFunc(pages, hid) {
			whole = v.layout.fanout > 0 && !slices.ContainsFunc(pages, func(p *page) bool { return p.lacking })
			break
		}
		before = v
	}
	for id := range first {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(first[a].Compare(first[b]), strings.Compare(a, b))
	})
	return ids, whole, nil
}

// More implements [Counter]. A change of the fan-out meanwhile can only make it report false.
func (x *Document) More(ctx context.Context, n int) (bool, error) {
	v := x.view()
	if err := v.learnLayout(ctx); err != nil {
		return false, err
	}
	if v.layout.fanout <= atATime {
		return false, nil
	}
	ids := map[string]bool{}
	for names := range slices.Chunk(x.names(v.layout), atATime) {
		pages, err := x.readPages(ctx, names)
		if err != nil {
			return false, err
		}
		for _, p := range pages {
			for _, f := range p.ids() {
				ids[idOf(f)] = true
			}
		}
		if len(ids) > n {
			return true, nil
		}
	}
	return false, nil
}

// seenPages returns, by name, the revisions of the documents that this process has seen
// last.
func (x *Document) seenPages() map[string]string {
	l, ok := x.remembered()
	if !ok {
		return nil
	}
	seen := make(map[string]string, l.fanout)
	for _, name := range x.names(l) {
		seen[name] = x.seen.Revision(name)
	}
	return seen
}

// quietBefore reports whether the page's last write is so long before t that it cannot
// have been written since. A document that does not exist is quiet.
func (p *page) quietBefore(t time.Time) bool {
	last := p.last()
	return !p.exists() || !last.IsZero() && last.Before(t.Add(-quiet))
}

// mayHaveHidden reports whether a token that two looks have both missed may have had a
// hint in a document between them. Such a hint was claimed and released in between,
// which takes two writes. p is the document as the later look read it, in layout l.
func (v *documentView) mayHaveHidden(p *page, l layout) bool {
	old := v.pages[p.name]
	if v.layout != l || old == nil {
		return true
	}
	once := old.exists() && old.generation > 0 && p.generation == old.generation+1
	return p.revision != old.revision && !once
}
