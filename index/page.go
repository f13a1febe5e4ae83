// How a document is stored. Documents are few and limited in size, so the form is a compact
// one.

package index

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// The fields of a document other than its generation and the hints.
const (
	epochField  = "epoch"  // Root: counts the changes of the fan-out.
	fanoutField = "fanout" // Root: the number of documents; 1 means the root alone.
	omitsField  = "omits"  // Root: the kinds of key that are left out, see omit.go.
	nextField   = "next"   // Root: the next layout, while it is being changed.
	filledField = "filled" // Root: the documents created by the last change of the fan-out.
	sealedField = "sealed" // When the document was sealed, in Unix seconds.
	writesField = "writes" // The writes of the last day, see writes.
	// Root: older layouts whose documents are to be deleted, see retirements.
	retiredField = "retired"
	// 1: an older version of the document was put back, and no repair has run since.
	lackingField = "lacking"
)

const (
	// shortHash is the length to which documents cut hashes: 80 bits. Two keys with
	// the same short hash share their hints, which is harmless: a hint proves nothing.
	shortHash = 16
	// ownKey stands for the key from whose hash the ID is derived.
	ownKey = "="
)

// layout says in which documents the hints are, and of which keys.
type layout struct {
	epoch    int64
	fanout   int
	rotating bool // Refresh tokens are left out, see Omitter.
}

// followed returns the layout with another fan-out that follows l.
func (l layout) followed(fanout int) layout {
	l.epoch, l.fanout = l.epoch+1, fanout
	return l
}

// page is one document: the root, which holds all hints if the fan-out is 1, or
// one of several.
//
// The hints of an ID share a field, named "@" and the ID. Its value consists of
// groups, separated by ";". A group has the generation; "+" or "-" and the seconds from
// that to the time of the claim, unless they are 0; and the short hashes of the keys,
// each followed by "." and its place in the order of arrival, unless that is 0. All
// numbers are in base 36:
//
//	"@abc…": "t1x2y3 = k4…;t1x2y9+5a m7….1"
//
// A new row's generation is the clock's Unix seconds, so that the difference is usually
// 0: a token with a user and a refresh token takes 60 bytes. Fields are parsed and
// encoded one by one, since most operations touch very few of them.
type page struct {
	object
	layout              // Root only.
	next    *layout     // Root only.
	filled  []int       // Root only: the numbers of the documents, in order.
	retired retirements // Root only.
	part    int         // Its number, in split only.
	places  []place     // Where the keys are; nil if that is not known.
	shared  bool        // Others have the same fields and places, see own.
	// lacking says that an older version of the page was put back, and no repair has run
	// since: hints that were claimed in between are missing.
	lacking bool
	sealed  int64
	writes  writes
}

// frozen reports whether the page takes no more hints.
func (p *page) frozen() bool { return p.sealed != 0 }

// last returns the end of the hour in which the page was written last, or the zero
// time if that is unknown.
func (p *page) last() time.Time {
	if p.frozen() {
		return time.Unix(p.sealed, 0)
	}
	return p.writes.last()
}

// marks returns the hints of a key, in order of arrival.
func (p *page) marks(key string) marks {
	var found marks
	p.holders(key, func(f driver.Field) {
		for _, h := range hintsOf(idOf(f), textOf(f)) {
			if h.key == key {
				found = append(found, h.mark)
			}
		}
	})
	found.sort()
	return found
}

// mayHold returns false only if the field has no hint of the key.
func mayHold(f driver.Field, key string) bool {
	return strings.Contains(textOf(f), key) || strings.HasPrefix(idOf(f), key)
}

// claim adds or raises a hint.
func (p *page) claim(key string, c Claim, now time.Time) {
	claimed := p.marks(key).claim(c, now)
	i := slices.IndexFunc(claimed, func(m mark) bool { return m.ID == c.ID })
	p.replace(key, c.ID, claimed[i:i+1])
}

// release removes a hint, whatever its generation.
func (p *page) release(key string, c Claim) { p.replace(key, c.ID, nil) }

// replace replaces the hints that an ID has of a key.
func (p *page) replace(key, id string, m marks) {
	text, _ := p.Text(idMark + id)
	hints := hintsOf(id, text)
	hints = slices.DeleteFunc(hints, func(h held) bool { return h.key == key })
	for _, hint := range m {
		hints = append(hints, held{key, hint})
	}
	p.own()
	p.setID(id, encodeHints(id, hints))
}

// all returns all hints with their keys.
func (p *page) all() []held {
	var all []held
	for _, f := range p.ids() {
		all = append(all, hintsOf(idOf(f), textOf(f))...)
	}
	return all
}

// decodePage parses a document; root says whether it is the root.
func decodePage(o object, root bool) (*page, error) {
	p := &page{object: o}
	if !o.exists() {
		return p, nil
	}
	err := p.decode(root)
	return p, broken(o.name, err)
}

