// How an entry is stored.

package index

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

const writtenField = "written"

// entry is the secret of one key. Its fields, besides the generation, are "written", the
// time of the last write in Unix seconds, and a field for each hint, named "@" and the
// ID, with the value "generation time order"; an order of 0 is left out.
type entry struct {
	object
	written int64
	marks   marks
}

func decodeEntry(o object) (*entry, error) {
	e := &entry{object: o}
	var err error
	if e.written, err = e.takeTime(writtenField); err != nil {
		return nil, broken(o.name, err)
	}
	for _, f := range e.ids() {
		if err := e.addHint(idOf(f), textOf(f)); err != nil {
			return nil, broken(o.name, err)
		}
	}
	e.marks.sort()
	return e, nil
}

// takeTime is takeNumber for seconds since 1970. A negative number, written under a
// clock before 1970, counts as zero, so that it does not hide the key.
func (e *entry) takeTime(name string) (int64, error) {
	if text, err := e.Text(name); err == nil {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n < 0 {
			e.Set(name, "")
		}
	}
	return e.takeNumber(name)
}

// addHint parses a hint and adds it.
func (e *entry) addHint(id, text string) error {
	numbers := make([]int64, 3)
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > len(numbers) {
		return errHints
	}
	for i, word := range words {
		n, err := strconv.ParseInt(word, 10, 64)
		if i == 1 {
			n = max(n, 0) // See takeTime.
		}
		if err != nil || n < 0 || n > driver.MaxNumber {
			return errHints
		}
		numbers[i] = n
	}
	claimed := time.Unix(numbers[1], 0).UTC()
	e.marks = append(e.marks, mark{Hint{ID: id, Generation: numbers[0], Claimed: claimed}, numbers[2]})
	return nil
}

// stored returns the object that holds the entry.
func (e *entry) stored() object {
	o := e.object
	o.Object = e.Clone()
	o.SetPrefix(idMark, nil)
	o.SetNumber(writtenField, e.written)
	for _, m := range e.marks {
		text := fmt.Sprintf("%d %d", m.Generation, m.Claimed.Unix())
		if m.order > 0 {
			text += fmt.Sprintf(" %d", m.order)
		}
		o.setID(m.ID, text)
	}
	return o
}
