// Reading the source, a row at a time.

package importer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// ErrNothingHere says that nothing of a store is where the source looks.
var ErrNothingHere = errors.New("nothing of a store is here")

var errNoClient = fmt.Errorf("no row of the source has this client ID; check it, and that it is whole: %w", tokenstore.ErrNotFound)

var errNoUser = fmt.Errorf("no row of the source has a user that is selected; check the pattern, in which * stands for any characters: %w", tokenstore.ErrNotFound)

// read returns the rows of a source; those of a store of rows as other programs wrote
// them.
func read(ctx context.Context, source tokenstore.Store) (rowstore.Reading, error) {
	if s, ok := tokenstore.As[rowstore.Source](source); ok {
		return s.Source(ctx)
	}
	var warnings map[string][]string
	if s, ok := tokenstore.As[tokenstore.Warner](source); ok {
		named, err := s.Warnings(ctx)
		if err != nil {
			return rowstore.Reading{}, err
		}
		warnings = named
	}
	tokens, fixed, err := tokensOf(ctx, source)
	if err != nil {
		return rowstore.Reading{}, err
	}
	rows := func(yield func(rowstore.Row, error) bool) {
		for t, err := range tokens {
			row := rowstore.Row{Token: t}
			if err == nil {
				row.Warnings = rowstore.Warnings(t, false)
			}
			for _, w := range warnings[t.ID] {
				if err == nil && !slices.Contains(row.Warnings, w) {
					row.Warnings = append(row.Warnings, w)
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
	return rowstore.Reading{Rows: rows, Fixed: fixed, Unknown: func() []rowstore.Unknown { return nil }}, nil
}

// tokensOf returns the tokens of a store one by one, if it can yield them so, and whether
// each range over them yields the same.
func tokensOf(ctx context.Context, s tokenstore.Store) (tokens iter.Seq2[tokenstore.OAuthToken, error], fixed bool, _ error) {
	if streamer, ok := tokenstore.As[tokenstore.Streamer](s); ok {
		return streamer.Tokens(ctx), false, nil
	}
	all, err := s.GetTokens(ctx)
	if err != nil && (all == nil || !errors.Is(err, tokenstore.ErrUnreadable)) {
		return nil, false, err
	}
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		for _, t := range all {
			if !yield(t, nil) {
				return
			}
		}
		for _, e := range rowstore.SplitErrors(err) {
			if !yield(tokenstore.OAuthToken{}, e) {
				return
			}
		}
	}, true, nil
}

// exists returns ErrNothingHere if a source without tokens is no store at all: an
// import from a wrong place must not look like one that has moved everything.
func exists(ctx context.Context, source tokenstore.Store) error {
	s, ok := tokenstore.As[tokenstore.Exister](source)
	if !ok {
		return nil
	}
	switch there, err := s.Exists(ctx); {
	case err != nil:
		return err
	case !there:
		return ErrNothingHere
	}
	return nil
}
