// The operator's side of a document index: listing, sweeping and statistics. Damaged
// documents are reported and do not stop the work on the others.

package index

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"example.com/tokenstore/driver"
)

// All yields every hash that has hints, cut to the length that documents keep, in
// order of the hashes, and then, if documents could not be read, one error that names
// them. It reads each document once.
func (x *Document) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		_, pages, err := x.present(ctx)
		all := map[string]marks{}
		var keys []string
		for _, p := range pages {
			for _, h := range p.all() {
				keys = append(keys, h.key)
				all[h.key] = append(all[h.key], h.mark)
			}
		}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			all[key].sort()
			if !yield(Entry{key, all[key].hints()}, nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// Sweep removes the documents of older layouts that were last written longer than
// grace ago. It first finishes an unfinished change of the fan-out. The error names the
// documents that could not be removed.
func (x *Document) Sweep(ctx context.Context, grace time.Duration, dryRun bool) (int, error) {
	root, err := x.readRoot(ctx)
	if err == nil && root.next != nil && !dryRun {
		if err = x.finish(ctx, root); err == nil {
			root, err = x.readRoot(ctx)
		}
	}
	if err != nil || !root.exists() {
		return 0, err
	}
	names, err := x.older(ctx, root.epoch)
	if err != nil {
		return 0, err
	}
	swept, before := 0, x.config.Now().Add(-grace)
	var faults []error
	for _, name := range names {
		removed, err := x.sweep(ctx, name, before, dryRun)
		if err != nil {
			faults = append(faults, err)
		}
		if removed {
			swept++
		}
	}
	if !dryRun {
		faults = append(faults, x.makeWhole(ctx))
	}
	return swept, errors.Join(append(faults, ctx.Err())...)
}

// makeWhole takes the mark from documents of which an older version was put back. The
// repair has claimed what they lacked before it sweeps.
func (x *Document) makeWhole(ctx context.Context) error {
	root, pages, err := x.present(ctx)
	if root != nil && root.fanout > 1 {
		pages = append(pages, root)
	}
	for _, p := range pages {
		if p.lacking {
			err = errors.Join(err, x.unmark(ctx, p))
		}
	}
	return err
}

// unmark takes the mark from one document.
func (x *Document) unmark(ctx context.Context, p *page) error {
	var err error
	for attempt := range writeAttempts {
		p.lacking = false
		if err = x.save(ctx, p, 0); !errors.Is(err, driver.ErrConflict) {
			return err
		}
		if err := x.wait(ctx, attempt); err != nil {
			return err
		}
		again, fault := x.readPage(ctx, p.name)
		if fault != nil || !again.lacking {
			return fault
		}
		p = again
	}
	return err
}

// older lists the names of the documents of epochs before the given one, sorted.
// Documents of later epochs may belong to a layout that this reader has not seen.
func (x *Document) older(ctx context.Context, epoch int64) ([]string, error) {
	var names []string
	for name, err := range x.secrets.List(ctx, x.config.Prefix) {
		if err != nil {
			return nil, err
		}
		if e, ok := x.epochOf(name); ok && e < epoch {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// sweep removes one document if it was last written before the given time.
func (x *Document) sweep(ctx context.Context, name string, before time.Time, dryRun bool) (bool, error) {
	p, err := x.readPage(ctx, name)
	if err != nil {
		return false, err
	}
	if !p.exists() {
		return false, nil
	}
	if !p.last().Before(before) {
		return false, x.sealOrphan(ctx, p, dryRun)
	}
	if dryRun {
		return true, nil
	}
	if err := x.remove(ctx, p.object); err != nil {
		if errors.Is(err, driver.ErrConflict) {
			err = nil
		}
		return false, err
	}
	return true, nil
}

// sealOrphan seals a document that lost its root, so that processes that remember its
// layout do not write hints where no other process would find them.
func (x *Document) sealOrphan(ctx context.Context, p *page, dryRun bool) error {
	if p.frozen() || dryRun {
		return nil
	}
	_, err := x.seal(ctx, p)
	return err
}

// Stats returns one Stat for each document of the current layout, the root first. The
// error names the documents that cannot be read.
func (x *Document) Stats(ctx context.Context) ([]Stat, error) {
	root, pages, err := x.present(ctx)
	if root == nil {
		return nil, err
	}
	if root.fanout > 1 {
		pages = slices.Insert(pages, 0, root)
	}
	var stats []Stat
	for _, p := range pages {
		if p.exists() {
			stats = append(stats, x.stat(p))
		}
	}
	return stats, err
}

// present returns the root, nil if there is none, and the documents of the current
// layout. The error names those that cannot be read; the others are returned.
func (x *Document) present(ctx context.Context) (root *page, pages []*page, err error) {
	v := x.view()
	root, err = v.readRoot(ctx)
	if err != nil || !root.exists() {
		return nil, nil, err
	}
	if pages, err = v.all(ctx); err != nil {
		pages, err = x.readable(ctx, root.layout)
	}
	return root, pages, err
}

// readable reads the documents of a layout one by one and returns those that can be
// read, with an error that names the others.
func (x *Document) readable(ctx context.Context, l layout) ([]*page, error) {
	var pages []*page
	var faults []error
	for _, name := range x.names(l) {
		p, err := x.readPage(ctx, name)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			faults = append(faults, err)
		default:
			pages = append(pages, p)
		}
	}
	return pages, errors.Join(faults...)
}

func (x *Document) stat(p *page) Stat {
	hints, keys := p.all(), map[string]bool{}
	for _, h := range hints {
		keys[h.key] = true
	}
	return Stat{
		Name: p.name, Keys: len(keys), Hints: len(hints), Size: p.size, MaxSize: x.limits.MaxSize,
		WritesToday: p.writes.total(x.config.Now()), MaxWrites: x.limits.WritesPerDay, Lacking: p.lacking,
	}
}
