// Nothing is kept of a deleted token, unless somebody has set a delay.

package gcpsm

import (
	"context"
	"fmt"

	"example.com/tokenstore/driver"
)

var _ driver.Recoverer = (*secrets)(nil)

// Recover says why there is nothing: Delete and Retire destroy the versions of a token.
func (*secrets) Recover(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("%w: the versions of a deleted token are destroyed; a backup of the store would have it. "+
		"If its secret had a version-destroy-ttl, the version is only disabled: enable it with gcloud and put its value", driver.ErrNotFound)
}
