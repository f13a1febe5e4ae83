// Expect: what an import does before it saves many tokens, part by part.

package secretstore

import (
	"context"

	"example.com/tokenstore/index"
)

// keysExpected is how many keys a token has in an index of documents: its user and its
// refresh token.
const keysExpected = 2

// Expect tells the store that about n new tokens are going to be saved, by several calls, so
// that its index grows once for all of them. It is never necessary: the index grows with
// each call too. After an error the tokens can be saved all the same.
func (s *Store) Expect(ctx context.Context, n int) error {
	sizer, ok := s.index.(index.Sizer)
	if !ok || n < 1 {
		return nil
	}
	return s.fail("prepare the index", "", sizer.Expect(ctx, n, n*keysExpected))
}
