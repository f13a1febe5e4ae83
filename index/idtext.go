// The text of an ID's field in a document: parsing and encoding its hints.

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

var errHints = fmt.Errorf("%w: malformed hints of an ID", driver.ErrUnreadable)

// held is a hint with its key, as stored in the field of an ID.
type held struct {
	key string
	mark
}

// hintsOf returns the hints of one ID. If a manual edit has left two for one key, the
// one with the higher generation counts.
func hintsOf(id, text string) []held {
	var hints []held
	parseHints(id, text, func(key string, m mark) {
		i := slices.IndexFunc(hints, func(h held) bool { return h.key == key })
		switch {
		case i < 0:
			hints = append(hints, held{key, m})
		case m.Generation > hints[i].Generation:
			hints[i].mark = m
		}
	})
	return hints
}

// parseHints calls each with the hints of one ID. It returns false if the string is
// malformed.
func parseHints(id, text string, each func(key string, m mark)) bool {
	for group := range strings.SplitSeq(text, ";") {
		var hint Hint
		begun := false
		for word := range strings.FieldsSeq(group) {
			var key string
			var order int64
			var ok bool
			if begun {
				key, order, ok = parseKey(word, id)
			} else {
				hint, ok = parseHead(word)
				hint.ID = id
			}
			if !ok {
				return false
			}
			if begun {
				each(key, mark{hint, order})
			}
			begun = true
		}
	}
	return true
}

// parseHead parses "generation[±seconds]".
func parseHead(word string) (Hint, bool) {
	generation, delta := word, "0"
	if i := strings.IndexAny(word, "+-"); i >= 0 {
		generation, delta = word[:i], word[i:]
	}
	g, err1 := strconv.ParseInt(generation, 36, 64)
	d, err2 := strconv.ParseInt(delta, 36, 64)
	if err1 != nil || err2 != nil || g < 0 || g > driver.MaxNumber || d > driver.MaxNumber || d < -2*driver.MaxNumber {
		return Hint{}, false
	}
	return Hint{Generation: g, Claimed: time.Unix(max(g+d, 0), 0).UTC()}, true
}

// parseKey parses "hash[.order]".
func parseKey(word, id string) (key string, order int64, ok bool) {
	key, place, placed := strings.Cut(word, ".")
	if placed {
		var err error
		if order, err = strconv.ParseInt(place, 36, 64); err != nil || order < 0 || order > driver.MaxNumber {
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

// encodeHints encodes the hints of one ID. Equal hints give equal strings.
func encodeHints(id string, hints []held) string {
	slices.SortStableFunc(hints, func(a, b held) int {
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
