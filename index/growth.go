// Growth: a document index gets a larger fan-out by itself, before its documents are full or
// have used up the writes that the service allows them in a day.

package index

import (
	"context"
)

// Sizer is implemented by an index that can be made large enough in advance for what is
// about to be stored.
type Sizer interface {
	// Expect makes the index large enough for that many more tokens, with that many hints
	// in all, before they are stored. It creates the index if there is none. It is not
	// needed for claims to succeed, but saves them from growing the index step by step.
	// After an error the index may be too small, and grows as it is used.
	Expect(ctx context.Context, tokens, hints int) error
}

const (
	// fieldSize and hintSize are about what the field of an ID takes in a document, and
	// what each hint in it takes, for a derived ID.
	fieldSize = 43
	hintSize  = 17
	// expectedUse is in how many days, on average, a key changes. Keys change in saves
	// one by one, each of which writes a document.
	expectedUse = 10
)

// Expect implements [Sizer]. Half of each document's size, and of its writes of a day,
// stays free: a tenth of all keys may change in a day.
func (x *Document) Expect(ctx context.Context, tokens, hints int) error {
	if x.limits.MaxSize == 0 && x.limits.WritesPerDay == 0 || hints < 1 {
		return nil
	}
	root, pages, err := x.present(ctx)
	if err != nil {
		return err
	}
	fanout := x.initial
	if root != nil {
		fanout = root.fanout
	}
	for _, p := range pages {
		for _, f := range p.ids() {
			tokens, hints = tokens+1, hints+len(hintsOf(idOf(f), textOf(f)))
		}
	}
	enough := x.enough(fanout, tokens, hints)
	switch {
	case enough > fanout:
		return x.Reshard(ctx, enough)
	case root == nil && fanout > 1:
		_, err = x.create(ctx, fanout)
	}
	return err
}

// enough doubles a fan-out until that many tokens and hints fill half of the documents.
func (x *Document) enough(fanout, tokens, hints int) int {
	for ; fanout < MaxFanout; fanout = min(2*fanout, MaxFanout) {
		fields := hints // In many documents, each hint of a token has a field of its own.
		if fanout == 1 {
			fields = min(tokens, hints)
		}
		size, writes := fields*fieldSize+hints*hintSize, hints/expectedUse
		if within(size, fanout, x.limits.MaxSize) && within(writes, fanout, x.limits.WritesPerDay) {
			break
		}
	}
	return fanout
}

// within reports whether an amount uses at most half of that many limits; 0 means no limit.
func within(amount, n, limit int) bool { return limit == 0 || amount/n <= limit/2 }
