// Reading a file of any size in pieces, so that a context that ends is noticed within
// one of them.

package filestore

import (
	"context"
	"errors"
	"io"
	"slices"
)

// piece is how many bytes are read or taken apart between two looks at the context.
const piece = 64 << 10

// pace looks at a context after each piece of a text. A nil pace looks at none.
type pace struct {
	ctx    context.Context //nolint:containedctx // A pace lives as long as one call.
	looked int             // The place in the text where it looked last.
	err    error           // Why to stop.
}

// goOn reports whether to go on at a place of the text. It looks after each piece, and
// whenever the place is before the last one, since what follows is read once more.
func (p *pace) goOn(at int) bool {
	if p == nil {
		return true
	}
	if (at < p.looked || at >= p.looked+piece) && p.err == nil {
		p.looked = at
		p.err = p.ctx.Err()
	}
	return p.err == nil
}

// readAll reads until the end of r, of which about size bytes are expected.
func readAll(ctx context.Context, r io.Reader, size int64) ([]byte, error) {
	data := make([]byte, 0, min(max(size, 0), maxExpected)+1)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, piece)
		}
		n, err := r.Read(data[len(data):min(cap(data), len(data)+piece)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// maxExpected is how much is taken at once because a file says that it is so large.
const maxExpected = 64 << 20
