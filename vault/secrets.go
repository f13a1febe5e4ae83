package vault

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"example.com/tokenstore/driver"
)

// secrets implements driver.Secrets over a KV version 2 mount.
type secrets struct {
	link        *link
	mount       string
	index       string // prefix of the names of the index
	maxSize     int    // of data, in bytes
	maxVersions int    // of a new secret; 0: the mount's
	now         func() time.Time
	takeOver    time.Duration

	isKV2     atomic.Bool // the mount was seen to be KV version 2
	noPruning atomic.Bool // the token may not set numbers of versions
	noPatch   atomic.Bool // the token, or the server, may not patch
	marks     *marks
	shapes    *shapes
}

var (
	_ driver.Secrets = (*secrets)(nil)
	_ driver.Limited = (*secrets)(nil)
	_ driver.Retirer = (*secrets)(nil)
)

// path returns the path of a name in one of the mount's parts: data, metadata,
// destroy.
func (s *secrets) path(part, name string) string {
	return s.mount + "/" + part + "/" + paths.Escape(name)
}

// Limits returns the size of the largest secret.
func (s *secrets) Limits() driver.Limits { return driver.Limits{MaxSize: s.maxSize} }

// Get reads the current version. It is one call.
func (s *secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := check(ctx, name); err != nil {
		return driver.Secret{}, err
	}
	st, err := s.read(ctx, name, 0)
	if err != nil {
		return driver.Secret{}, err
	}
	if !st.live() {
		return driver.Secret{}, driver.ErrNotFound
	}
	return driver.Secret{Name: name, Data: data(st.fields), Revision: st.revision.String()}, nil
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return driver.CheckName(name)
}

// isConflict reports whether err says that another version is the current one.
func isConflict(err error) bool { return errors.Is(err, driver.ErrConflict) }
