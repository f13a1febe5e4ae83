package filestore

import (
	"context"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// ErrLosesColumns is the error of an upgrade that would lose columns.
var ErrLosesColumns = errLosesColumns

// Rewritten returns the bytes of a file as they would be written if nothing
// changed.
func Rewritten(data []byte) []byte { return parse(data).bytes() }

// Reencoded returns the file with every row encoded again.
func Reencoded(data []byte) ([]byte, error) {
	doc := parse(data).clone()
	upgrade := config{upgrade: true}
	if err := doc.ready(upgrade); err != nil {
		return nil, err
	}
	for i, r := range doc.records {
		if r.kind != rowLine {
			continue
		}
		body, err := doc.encode(r.token, tokenstore.OAuthToken{}, nil, doc.quotes(upgrade))
		if err != nil {
			return nil, err
		}
		changed := *r
		changed.body = body
		doc.records[i] = &changed
	}
	return doc.bytes(), nil
}

// Lock takes the lock of a file.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	l, err := lockFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return l.Close, nil
}

// Change saves a token and calls between after each reading of the file.
func Change(ctx context.Context, s *Store, token tokenstore.OAuthToken, between func()) error {
	return failure("change", "", s.change(ctx, func(r *rows) error {
		between()
		_, err := rowstore.Save(r, token)
		return err
	}))
}

// Impatient makes the store give up soon on a file that is being written.
func Impatient(s *Store) { s.readings = 3 }

// Temporary leaves a temporary file for the place of path, as a writer does that
// is running or was killed, and returns its name.
func Temporary(path string) (string, error) {
	f, err := create(path)
	if err != nil {
		return "", err
	}
	return f.Name(), f.File.Close()
}
