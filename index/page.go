package index

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// The fields of a document beside its generation and the hints.
const (
	epochField  = "epoch"  // Root: counts the changes of the fan-out.
	fanoutField = "fanout" // Root: the number of documents; 1 means the root alone.
	nextField   = "next"   // Root: "epoch fanout" while the fan-out is being changed.
	filledField = "filled" // Root: which documents the last change of the fan-out made.
	sealedField = "sealed" // When the document was sealed, in Unix seconds.
	writesField = "writes" // The writes of the last day, see writes.
)

const (
	// shortHash is the length to which documents cut hashes: 80 bits. Two keys
	// that share them share their hints, and a hint proves nothing.
	shortHash = 16
	// ownKey stands for the key from whose hash the ID is derived.
	ownKey = "="
)

// layout says where the hints are.
type layout struct {
	epoch  int64
	fanout int
}

// page is one document: the root, which holds all hints if the fan-out is 1, or
// one of several.
//
// The hints of an ID share a field, named by the ID behind an "@". Its text has
// groups, separated by ";": the generation, then "+" or "-" and the seconds
// from that to the time of the claim unless they are none, then the short hashes
// of the keys, each followed by "." and its place in the order of arrival unless
// that is 0. All numbers are in base 36:
//
//	"@abc…": "t1x2y3 = k4…;t1x2y9+5a m7….1"
//
// A new row's generation is its clock's Unix seconds, so that a token with a
// user and a refresh token takes 60 bytes.
type page struct {
	object
	layout         // Root only.
	next   *layout // Root only.
	filled []int   // Root only: the numbers of the documents, in order.
	part   int     // Its number, in split only.
	sealed int64
	writes writes
	keys   map[string]marks // By short hash.
}

// frozen reports whether the page takes no more hints.
func (p *page) frozen() bool { return p.sealed != 0 }

func newPage(o object) *page { return &page{object: o, keys: map[string]marks{}} }

// decodePage reads a document; root says that it is the root.
func decodePage(o object, root bool) (*page, error) {
	p := newPage(o)
	if !o.exists() {
		return p, nil
	}
	err := p.decode(root)
	return p, fault(o.name, err)
}

