// The columns that the SDKs' files have had, and what a first line says about them.

package filestore

import (
	"fmt"
	"slices"

	"example.com/tokenstore/internal/rowstore"
)

// column is one of the ten columns, by its place in the SDKs' files, or one that is
// not understood.
type column = rowstore.Column

const (
	columnID      = rowstore.IDColumn
	columnExpiry  = rowstore.ExpiryColumn
	columnDomain  = rowstore.DomainColumn
	columnUnknown = rowstore.UnknownColumn
	columnsInFile = rowstore.Columns
)

// newHeader is the header of a new file. The name redirect_uri, of the Python
// SDK, with line ends of LF, of the others, tells our files from theirs.
var newHeader = []string{
	"id", "user_name", "client_id", "client_secret", "refresh_token", "access_token", "grant_token",
	"expiry_time", "redirect_uri", "api_domain",
}

// layout is the order of a file's columns.
type layout []column

// The SDKs' layouts, by their number of columns.
var layouts = map[int]layout{
	10: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
	9:  {0, 1, 2, 3, 4, 5, 6, 7, 8},
	6:  {1, 2, 4, 5, 6, 7},
}

func (l layout) hasID() bool { return slices.Contains(l, columnID) }

func (l layout) hasDomain() bool { return slices.Contains(l, columnDomain) }

// someNames is how many known names make a header of a line that also has
// names that are not known.
const someNames = 3

// layoutOf decides from the first line of a file what its columns are, and
// whether it is a header.
func layoutOf(cells []cell) (l layout, header bool, problem string) {
	l, sdk := layouts[len(cells)]
	words := make([]string, len(cells))
	for i, c := range cells {
		words[i] = c.value
	}
	columns, twice := rowstore.ColumnsOf(words)
	named, known, inPlace := layout(columns), 0, sdk
	for i, c := range named {
		if c != columnUnknown {
			known++
			inPlace = inPlace && l[i] == c
		}
	}
	switch {
	case known == 0 && sdk:
		return l, false, ""
	case twice, known == 1 && sdk, known > 0 && !named.hasToken():
		return nil, false, "neither a header nor a row for certain"
	case known >= someNames && inPlace:
		return l, true, "" // The SDKs go by the place alone.
	case known >= someNames, known > 1 && known == len(named):
		return named, true, ""
	}
	return nil, false, fmt.Sprintf("%s where a header or a row of 10, 9 or 6 fields is expected", count(len(cells)))
}

// hasToken reports whether the layout has a column for one of the three tokens.
func (l layout) hasToken() bool {
	return slices.Contains(l, rowstore.RefreshColumn) || slices.Contains(l, rowstore.AccessColumn) || slices.Contains(l, rowstore.GrantColumn)
}

func count(fields int) string {
	if fields == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", fields)
}
