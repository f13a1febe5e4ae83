package filestore

import (
	"context"
	"os"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// ErrLosesColumns is the error of an upgrade that would lose columns.
var ErrLosesColumns = errLosesColumns

// Rewritten returns the bytes of a file as they would be written if nothing
// changed.
func Rewritten(data []byte) []byte { return parsed(data).bytes() }

// parsed returns the document of a file, under a context that does not end.
func parsed(data []byte) *document {
	doc, err := parse(context.Background(), data)
	if err != nil {
		return emptyDocument()
	}
	return doc
}

// Reencoded returns the file with every row encoded again.
func Reencoded(data []byte) ([]byte, error) {
	doc := parsed(data).clone()
	upgrade := config{upgrade: true}
	if err := doc.ready(upgrade); err != nil {
		return nil, err
	}
	for i, r := range doc.records {
		if r.kind != rowLine {
			continue
		}
		body, _, err := doc.encode(r.token, tokenstore.OAuthToken{}, nil, doc.quotes(upgrade))
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

// Saved returns the file with the tokens saved, and all its tokens as the writer holds them.
func Saved(data []byte, tokens []tokenstore.OAuthToken, options ...Option) ([]byte, []tokenstore.OAuthToken, error) {
	doc := parsed(data)
	if err := doc.unreadable(); err != nil {
		return nil, nil, err
	}
	r := &rows{doc: doc.clone(), highest: doc.highest()}
	for _, o := range options {
		o(&r.config)
	}
	for _, t := range tokens {
		if _, err := rowstore.Save(r, t); err != nil {
			return nil, nil, err
		}
	}
	var all []tokenstore.OAuthToken
	for _, rec := range r.doc.records {
		if rec.kind == rowLine {
			all = append(all, rec.token)
		}
	}
	return r.doc.bytes(), all, nil
}

// SwapNotesAlone does what a swap does before it writes the token file.
func SwapNotesAlone(path string, old tokenstore.Noted, next tokenstore.OAuthToken, note string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	noted, err := readNotes(context.Background(), path)
	if err != nil {
		return err
	}
	r := &rows{doc: parsed(data).clone(), notes: noted}
	if _, _, err := rowstore.Swap(r, old, next, note); err != nil {
		return err
	}
	between, _ := noted.change(parsed(data), r.doc, r.noted)
	return writeNotes(path, between, stamp{})
}
