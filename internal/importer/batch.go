// The second pass: the rows are moved in batches. A batch has whole groups, so that what
// becomes of its rows depends on no row of another one.

package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

const (
	// firstRows is how many rows the first batch has, so that a destination that takes
	// none is soon known. Each batch has up to moreRows times as many as the one before,
	firstRows = 1000
	moreRows  = 5
	// and at most mostRows: a store over a secret manager writes its index once for
	// each batch.
	mostRows = 5000
)

// expecter is a store that prepares for many new tokens.
type expecter interface {
	// Expect tells the store that about n new tokens are going to be saved.
	Expect(ctx context.Context, n int) error
}

// batch is some rows that are being moved.
type batch struct {
	*importing
	tokens []tokenstore.OAuthToken // of the rows, as they are moved
	rows   []Row
	stored []tokenstore.OAuthToken // what each row became, as far as it did
	saves  []tokenstore.OAuthToken // what is saved for each row that is to be written
	same   []int                   // the index of the row whose fate each row shares, or -1

	mu      sync.Mutex // guards what follows, and calls of Progress
	handled int        // rows
}

// row returns a row as a reason names it.
func (b *batch) row(i int) string { return fmt.Sprintf("row %d", b.rows[i].Number) }

// move moves all rows.
func (im *importing) move(ctx context.Context, reading rowstore.Reading, s *survey) error {
	im.progress(Moving, 0, im.total)
	if err := im.expect(ctx, s); err != nil {
		return err
	}
	var next []numbered
	waiting := map[int][]numbered{} // by the root of a group of which rows are missing
	most := im.first()
	flush := func() error {
		rows := next
		next, most = nil, min(most*moreRows, cmp.Or(im.options.mostRows, mostRows))
		return im.moveBatch(ctx, rows, s)
	}
	for row, err := range im.again(reading, s) {
		if err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
		root := s.root(row.index)
		if size := int(s.size[root]); size > 1 {
			if waiting[root] = append(waiting[root], row); len(waiting[root]) < size {
				continue
			}
			next = append(next, waiting[root]...)
			delete(waiting, root)
		} else {
			next = append(next, row)
		}
		if len(next) >= most {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	// Rows of these groups are gone.
	for _, root := range slices.Sorted(maps.Keys(waiting)) {
		next = append(next, waiting[root]...)
	}
	if s.gone > 0 {
		im.remark("%s gone from the source since the import began", are(s.gone, "row"))
	}
	if len(next) == 0 {
		return nil
	}
	return flush()
}

// first returns how many rows the first batch has at most.
func (im *importing) first() int { return min(firstRows, cmp.Or(im.options.mostRows, mostRows)) }

// expect tells the destination how many tokens there will be, unless it gets them all at
// once. If it cannot prepare for them, it may take them all the same.
func (im *importing) expect(ctx context.Context, s *survey) error {
	e, ok := tokenstore.As[expecter](im.destination)
	if n := im.total - len(s.there); ok && n > im.first() && !im.options.DryRun {
		_ = e.Expect(ctx, n)
	}
	return ctx.Err()
}

// moveBatch decides what becomes of some rows, moves them, and looks for them again.
func (im *importing) moveBatch(ctx context.Context, rows []numbered, s *survey) error {
	slices.SortFunc(rows, func(a, b numbered) int { return a.index - b.index })
	there, err := im.thereOf(ctx, rows, s)
	if err != nil {
		return fmt.Errorf("read the destination: %w", err)
	}
	b := newBatch(im, rows, s)
	b.look(rows, there)
	if !im.options.DryRun {
		err = b.write(ctx)
		b.settle()
		if err == nil {
			err = b.verify(ctx)
		}
	}
	if fault := (*createError)(nil); errors.As(err, &fault) {
		return err // The rows are counted as those that were not reached.
	}
	im.done += len(rows)
	if fault := im.emit(b.rows); err == nil {
		err = fault
	}
	im.progress(Moving, im.done, im.total)
	return err
}

func newBatch(im *importing, rows []numbered, s *survey) *batch {
	n := len(rows)
	b := &batch{importing: im, stored: make([]tokenstore.OAuthToken, n), saves: make([]tokenstore.OAuthToken, n), same: make([]int, n)}
	for i, r := range rows {
		b.same[i] = -1
		b.tokens = append(b.tokens, r.Token)
		b.rows = append(b.rows, Row{Number: int(s.number[r.index]), SourceID: r.Token.ID, User: r.Token.UserName, Warnings: r.Warnings})
	}
	b.shared()
	return b
}

// thereOf returns the tokens of the destination that have a key in common with the rows.
func (im *importing) thereOf(ctx context.Context, rows []numbered, s *survey) ([]tokenstore.OAuthToken, error) {
	var tokens, queries []tokenstore.OAuthToken
	done := map[int]bool{}
	for _, r := range rows {
		root := s.root(r.index)
		if done[root] {
			continue
		}
		done[root] = true
		for _, t := range s.thereOf(root) {
			if s.tokens {
				tokens = append(tokens, *t.token)
			} else {
				queries = append(queries, tokenstore.OAuthToken{ID: t.id})
			}
		}
	}
	if s.tokens {
		return tokens, nil
	}
	finds := im.findTogether(ctx, queries)
	for _, q := range queries {
		t, err := finds.find(ctx, q)
		switch {
		case err == nil:
			tokens = append(tokens, t)
		case !errors.Is(err, tokenstore.ErrNotFound) && !errors.Is(err, tokenstore.ErrUnreadable):
			return nil, err
		}
	}
	return tokens, nil
}

// shared remarks on rows of several users that have one refresh token: mostly one
// account, under its mail alone and under its mail and organisation.
func (b *batch) shared() {
	first := map[string]int{}
	for i, t := range b.tokens {
		if t.RefreshToken == "" || t.UserName == "" {
			continue
		}
		other, ok := first[t.RefreshToken]
		if !ok {
			first[t.RefreshToken] = i
			continue
		}
		if a, user := b.tokens[other].UserName, t.UserName; a != user {
			remark := "has the refresh token of %s, whose user is another"
			if strings.HasPrefix(a, user+":") || strings.HasPrefix(user, a+":") {
				remark = "has the refresh token of %s, whose user is the same mail with or without an organisation; both are moved"
			}
			row := &b.rows[i]
			row.Warnings = append(row.Warnings, fmt.Sprintf(remark, b.row(other)))
		}
	}
}
