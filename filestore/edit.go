// Changing a document. What does not change stays as it was, byte for byte.

package filestore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
)

var errFirstGeneration = fmt.Errorf("%w: the file has no column for an ID, as those of six columns have none; open it with WithUpgrade, or upgrade=true in a URL, to give it ten",
	tokenstore.ErrInvalidArgument)

var errLosesColumns = fmt.Errorf("%w: the file has columns that an upgrade would lose; import its tokens into a new file instead", tokenstore.ErrInvalidArgument)

var errNotReadBack = fmt.Errorf("%w: the file cannot hold the token in a form that is certain to be read back; keep it in another store, or remove quotes and line breaks from its values", tokenstore.ErrInvalidToken)

// clone returns a document that can be changed. It shares the records.
func (d *document) clone() *document {
	c := *d
	c.records = slices.Clone(d.records)
	c.index = nil
	return &c
}

// ready gives the document the form in which it can be written: ten columns and
// a header.
func (d *document) ready(c config) error {
	if d.layout != nil && d.layout.hasID() && d.layout.hasDomain() && d.header {
		return nil
	}
	defer func() { d.reformed, d.index = true, nil }() // The records may have other places.
	switch {
	case d.layout == nil:
		*d = *emptyDocument()
		d.layout = layouts[columnsInFile]
		d.habits.redirectURI = c.quotes == nil || *c.quotes
	case !d.layout.hasID() && !c.upgrade:
		return errFirstGeneration
	case !d.layout.hasID() && slices.Contains(d.layout, columnUnknown):
		return errLosesColumns
	case !d.layout.hasID():
		return d.rebuild(c)
	case !d.layout.hasDomain():
		d.addDomain()
	}
	if !d.header {
		d.addNewHeader()
	}
	return nil
}

// rebuild writes every row again, in the form of a new file.
func (d *document) rebuild(c config) error {
	fresh := emptyDocument()
	if err := fresh.ready(c); err != nil {
		return err
	}
	for _, r := range d.records {
		if r.kind != rowLine {
			continue
		}
		if err := fresh.insert(r.token, fresh.quotes(c)); err != nil {
			return err
		}
	}
	*d = *fresh
	return nil
}

// addDomain adds the tenth column.
func (d *document) addDomain() {
	absent, _ := d.habits.encode(columnDomain, "", true) // An empty value is never refused.
	for i, r := range d.records {
		if r.kind != rowLine && r.kind != headerLine {
			continue
		}
		padded := *r
		padded.body += "," + absent
		if r.kind == headerLine {
			padded.body = r.body + "," + d.headerName(columnDomain.String())
		}
		d.records[i] = &padded
	}
	d.layout = append(slices.Clone(d.layout), columnDomain)
}

// addNewHeader puts a header before the first row, for the SDKs take the first
// line for one.
func (d *document) addNewHeader() {
	quoted := make([]string, len(newHeader))
	for i, name := range newHeader {
		if name == "redirect_uri" && !d.habits.csv() {
			name = "redirect_url" // The other name would say that quotes are read.
		}
		quoted[i] = d.headerName(name)
	}
	d.records = slices.Insert(d.records, 0, &record{kind: headerLine, body: strings.Join(quoted, ",")})
	d.header = true
}

func (d *document) headerName(name string) string {
	if d.habits.quoted && !d.habits.unquoted {
		return `"` + name + `"`
	}
	return name
}

// quotes reports whether values may be written between quotes.
func (d *document) quotes(c config) bool {
	if c.quotes != nil {
		return *c.quotes
	}
	return d.habits.csv()
}

// insert adds a row behind all others, but before blank lines at the end.
func (d *document) insert(t tokenstore.OAuthToken, quotes bool) error {
	body, marks, err := d.encode(t, tokenstore.OAuthToken{}, nil, quotes)
	if err != nil {
		return err
	}
	at := len(d.records)
	for at > 0 && d.records[at-1].kind == blankLine {
		at--
	}
	d.records = slices.Insert(d.records, at, &record{kind: rowLine, marks: marks, body: body, row: &row{token: t}})
	d.index.add(at, t)
	return nil
}

// replace puts a row in the place of the one with its ID.
func (d *document) replace(t tokenstore.OAuthToken, quotes bool) error {
	i := d.find(lookUp{value: t.ID}, false)
	if i < 0 {
		return errors.New("no row has the ID") // Only rows that were found are replaced.
	}
	changed := *d.records[i]
	body, marks, err := d.encode(t, changed.token, scan(changed.body).cells, quotes)
	if err != nil {
		return err
	}
	odd := changed.oddExpiry && t.Expiry.IsZero() && t.AccessToken == changed.token.AccessToken
	changed.body, changed.marks, changed.row = body, marks, &row{token: t, oddExpiry: odd}
	d.records[i] = &changed
	d.index.add(i, t)
	return nil
}

// encode returns the line of a token, and its marks. Fields that are as they were are taken
// from the cells of the old line, if there are any; an expiry that cannot be understood
// only with its access token.
func (d *document) encode(t, old tokenstore.OAuthToken, cells []cell, quotes bool) (string, marks, error) {
	fields := make([]string, len(d.layout))
	for i, c := range d.layout {
		value := c.Get(t)
		dropped := c == columnExpiry && value == "" && cells != nil && cells[i].text() != "" && t.AccessToken != old.AccessToken
		if cells != nil && value == c.Get(old) && !dropped {
			fields[i] = cells[i].raw
			continue
		}
		field, err := d.habits.encode(c, value, quotes)
		if err != nil {
			return "", 0, err
		}
		fields[i] = field
	}
	line := strings.Join(fields, ",")
	s, ok := d.readBack(line, t)
	if !ok {
		return "", 0, errNotReadBack
	}
	return line, marksOf(s), nil
}

// readBack scans the line, and reports whether it will be read as the token.
func (d *document) readBack(line string, t tokenstore.OAuthToken) (s scanned, ok bool) {
	s = scan(line)
	if s.problem != "" || s.blank() || len(s.body) != len(line) || len(s.cells) != len(d.layout) || d.twofold(s) {
		return s, false
	}
	read, _, problem := d.layout.token(s.cells)
	return s, problem == "" && read == t
}

// parts yields the file, piece by piece.
func (d *document) parts(yield func(string) bool) {
	if !yield(d.mark) {
		return
	}
	for i, r := range d.records {
		if !yield(r.body) || !yield(d.endOf(r, i == len(d.records)-1)) {
			return
		}
	}
}

// bytes returns the file.
func (d *document) bytes() []byte {
	size := 0
	for part := range d.parts {
		size += len(part)
	}
	data := make([]byte, 0, size)
	for part := range d.parts {
		data = append(data, part...)
	}
	return data
}

// endOf returns the line end of a record: its own, if that suits its place.
func (d *document) endOf(r *record, last bool) string {
	ends := strings.HasSuffix(r.end, lineFeed)
	switch {
	case last && !d.habits.final && ends:
		return ""
	case last && !d.habits.final, ends:
		return r.end
	case r.end != "":
		return r.end + lineFeed
	}
	return d.habits.end
}