func (p *page) decode(root bool) (err error) {
	if p.sealed, err = p.takeNumber(sealedField); err != nil {
		return err
	}
	lacking, err := p.takeNumber(lackingField)
	if err != nil {
		return err
	}
	p.lacking = p.restored || lacking > 0
	p.takeWrites()
	if root {
		if err := p.decodeRoot(); err != nil {
			return err
		}
	}
	ids := p.ids()
	p.places = make([]place, 0, 2*len(ids))
	for i, f := range ids {
		if !parseHints(idOf(f), textOf(f), func(key string, _ mark) { p.places = append(p.places, place{beginOf(key), i}) }) {
			return errHints
		}
	}
	return nil
}

func (p *page) decodeRoot() error {
	epoch, err := p.takeNumber(epochField)
	if err != nil {
		return err
	}
	fanout, err := p.takeNumber(fanoutField)
	if err != nil {
		return err
	}
	if epoch == 0 || fanout < 1 || fanout > MaxFanout {
		return fmt.Errorf("%w: index root has no valid epoch or fan-out", driver.ErrUnreadable)
	}
	rotating, err := p.takeOmits()
	if err != nil {
		return err
	}
	p.layout = layout{epoch, int(fanout), rotating}
	p.takeFilled()
	p.takeRetired()
	text, err := p.Text(nextField)
	if err != nil || text == "" {
		return err
	}
	p.Set(nextField, "")
	next, ok := parseNext(text)
	if !ok || next.epoch <= epoch {
		return fmt.Errorf("%w: field %q", driver.ErrUnreadable, nextField)
	}
	p.next = &next
	return nil
}

// String returns the layout as the root announces it: epoch, fan-out and, unless it is the
// default, what is left out.
func (l layout) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d %d %s", l.epoch, l.fanout, l.omits()))
}

// parseNext parses what String returns.
func parseNext(text string) (l layout, ok bool) {
	parts := strings.SplitN(text, " ", 3)
	if len(parts) < 2 {
		return layout{}, false
	}
	var err1, err2 error
	l.epoch, err1 = strconv.ParseInt(parts[0], 10, 64)
	l.fanout, err2 = strconv.Atoi(parts[1])
	ok = err1 == nil && err2 == nil && l.fanout >= 1 && l.fanout <= MaxFanout
	if len(parts) == 3 {
		var known bool
		l.rotating, known = parseOmits(parts[2])
		ok = ok && known
	}
	return l, ok
}

// takeFilled parses which documents were created: a bit for each, in hexadecimal, the
// first one in the lowest bit. If it cannot be parsed, readers only lose an
// optimisation.
func (p *page) takeFilled() {
	if text, err := p.Text(filledField); err == nil && len(text) <= MaxFanout/4 {
		for n := range p.fanout {
			if at := len(text) - 1 - n/4; at >= 0 {
				digit, _ := strconv.ParseUint(text[at:at+1], 16, 8)
				if digit>>(n%4)&1 == 1 {
					p.filled = append(p.filled, n)
				}
			}
		}
	}
	p.Set(filledField, "")
}

// takeRetired parses which layouts await deletion. If it cannot be parsed, their documents
// are left to the repair.
func (p *page) takeRetired() {
	if text, err := p.Text(retiredField); err == nil {
		p.retired = parseRetirements(text, p.epoch)
	}
	p.Set(retiredField, "")
}

// filledText returns the string that takeFilled parses.
func (p *page) filledText() string {
	if len(p.filled) == 0 {
		return ""
	}
	digits := make([]byte, p.filled[len(p.filled)-1]/4+1)
	for _, n := range p.filled {
		digits[len(digits)-1-n/4] |= 1 << (n % 4)
	}
	for i, d := range digits {
		digits[i] = "0123456789abcdef"[d]
	}
	return string(digits)
}

// takeWrites parses the count of writes. If it cannot be parsed, it starts from zero.
func (p *page) takeWrites() {
	if text, err := p.Text(writesField); err == nil {
		p.writes = parseWrites(text)
	}
	p.Set(writesField, "")
}

// stored returns the object that holds the page.
func (p *page) stored() object {
	o := p.object
	o.Object = p.Clone()
	o.SetNumber(sealedField, p.sealed)
	if p.lacking {
		o.SetNumber(lackingField, 1)
	}
	o.Set(writesField, p.writes.String())
	o.Set(filledField, p.filledText())
	o.Set(retiredField, p.retired.String())
	o.SetNumber(epochField, p.epoch)
	o.SetNumber(fanoutField, int64(p.fanout))
	o.Set(omitsField, p.omits())
	if p.next != nil {
		o.Set(nextField, p.next.String())
	}
	return o
}