func (p *page) decode(root bool) (err error) {
	if p.sealed, err = p.takeNumber(sealedField); err != nil {
		return err
	}
	p.takeWrites()
	if root {
		if err := p.decodeRoot(); err != nil {
			return err
		}
	}
	for field := range p.fields {
		id, ok := strings.CutPrefix(field, idMark)
		if !ok {
			continue
		}
		text, err := p.text(field)
		if err == nil {
			err = p.decodeID(id, text)
		}
		if err != nil {
			return err
		}
		delete(p.fields, field)
	}
	for _, m := range p.keys {
		m.sort()
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
	if epoch == 0 || fanout < 1 || fanout > maxFanout {
		return fmt.Errorf("%w: no epoch or fan-out", driver.ErrUnreadable)
	}
	p.layout = layout{epoch, int(fanout)}
	p.takeFilled()
	text, err := p.text(nextField)
	if err != nil || text == "" {
		return err
	}
	delete(p.fields, nextField)
	var next layout
	if _, err := fmt.Sscanf(text, "%d %d", &next.epoch, &next.fanout); err != nil ||
		next.epoch <= epoch || next.fanout < 1 || next.fanout > maxFanout {
		return fmt.Errorf("%w: field %q", driver.ErrUnreadable, nextField)
	}
	p.next = &next
	return nil
}

// takeFilled reads which documents were made: in hexadecimal, the first of them
// in the lowest bit. What cannot be read only costs a reader its patience.
func (p *page) takeFilled() {
	if text, err := p.text(filledField); err == nil && len(text) <= maxFanout/4 {
		for n := range p.fanout {
			if at := len(text) - 1 - n/4; at >= 0 {
				digit, _ := strconv.ParseUint(text[at:at+1], 16, 8)
				if digit>>(n%4)&1 == 1 {
					p.filled = append(p.filled, n)
				}
			}
		}
	}
	delete(p.fields, filledField)
}

// filledText returns the text that takeFilled reads.
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

// takeWrites reads the count of writes. It is only that: what cannot be read
// begins anew.
func (p *page) takeWrites() {
	if text, err := p.text(writesField); err == nil {
		p.writes = parseWrites(text)
	}
	delete(p.fields, writesField)
}

var errHints = fmt.Errorf("%w: the hints of an ID", driver.ErrUnreadable)

// decodeID reads the hints of one ID.
func (p *page) decodeID(id, text string) error {
	if !validID(id) {
		return errHints
	}
	for group := range strings.SplitSeq(text, ";") {
		words := strings.Fields(group)
		if len(words) == 0 {
			continue
		}
		hint, ok := parseHead(words[0])
		if !ok {
			return errHints
		}
		hint.ID = id
		for _, word := range words[1:] {
			key, order, ok := parseKey(word, id)
			if !ok {
				return errHints
			}
			p.add(key, mark{hint, order})
		}
	}
	return nil
}

// add adds a hint; of two of one ID the one with the higher generation counts.
func (p *page) add(key string, m mark) {
	for i, have := range p.keys[key] {
		if have.ID == m.ID {
			if m.Generation > have.Generation {
				p.keys[key][i] = m
			}
			return
		}
	}
	p.keys[key] = append(p.keys[key], m)
}

// parseHead reads "generation[±seconds]".
func parseHead(word string) (Hint, bool) {
	generation, delta := word, "0"
	if i := strings.IndexAny(word, "+-"); i >= 0 {
		generation, delta = word[:i], word[i:]
	}
	g, err1 := strconv.ParseInt(generation, 36, 64)
	d, err2 := strconv.ParseInt(delta, 36, 64)
	if err1 != nil || err2 != nil || g < 0 || g > maxNumber || d > maxNumber || d < -maxNumber {
		return Hint{}, false
	}
	return Hint{Generation: g, Claimed: time.Unix(g+d, 0).UTC()}, true
}

// parseKey reads "hash[.order]".
func parseKey(word, id string) (key string, order int64, ok bool) {
	key, place, placed := strings.Cut(word, ".")
	if placed {
		var err error
		if order, err = strconv.ParseInt(place, 36, 64); err != nil || order < 0 || order > maxNumber {
			return "", 0, false
		}
	}
	if key == ownKey {
		key = id
	}
	if len(key) < shortHash {
		return "", 0, false
	}
	key = key[:shortHash]
	return key, order, validHash(key)
}

// stored returns the object that holds the page.
func (p *page) stored() object {
	o := p.object
	texts := p.encodeIDs()
	o.fields = make(map[string]rawText, len(p.fields)+len(texts)+6)
	for name, value := range p.fields {
		o.fields[name] = value
	}
	for id, text := range texts {
		o.setText(idMark+id, text)
	}
	o.setNumber(sealedField, p.sealed)
	o.setText(writesField, p.writes.String())
	o.setText(filledField, p.filledText())
	o.setNumber(epochField, p.epoch)
	o.setNumber(fanoutField, int64(p.fanout))
	if p.next != nil {
		o.setText(nextField, fmt.Sprintf("%d %d", p.next.epoch, p.next.fanout))
	}
	return o
}

// held is a hint with its key, as the groups of an ID hold it.
type held struct {
	key string
	mark
}

// encodeIDs returns the text of each ID.
func (p *page) encodeIDs() map[string]string {
	byID := map[string][]held{}
	for key, m := range p.keys {
		for _, h := range m {
			byID[h.ID] = append(byID[h.ID], held{key, h})
		}
	}
	texts := make(map[string]string, len(byID))
	for id, hints := range byID {
		texts[id] = encodeHints(id, hints)
	}
	return texts
}

func encodeHints(id string, hints []held) string {
	slices.SortFunc(hints, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.Generation, b.Generation), a.Claimed.Compare(b.Claimed), strings.Compare(a.key, b.key))
	})
	text := make([]byte, 0, 8+len(hints)*(shortHash+1))
	for i, h := range hints {
		if i == 0 || h.Generation != hints[i-1].Generation || !h.Claimed.Equal(hints[i-1].Claimed) {
			if i > 0 {
				text = append(text, ';')
			}
			text = appendHead(text, h.Hint)
		}
		text = append(text, ' ')
		if len(id) >= shortHash && h.key == id[:shortHash] {
			text = append(text, ownKey...)
		} else {
			text = append(text, h.key...)
		}
		if h.order > 0 {
			text = strconv.AppendInt(append(text, '.'), h.order, 36)
		}
	}
	return string(text)
}

func appendHead(text []byte, h Hint) []byte {
	text = strconv.AppendInt(text, h.Generation, 36)
	delta := h.Claimed.Unix() - h.Generation
	if delta > 0 {
		text = append(text, '+')
	}
	if delta != 0 {
		text = strconv.AppendInt(text, delta, 36)
	}
	return text
}
