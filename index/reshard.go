// Changing the fan-out of a document index while it is in use. Any process may finish a
// change that another one began.

package index

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore/driver"
)

// Resharder is implemented by an index whose fan-out can be changed.
type Resharder interface {
	// Reshard gives the index another fan-out, while readers and writers go on.
	// Called again after a failure, it continues where it stopped. If the documents
	// would be too large with that fan-out, nothing changes and the error matches
	// ErrFull.
	Reshard(ctx context.Context, fanout int) error
}

// Reshard implements [Resharder].
//
// The root announces the next layout. Each document of the old layout is sealed by
// compare-and-swap. The new documents are computed from the sealed ones alone, so that
// every process computes the same, and are created where they do not exist. Then the
// root is swapped. With a fan-out of 1 the root is the only document: the announcement
// seals it, or the swap fills it. Until the swap, readers use the sealed documents. A
// writer that meets a seal finishes the change itself, so no process waits for one
// that has died.
func (x *Document) Reshard(ctx context.Context, fanout int) error {
	if err := CheckFanout(fanout); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrInvalid, err)
	}
	return x.change(ctx, func(root *page, l layout) (layout, error) {
		var err error
		if root.exists() && l.fanout != fanout {
			err = x.wouldFit(ctx, fanout)
		}
		l.fanout = fanout
		return l, err
	})
}

// change gives the index the layout that to returns for the root and its layout or, if
// there is no index, for the layout of a new one. It first finishes a change that is under
// way.
func (x *Document) change(ctx context.Context, to func(root *page, l layout) (layout, error)) error {
	var err error
	for attempt := range writeAttempts {
		var done bool
		if done, err = x.changeOnce(ctx, to); done {
			return err
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, driver.ErrConflict) {
			return err
		}
		if err := x.wait(ctx, attempt); err != nil {
			return err
		}
	}
	return err
}

// changeOnce takes the next step, depending on the root, and reports whether it was
// the last one.
func (x *Document) changeOnce(ctx context.Context, to func(root *page, l layout) (layout, error)) (done bool, err error) {
	root, err := x.readRoot(ctx)
	if err != nil {
		return false, err
	}
	if root.next != nil {
		return false, x.finish(ctx, root)
	}
	present := root.layout
	if !root.exists() {
		present = x.initial
	}
	next, err := to(root, present)
	switch {
	case err != nil:
		return false, err
	case !root.exists():
		_, err := x.create(ctx, next)
		return false, err // Another process may have created it with a different layout.
	case next == present:
		return true, nil
	}
	next.epoch++
	root.next = &next
	if root.fanout == 1 {
		root.sealed = x.sealTime()
	}
	if err := x.save(ctx, root, x.limits.MaxSize); err != nil {
		return false, err
	}
	return true, x.finish(ctx, root)
}

func (x *Document) sealTime() int64 { return max(seconds(x.config.Now()), 1) }

// wouldFit returns an error that matches ErrFull if the present hints would not fit
// into that many documents.
func (x *Document) wouldFit(ctx context.Context, fanout int) error {
	pages, err := x.view().all(ctx)
	if err != nil {
		return err
	}
	for _, p := range x.split(pages, layout{epoch: 1, fanout: fanout}) {
		if err := fits(len(p.stored().encode()), x.room()); err != nil {
			return errorIn(x.root(), fmt.Errorf("fan-out %d: %w", fanout, err))
		}
	}
	return nil
}

// passSeal is called by a writer that met a seal in a document of the given epoch. It
// finishes the change of the fan-out if that is still needed.
func (x *Document) passSeal(ctx context.Context, epoch int64, attempt int) error {
	root, err := x.readRoot(ctx)
	switch {
	case err != nil:
		return err
	case root.next != nil:
		return x.finish(ctx, root)
	case root.exists() && root.epoch == epoch:
		// The root that was read is older than the seal.
		return x.wait(ctx, attempt)
	}
	return nil
}

// finish completes the change that the root announces.
func (x *Document) finish(ctx context.Context, root *page) error {
	epoch := root.epoch
	var err error
	for attempt := range writeAttempts {
		if root.next == nil || root.epoch != epoch {
			return nil
		}
		if err = x.finishOnce(ctx, root); err != nil && !errors.Is(err, driver.ErrConflict) && !errors.Is(err, errMoved) {
			return err
		}
		if err != nil {
			if err := x.wait(ctx, attempt); err != nil {
				return err
			}
		}
		if root, err = x.readAfter(ctx, root, err); err != nil {
			return err
		}
	}
	return errorIn(x.root(), fmt.Errorf("%w: gave up: other processes keep changing the fan-out; retry later", driver.ErrConflict))
}

// readAfter returns the root as finishOnce has left it, or reads it again if
// finishOnce failed.
func (x *Document) readAfter(ctx context.Context, root *page, failed error) (*page, error) {
	if failed == nil {
		return root, nil
	}
	return x.readRoot(ctx)
}

// finishOnce goes from the announcement to the swap, and updates root.
func (x *Document) finishOnce(ctx context.Context, root *page) error {
	began := x.config.Now()
	old, err := x.sealAll(ctx, root)
	if err != nil {
		return err
	}
	pages := x.split(old, *root.next)
	swapped := *root
	swapped.layout, swapped.next, swapped.filled, swapped.sealed = *root.next, nil, nil, 0
	swapped.retired = root.retired.add(root.layout, x.config.Now())
	swapped.SetPrefix(idMark, nil)
	if swapped.fanout == 1 {
		swapped.SetPrefix(idMark, pages[0].ids())
		swapped.lacking = pages[0].lacking
		pages = []*page{&swapped}
	} else {
		for _, p := range pages {
			swapped.filled = append(swapped.filled, p.part)
		}
	}
	for _, p := range pages {
		if fits(len(p.stored().encode()), x.room()) != nil {
			return x.raise(ctx, root)
		}
	}
	if swapped.fanout > 1 {
		if err := x.createAll(ctx, pages, began); err != nil {
			return err
		}
	}
	if err := x.save(ctx, &swapped, x.limits.MaxSize); err != nil {
		return err
	}
	*root = swapped
	return nil
}

// raise announces twice the fan-out, under another epoch, because the hints have grown
// since the announcement and no longer fit.
func (x *Document) raise(ctx context.Context, root *page) error {
	raised := *root
	next := root.next.followed(root.next.fanout * 2)
	raised.next = &next
	if raised.next.fanout > MaxFanout {
		return errorIn(root.name, fmt.Errorf("fan-out %d: %w: %w", raised.next.fanout, ErrFull, driver.ErrTooLarge))
	}
	if err := x.save(ctx, &raised, x.limits.MaxSize); err != nil {
		return err
	}
	*root = raised
	return nil
}
