// Nothing is kept of a deleted token.

package vault

import (
	"context"
	"fmt"

	"example.com/tokenstore/driver"
)

var _ driver.Recoverer = (*secrets)(nil)

// Recover says why there is nothing: Delete and Retire destroy the versions of a token. Those
// that a person has deleted are left to that person, who chooses the version.
func (*secrets) Recover(ctx context.Context, _ string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: the store destroys the versions of a token that it deletes; restore the token from a backup. If it was deleted in Vault's UI, run vault kv undelete, then reindex", driver.ErrNotFound)
}
