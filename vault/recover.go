// Nothing is kept of a deleted token.

package vault

import (
	"context"
	"fmt"

	"example.com/tokenstore/driver"
)

var _ driver.Recoverer = (*secrets)(nil)

// Recover says why there is nothing: Delete and Retire destroy the versions of a token.
func (*secrets) Recover(ctx context.Context, _ string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: the versions of a deleted token are destroyed, so that nobody reads it; a backup of the store, or a snapshot of Vault's storage, would have it", driver.ErrNotFound)
}
