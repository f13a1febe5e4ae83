// As whom the store acts, as far as the service tells.

package secretstore

import (
	"context"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

var _ tokenstore.Identifier = (*Store)(nil)

// Identity implements tokenstore.Identifier: what the adapter's service tells.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var name string
	err := ctx.Err()
	if identifier, ok := driver.As[driver.Identifier](s.secrets); ok && err == nil {
		name, err = identifier.Identity(ctx)
	}
	return name, s.fail("ask for the identity", "", err)
}
