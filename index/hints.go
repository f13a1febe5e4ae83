package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// mark is a hint as it is stored. Order is its place in the order of arrival
// among the hints of its key: one more than that of the last one that was there
// when it came. A key's only hint usually has none, which costs nothing to store.
type mark struct {
	Hint
	order int64
}

// marks are the hints of one key, in order of arrival.
type marks []mark

// seconds returns a time as it is stored: the seconds since 1970, not before that
// and not later than a stored number can say, however wrong the clock is.
func seconds(t time.Time) int64 { return min(max(t.Unix(), 0), driver.MaxNumber) }

// claim adds the hint of c, or raises the one which its ID has already.
func (m marks) claim(c Claim, now time.Time) marks {
	claimed := time.Unix(seconds(now), 0).UTC()
	for i := range m {
		if m[i].ID == c.ID {
			m[i].Generation = max(m[i].Generation, c.Generation)
			m[i].Claimed = claimed
			return m
		}
	}
	var order int64
	if len(m) > 0 {
		order = m[len(m)-1].order + 1
	}
	return append(m, mark{Hint{ID: c.ID, Generation: c.Generation, Claimed: claimed}, order})
}

// releases reports whether a release of c removes a hint.
func (m marks) releases(c Claim) bool {
	return slices.ContainsFunc(m, c.releases)
}

// releases reports whether a release of c removes the hint h.
func (c Claim) releases(h mark) bool {
	return h.ID == c.ID && h.Generation <= c.Generation && (c.Claimed.IsZero() || c.Claimed.Equal(h.Claimed))
}

// release removes the hint that c releases.
func (m marks) release(c Claim) marks {
	return slices.DeleteFunc(m, c.releases)
}

// others returns the hints of other IDs.
func (m marks) others(id string) []Hint {
	var hints []Hint
	for _, h := range m {
		if h.ID != id {
			hints = append(hints, h.Hint)
		}
	}
	return hints
}

// hints returns all hints.
func (m marks) hints() []Hint {
	var hints []Hint
	for _, h := range m {
		hints = append(hints, h.Hint)
	}
	return hints
}

// sort puts the hints into the order of arrival. Two places are equal only
// after a person's edit; then time and ID decide.
func (m marks) sort() {
	slices.SortFunc(m, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.order, b.order), a.Claimed.Compare(b.Claimed), strings.Compare(a.ID, b.ID))
	})
}

// check returns an error that matches driver.ErrInvalid if a claim cannot be
// stored. The hash needs at least length characters.
func (c Claim) check(length int) error {
	if err := checkHash(c.Hash, length); err != nil {
		return err
	}
	if !validID(c.ID) {
		return fmt.Errorf("%w: an ID in the index needs 1 to 128 ASCII letters, digits or underscores", driver.ErrInvalid)
	}
	if c.Generation < 0 || c.Generation > driver.MaxNumber {
		return fmt.Errorf("%w: generation out of range", driver.ErrInvalid)
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// checkHash returns an error unless hash is one of at least length characters.
func checkHash(hash string, length int) error {
	if len(hash) < length || !validHash(hash) {
		return fmt.Errorf("%w: not a key's hash", driver.ErrInvalid)
	}
	return nil
}

// validHash reports whether text is a hash, or the beginning of one.
func validHash(text string) bool {
	if text == "" || len(text) > HashLen {
		return false
	}
	for i := range len(text) {
		if digit(text[i]) < 0 {
			return false
		}
	}
	return true
}

// digit returns the value of a digit of a hash, or -1.
func digit(c byte) int {
	switch {
	case c >= 'a' && c <= 'z':
		return int(c - 'a')
	case c >= '2' && c <= '7':
		return int(c-'2') + 26
	}
	return -1
}
