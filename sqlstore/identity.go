// As whom the store acts.

package sqlstore

import (
	"context"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/plainfile"
)

var _ tokenstore.Identifier = (*Store)(nil)

// Identity implements tokenstore.Identifier: the account of a server, or the user of the
// operating system who opens a database file.
func (s *Store) Identity(ctx context.Context) (string, error) {
	query := s.dialect.identity()
	if query == "" {
		return plainfile.User(), ctx.Err()
	}
	var name string
	err := s.db.QueryRowContext(ctx, query).Scan(&name)
	return name, s.failed(ctx, "ask for the identity", "", err)
}
