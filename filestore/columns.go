// The columns that the SDKs' files have had, and what a first line says about them.

package filestore

import (
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// column is one of the ten columns, by its place in the SDKs' files.
type column int

const (
	columnID      column = 0
	columnExpiry  column = 7
	columnDomain  column = 9
	columnsInFile        = 10
)

// names are the names of the columns in a header; the first is the one that
// errors use. A new file takes those of newHeader.
var names = [columnsInFile][]string{
	{"id"},
	{"user_name", "user_mail"},
	{"client_id"},
	{"client_secret"},
	{"refresh_token"},
	{"access_token"},
	{"grant_token"},
	{"expiry_time", "expires_in"},
	{"redirect_url", "redirect_uri"},
	{"api_domain"},
}

// newHeader is the header of a new file. The name redirect_uri, of the Python
// SDK, with line ends of LF, of the others, tells our files from theirs.
var newHeader = []string{
	"id", "user_name", "client_id", "client_secret", "refresh_token", "access_token", "grant_token",
	"expiry_time", "redirect_uri", "api_domain",
}

func (c column) String() string { return names[c][0] }

// columnNamed returns the column that a header's field names.
func columnNamed(name string) (column, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	for c, all := range names {
		if slices.Contains(all, name) {
			return column(c), true
		}
	}
	return 0, false
}

// get returns the token's text for the column.
func (c column) get(t tokenstore.OAuthToken) string {
	if c == columnExpiry {
		return tokenstore.FormatExpiry(t.Expiry)
	}
	return *c.text(&t)
}

// text returns the token's text field for any column but the expiry.
func (c column) text(t *tokenstore.OAuthToken) *string {
	return [columnsInFile]*string{
		&t.ID, &t.UserName, &t.ClientID, &t.ClientSecret, &t.RefreshToken, &t.AccessToken, &t.GrantToken,
		nil, &t.RedirectURL, &t.APIDomain,
	}[c]
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
	l, ok := layouts[len(cells)]
	named, known, inPlace := make(layout, len(cells)), 0, true
	for i, c := range cells {
		col, found := columnNamed(c.value)
		if !found {
			continue
		}
		named[i] = col
		known++
		inPlace = inPlace && ok && l[i] == col
	}
	switch {
	case !ok:
		return nil, false, fmt.Sprintf("%s where a header or a row of 10, 9 or 6 fields is expected", count(len(cells)))
	case known == 0:
		return l, false, ""
	case known == len(cells) && sameColumns(named, l):
		return named, true, ""
	case known >= someNames && inPlace:
		return l, true, ""
	}
	return nil, false, "neither a header nor a row for certain"
}

func sameColumns(a, b layout) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func count(fields int) string {
	if fields == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", fields)
}
