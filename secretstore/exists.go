// Whether there is a store at all. A place without one looks like an empty store, but is
// often the wrong prefix, region or project.

package secretstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

var (
	_ tokenstore.Exister = (*Store)(nil)
	_ tokenstore.Pinger  = (*Store)(nil)
)

// existsChunk is how many secrets are read at a time until one is the store's. Usually the
// first one is.
const existsChunk = 100

// Exists implements tokenstore.Exister. It reports whether there is any secret of a store
// under the prefix: of the index, or of a token, even a deleted one. It needs permission
// to list, unless there is an index of documents. Without such an index it may miss a
// store for minutes after its first save, since the service's list may be out of date.
func (s *Store) Exists(ctx context.Context) (bool, error) {
	exists, err := s.exists(ctx)
	return exists, s.fail("look for a store", "", err)
}

// Ping implements tokenstore.Pinger. With an index of documents it reads the root of the
// index, one call. Otherwise it lists the index up to its first secret and reads that, two
// calls; later it reads that secret again, one call. Where there is no index, it looks for
// tokens as Exists does; a role that may not list then gets ErrNotFound if it is the root of
// the index that is missing, else ErrDenied.
func (s *Store) Ping(ctx context.Context) error {
	exists, err := s.answers(ctx)
	if err == nil && !exists {
		err = tokenstore.ErrNotFound
	}
	return s.fail("ping", "", err)
}

// answers reports whether a secret of the store can be read.
func (s *Store) answers(ctx context.Context) (bool, error) {
	if s.form() == index.DocumentForm {
		if there, err := s.has(ctx, s.prefix+indexFolder+index.RootName); there || err != nil {
			return there, err
		}
		exists, err := s.exists(ctx)
		return exists, s.mayList(err)
	}
	if name := s.pinged.Load(); name != nil {
		if there, err := s.has(ctx, *name); there || err != nil {
			return there, err
		}
	}
	folder := s.prefix + indexFolder
	for name, err := range s.secrets.List(ctx, folder) {
		if err != nil {
			return false, noAbsence(err)
		}
		if index.FormOf(strings.TrimPrefix(name, folder)) == "" {
			continue
		}
		if there, err := s.has(ctx, name); there || err != nil {
			s.pinged.Store(&name)
			return there, err
		} // Else it was removed after it was listed.
	}
	return s.exists(ctx)
}

// has reports whether a secret exists.
func (s *Store) has(ctx context.Context, name string) (bool, error) {
	_, err := s.secrets.Get(ctx, name)
	if errors.Is(err, driver.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Store) exists(ctx context.Context) (bool, error) {
	if _, ok, err := s.indexed(ctx); ok || err != nil {
		return ok, err
	}
	if indexed, err := s.hasForm(ctx, func(string) bool { return true }); indexed || err != nil {
		return indexed, err
	}
	ids, err := s.listSecrets(ctx)
	if err != nil {
		return false, err
	}
	witness, permission := s.witness(), &permission{}
	for some := range slices.Chunk(ids, existsChunk) {
		rows, err := s.readListed(ctx, some, permission)
		if err == nil {
			err = witness.recognise(ctx, rows...)
		}
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(rows, func(r *row) bool { return r.state != absent && r.state != foreign }) {
			return true, nil
		}
	}
	return false, nil
}
