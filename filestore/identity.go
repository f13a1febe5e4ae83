package filestore

import (
	"context"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/plainfile"
)

var _ tokenstore.Identifier = (*Store)(nil)

// Identity implements tokenstore.Identifier: the user of the operating system.
func (*Store) Identity(ctx context.Context) (string, error) { return plainfile.User(), ctx.Err() }
