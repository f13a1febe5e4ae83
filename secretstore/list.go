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
	for r, err := range s.listed(ctx, "get tokens") {
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
		for r, err := range s.listed(ctx, op) {
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
func (s *Store) listed(ctx context.Context, op string) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		ids, err := s.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		witness, permission := s.witness(), &permission{}
		for chunk := range slices.Chunk(ids, listChunk) {
			rows, err := s.readListed(ctx, chunk, permission)
			if err == nil {
				err = witness.recognise(ctx, rows...)
			}
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
