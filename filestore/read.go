// Reading a token file without a store.

package filestore

import (
	"context"
	"fmt"
	"io"

	"example.com/tokenstore"
)

// Row is one token of a token file.
type Row struct {
	// Line is the number of its line, from 1.
	Line int
	// Token is what the line says. Its ID is empty if the file has none.
	Token tokenstore.OAuthToken
}

// Read reads a token file of any SDK and generation. It returns the rows that
// can be read for certain, in their order. If some cannot, the error is an
// [*UnreadableError] that names their lines, beside the rows that can.
//
// It takes a time that is linear in the size of the file, and ends soon after the
// context; a call of r that is waiting is not interrupted.
func Read(ctx context.Context, r io.Reader) ([]Row, error) {
	data, err := readAll(ctx, r, 0)
	if err != nil {
		return nil, fmt.Errorf("filestore: read: %w", err)
	}
	doc, err := parse(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("filestore: read: %w", err)
	}
	rows := []Row{}
	for _, rec := range doc.records {
		if rec.kind != rowLine {
			continue
		}
		row := Row{Line: rec.line, Token: rec.token}
		if !doc.layout.hasID() {
			row.Token.ID = ""
		}
		rows = append(rows, row)
	}
	return rows, doc.unreadable()
}
