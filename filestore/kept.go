// What is kept of a file, so that the next call need not take it apart again.
//
// A document is taken for the file if its bytes are the file's. Reading and comparing them is
// a small part of the work. They are not even read if the stamp tells that nothing has changed:
// if the file has had this stamp for longer than a tick of any file system's clock when its
// bytes were read. Whatever changes it later changes the stamp. The time is measured here, by
// one clock that never goes back, and not from the file's times: the clock of a file server may
// be another.

package filestore

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// believed reports whether the file is still that of the snapshot, without reading it.
func (s *snapshot) believed(now stamp) bool {
	return s.stamp.exists() && s.stamp.same(now) && s.at.Sub(s.seen) > s.stamp.tick()
}

// again returns the snapshot of a file that was read at a time and has the same bytes.
func (s *snapshot) again(now stamp, at time.Time) *snapshot {
	next := &snapshot{doc: s.doc, stamp: now, at: at, seen: at}
	if s.stamp.exists() && s.stamp.same(now) {
		next.seen = s.seen
	}
	return next
}

// is reports whether the document is that of the file f, which is read from its beginning.
func (d *document) is(ctx context.Context, f io.Reader) (bool, error) {
	buffer := make([]byte, piece)
	var data []byte // what was read and not compared
	for part := range d.parts {
		for len(part) > 0 {
			if len(data) == 0 {
				n, err := readPiece(ctx, f, buffer)
				if n == 0 {
					return false, err
				}
				data = buffer[:n]
			}
			n := min(len(data), len(part))
			if string(data[:n]) != part[:n] {
				return false, nil
			}
			data, part = data[n:], part[n:]
		}
	}
	if len(data) > 0 {
		return false, nil
	}
	n, err := readPiece(ctx, f, buffer)
	return n == 0 && err == nil, err
}

// readPiece reads into a buffer; at the end it reads nothing.
func readPiece(ctx context.Context, f io.Reader, buffer []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(f, buffer)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// written returns the document as it would be read from the bytes that were written of it, or
// nil if that is not certain. All but the records that changed is shared.
func (d *document) written() *document {
	if d.reformed || len(d.problem) > 0 {
		return nil
	}
	w := *d
	w.habits, w.rows, w.index = d.habits.withoutRows(), 0, nil
	line := 1
	for i, r := range d.records {
		if end := d.endOf(r, i == len(d.records)-1); r.end != end || r.line != line {
			moved := *r
			moved.end, moved.line = end, line
			r = &moved
			w.records[i] = r
		}
		line += strings.Count(r.body, lineFeed) + 1
		switch {
		case r.kind == rowLine:
			w.habits.note(r.marks, r)
			w.rows++
		case r.kind == blankLine && i > 0 && d.records[i-1].kind == blankLine:
			return nil // They would be read as one.
		}
	}
	if line == 2 && !strings.HasSuffix(w.records[0].end, lineFeed) {
		return nil // No line end is left, from which to tell the others.
	}
	if w.habits.bareQuote && len(w.habits.needless) > 0 {
		return nil // That would be a problem.
	}
	return &w
}
