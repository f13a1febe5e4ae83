// GetTokens and Tokens: all tokens, sorted or one by one.

package secretstore

import (
	"context"
	"errors"
	"iter"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/streams"
)

var _ tokenstore.Streamer = (*Store)(nil)

// listChunk is how many tokens a list reads at a time.
const listChunk = 500

// GetTokens returns all tokens, oldest first. Unreadable tokens do not hide the others:
// GetTokens returns the others together with an error that matches ErrUnreadable and names
// the unreadable ones.
func (s *Store) GetTokens(ctx context.Context) ([]tokenstore.OAuthToken, error) {
	var rows []*row
	var faults []error
	for r, err := range s.listed(ctx, "get tokens", s.readAhead) {
		switch {
		case r != nil && err == nil:
			rows = append(rows, r)
		case r != nil:
			faults = append(faults, err)
		default:
			return nil, s.fail("get tokens", "", err)
		}
	}
	slices.SortFunc(rows, older)
	tokens := make([]tokenstore.OAuthToken, len(rows))
	for i, r := range rows {
		tokens[i] = r.token
	}
	return tokens, errors.Join(faults...)
}

// Tokens implements tokenstore.Streamer. It holds the IDs of all tokens, and reads 500
// tokens at a time.
func (s *Store) Tokens(ctx context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		const op = "list tokens"
		for r, err := range s.listed(ctx, op, s.readChunks) {
			token := tokenstore.OAuthToken{}
			switch {
			case r == nil:
				err = streams.End(s.fail(op, "", err))
			case err == nil:
				token = r.token
			}
			if !yield(token, err) {
				return
			}
		}
	}
}

// listed yields the row of each token, in the order of the index. A row that cannot be read
// comes with an error that names it. An error without a row ends the sequence.
func (s *Store) listed(ctx context.Context, op string, read func(context.Context, []string) iter.Seq2[[]*row, error]) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		ids, err := s.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for rows, err := range read(ctx, ids) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !s.yieldRows(ctx, op, rows, yield) {
				return
			}
		}
	}
}

// readChunks yields the rows with the given escaped IDs, chunk by chunk. An error ends the
// sequence.
func (s *Store) readChunks(ctx context.Context, ids []string) iter.Seq2[[]*row, error] {
	return func(yield func([]*row, error) bool) {
		witness, permission := s.witness(), &permission{}
		for chunk := range slices.Chunk(ids, listChunk) {
			rows, err := s.readListed(ctx, chunk, permission)
			if err == nil {
				err = witness.recognise(ctx, rows...)
			}
			if !yield(rows, err) || err != nil {
				return
			}
		}
	}
}

// readAhead is readChunks for a caller that wants all rows: it reads the next chunk while
// the caller is busy with one. Rows that are read one by one are decoded while others are on
// their way. A batch is decoded when all of it has arrived, since a service's client returns
// it whole; that takes a small part of the time of its calls.
func (s *Store) readAhead(ctx context.Context, ids []string) iter.Seq2[[]*row, error] {
	if len(ids) <= listChunk {
		return s.readChunks(ctx, ids)
	}
	return func(yield func([]*row, error) bool) {
		type chunk struct {
			rows []*row
			err  error
		}
		ctx, cancel := context.WithCancel(ctx)
		chunks := make(chan chunk)
		defer func() {
			cancel()
			for range chunks { // The reader has ended when the channel is closed.
			}
		}()
		go func() {
			defer close(chunks)
			for rows, err := range s.readChunks(ctx, ids) {
				chunks <- chunk{rows, err}
				if ctx.Err() != nil && err == nil {
					chunks <- chunk{nil, ctx.Err()}
					return
				}
			}
		}()
		for c := range chunks {
			if !yield(c.rows, c.err) || c.err != nil {
				return
			}
		}
	}
}

// yieldRows yields the rows that are tokens, and reports whether to go on.
func (s *Store) yieldRows(ctx context.Context, op string, rows []*row, yield func(*row, error) bool) bool {
	for _, r := range rows {
		goOn := true
		switch err := ctx.Err(); {
		case err != nil:
			yield(nil, err)
			return false
		case r.state == live:
			s.known.learn(s, r)
			s.warnOfPepper(ctx, r)
			goOn = yield(r, nil)
		case r.barred():
			goOn = yield(r, &tokenstore.Error{Store: s.name, Op: op, Name: tokenstore.Redact(r.id), Kind: tokenstore.ErrUnreadable, Err: r.err})
		}
		if !goOn {
			return false
		}
	}
	return true
}
