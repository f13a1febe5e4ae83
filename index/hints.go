// The hints of one key, and the rules by which claims and releases change them, which both
// forms share.

package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// mark is a hint as it is stored. Order is its place in the order of arrival among the
// hints of its key: one more than that of the last hint when it was added. It is usually
// 0, which takes no space.
type mark struct {
	Hint
	order int64
}

// marks are the hints of one key, in order of arrival.
type marks []mark

// seconds returns a time as it is stored, in seconds since 1970. However wrong the
// clock is, the result is not negative and not larger than a number can be stored.
func seconds(t time.Time) int64 { return min(max(t.Unix(), 0), driver.MaxNumber) }

// claim adds the hint of c, or raises the one that its ID already has.
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

// sort puts the hints into the order of arrival. Only a manual edit can give two hints
// the same place; then time and ID decide. (The stable sort is the smaller program.)
func (m marks) sort() {
	slices.SortStableFunc(m, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.order, b.order), a.Claimed.Compare(b.Claimed), strings.Compare(a.ID, b.ID))
	})
}

// check returns an error that matches driver.ErrInvalid if a claim cannot be stored. The
// hash must have at least length characters.
func (c Claim) check(length int) error {
	if err := checkHash(c.Hash, length); err != nil {
		return err
	}
	if !validID(c.ID) {
		return fmt.Errorf("%w: an ID in the index must be 1 to 128 ASCII letters, digits or underscores", driver.ErrInvalid)
	}
	if c.Generation < 0 || c.Generation > driver.MaxNumber {
		return fmt.Errorf("%w: a generation must be between 0 and %d", driver.ErrInvalid, int64(driver.MaxNumber))
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

// checkHash returns an error unless hash is a hash of at least length characters.
func checkHash(hash string, length int) error {
	if len(hash) < length || !validHash(hash) {
		return fmt.Errorf("%w: not a hash of a key; pass the result of index.Hash", driver.ErrInvalid)
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
