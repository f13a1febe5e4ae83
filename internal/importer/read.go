// Reading the source, and what there is to say of it as a whole.

package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// ErrNothingHere says that nothing of a store is where the source looks.
var ErrNothingHere = errors.New("nothing of a store is here")

var errNoClient = fmt.Errorf("%w: no row of the source has this client ID; check it, and that it is whole", tokenstore.ErrInvalidArgument)

// numbered is a row and its number among the rows that can be read.
type numbered struct {
	rowstore.Row
	number int
}

// read reads the source.
func read(ctx context.Context, source tokenstore.Store) ([]numbered, rowstore.Reading, error) {
	reading, err := readRows(ctx, source)
	if err == nil {
		err = exists(ctx, source, len(reading.Rows) > 0 || reading.Unread != nil)
	}
	var rows []numbered
	for i, row := range reading.Rows {
		var odd string
		if row.Token.Expiry, odd = rowstore.CheckExpiry(row.Token.Expiry); odd != "" {
			row.Warnings = append(row.Warnings, odd)
		}
		rows = append(rows, numbered{row, i + 1})
	}
	return rows, reading, err
}

// readRows reads the source's rows; those of a store of rows as other programs wrote
// them.
func readRows(ctx context.Context, source tokenstore.Store) (rowstore.Reading, error) {
	if s, ok := source.(rowstore.Source); ok {
		return s.Source(ctx)
	}
	tokens, err := source.GetTokens(ctx)
	if err != nil && (tokens == nil || !errors.Is(err, tokenstore.ErrUnreadable)) {
		return rowstore.Reading{}, err
	}
	warnings := map[string][]string{}
	if s, ok := source.(tokenstore.Warner); ok {
		named, err := s.Warnings(ctx)
		if err != nil {
			return rowstore.Reading{}, err
		}
		warnings = named
	}
	reading := rowstore.Reading{Unread: err}
	for _, t := range tokens {
		row := rowstore.Row{Token: t, Warnings: rowstore.Warnings(t, false)}
		for _, w := range warnings[t.ID] {
			if !slices.Contains(row.Warnings, w) {
				row.Warnings = append(row.Warnings, w)
			}
		}
		reading.Rows = append(reading.Rows, row)
	}
	return reading, nil
}

// exists returns ErrNothingHere if a source without tokens is no store at all: an
// import from a wrong place must not look like one that has moved everything.
func exists(ctx context.Context, source tokenstore.Store, hasRows bool) error {
	s, ok := source.(tokenstore.Exister)
	if !ok || hasRows {
		return nil
	}
	switch there, err := s.Exists(ctx); {
	case err != nil:
		return err
	case !there:
		return ErrNothingHere
	}
	return nil
}

// begin makes the rows of the report, and says what is odd about the source as a whole.
func (im *importing) begin(rows []numbered, reading rowstore.Reading) error {
	im.report = Report{Rows: []Row{}, Lost: []Lost{}, Remarks: []string{}, Unknown: []rowstore.Unknown{}}
	nulls, others := 0, 0
	for _, r := range rows {
		if id := r.Token.ClientID; im.options.Client != "" && id != "" && id != im.options.Client {
			others++
			continue
		}
		nulls += r.Nulls
		im.tokens = append(im.tokens, r.Token)
		im.report.Rows = append(im.report.Rows, Row{Number: r.number, SourceID: r.Token.ID, User: r.Token.UserName, Warnings: r.Warnings})
	}
	if im.options.Client != "" && !slices.ContainsFunc(im.tokens, func(t tokenstore.OAuthToken) bool { return t.ClientID == im.options.Client }) {
		return errNoClient
	}
	if others > 0 {
		im.remark("%s of other clients not imported", count(others, "row"))
	}
	if nulls > 0 {
		im.remark("%s a word for nothing, such as NULL or None, and taken as absent", are(nulls, "value"))
	}
	for _, u := range reading.Unknown {
		if !slices.ContainsFunc(im.options.Ignore, func(name string) bool { return strings.EqualFold(name, u.Name) }) {
			im.report.Unknown = append(im.report.Unknown, u)
		}
	}
	im.shared()
	return nil
}

func (im *importing) remark(format string, args ...any) {
	im.report.Remarks = append(im.report.Remarks, fmt.Sprintf(format, args...))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func are(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return count(n, what) + " are"
}

// shared remarks on rows of several users that have one refresh token: mostly one
// account, under its mail alone and under its mail and organisation.
func (im *importing) shared() {
	first := map[string]int{}
	for i, t := range im.tokens {
		if t.RefreshToken == "" || t.UserName == "" {
			continue
		}
		other, ok := first[t.RefreshToken]
		if !ok {
			first[t.RefreshToken] = i
			continue
		}
		if a, b := im.tokens[other].UserName, t.UserName; a != b {
			remark := "has the refresh token of %s, whose user is another"
			if strings.HasPrefix(a, b+":") || strings.HasPrefix(b, a+":") {
				remark = "has the refresh token of %s, whose user is the same mail with or without an organisation; both are moved"
			}
			row := &im.report.Rows[i]
			row.Warnings = append(row.Warnings, fmt.Sprintf(remark, im.row(other)))
		}
	}
}
