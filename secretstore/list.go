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
		for decode := range s.fetched(ctx, ids) {
			if rows, err := decode(ctx); !yield(rows, err) || err != nil {
				return
			}
		}
	}
}

// readAhead is readChunks for a caller that wants all rows: the calls for the next chunk are
// made while this one is decoded.
func (s *Store) readAhead(ctx context.Context, ids []string) iter.Seq2[[]*row, error] {
	if len(ids) <= listChunk {
		return s.readChunks(ctx, ids)
	}
	return func(yield func([]*row, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		chunks := make(chan decoder)
		defer func() {
			cancel()
			for range chunks { // The reader has ended when the channel is closed.
			}
		}()
		go func() {
			defer close(chunks)
			for decode := range s.fetched(ctx, ids) {
				chunks <- decode
				if ctx.Err() != nil {
					return
				}
			}
		}()
		for decode := range chunks {
			if rows, err := decode(ctx); !yield(rows, err) || err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// fetched makes the calls for one chunk of rows after the other, until one fails.
func (s *Store) fetched(ctx context.Context, ids []string) iter.Seq[decoder] {
	return func(yield func(decoder) bool) {
		witness, permission := s.witness(), &permission{}
		for chunk := range slices.Chunk(ids, listChunk) {
			decode, err := s.fetchListed(ctx, chunk, permission)
			if err != nil {
				yield(func(context.Context) ([]*row, error) { return nil, err })
				return
			}
			if !yield(func(ctx context.Context) ([]*row, error) {
				rows, err := decode(ctx)
				if err == nil {
					err = witness.recognise(ctx, rows...)
				}
				return rows, err
			}) {
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
