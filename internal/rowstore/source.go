// What an import reads of rows that other programs wrote: more leniently than a store
// reads its own, and with a word on all that it did not take as it was.

package rowstore

import (
	"context"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore"
)

// Source is an optional ability of a store of rows: to be moved from.
type Source interface {
	// Source returns the source. The error means that nothing can be read.
	Source(ctx context.Context) (Reading, error)
}

// Reading is a source to read.
type Reading struct {
	// Rows yields all rows, and may be ranged over again. A row that cannot be read
	// yields an error that matches tokenstore.ErrUnreadable and names it, and the others
	// follow; any other error ends the sequence.
	Rows iter.Seq2[Row, error]
	// Fixed says that each range over Rows yields the same rows in the same order.
	Fixed bool
	// Unknown returns the columns that are not understood for certain and hold something,
	// after Rows was ranged over to its end.
	Unknown func() []Unknown
}

// Row is a row as it was read.
type Row struct {
	Token tokenstore.OAuthToken
	// Nulls is how many values are a word for nothing.
	Nulls int
	// Warnings say what else was not taken as it is.
	Warnings []string
}

// Unknown is a column that is not understood for certain.
type Unknown struct {
	// Name is its name in the source.
	Name string `json:"name"`
	// Rows is how many rows have a value there.
	Rows int `json:"rows"`
	// As is the column that its values were taken for, because of its place; empty
	// if they were left behind.
	As string `json:"as,omitempty"`
}

// nullWords are what programs write for a value that is not there, without regard to
// case: databases and their tools, Python, JavaScript, Go, Ruby and Objective-C.
var nullWords = map[string]bool{
	"null": true, `\n`: true, "none": true, "undefined": true, "nil": true, "nan": true,
	"(null)": true, "<null>": true, "[null]": true, "<nil>": true,
}

// longestNull is the length of the longest of them.
const longestNull = 9

// IsNull reports whether a text is a word for a value that is not there.
func IsNull(text string) bool { return len(text) <= longestNull && nullWords[strings.ToLower(text)] }

// Remarks on expiries. They begin as those of tokenstore.Warner do.
const (
	durationExpiry = "expiry_time: a duration or another number that is no time; taken as unknown"
	oddExpiry      = "expiry_time: not a time in epoch seconds or milliseconds, nor a date with a time; taken as unknown"
	zonelessExpiry = "expiry_time: has no time zone; taken as UTC"
)

// firstExpiry is before the access token of any service that there is.
var firstExpiry = time.Unix(1_000_000_000, 0) // September 2001

// Bounds of the numbers that are times, as seconds and as milliseconds.
const (
	leastSeconds = 1e9
	leastMillis  = 1e12
	maxMillis    = 9_999_999_999_999
)

// ReadExpiry reads the expiry of a row that another program wrote: epoch seconds or
// milliseconds, also with a fraction, or a date and a time. The remark says what is
// odd about it. What cannot be understood is the zero time.
func ReadExpiry(text string) (expiry time.Time, remark string) {
	text = strings.TrimSpace(text)
	if t, err := tokenstore.ParseExpiry(text); err == nil {
		return CheckExpiry(t)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		switch {
		case f >= leastMillis && f <= maxMillis:
			return time.UnixMilli(int64(f)).UTC(), ""
		case f >= leastSeconds && f < leastSeconds*10:
			return time.UnixMilli(int64(math.Floor(f * 1000))).UTC(), ""
		case f >= 0 && f < leastSeconds:
			return time.Time{}, durationExpiry
		}
		return time.Time{}, oddExpiry
	}
	for _, layout := range zonedLayouts {
		if t, err := time.Parse(layout, text); err == nil && tokenstore.FormatExpiry(t) != "" {
			return CheckExpiry(t.UTC().Truncate(time.Millisecond))
		}
	}
	for _, layout := range zonelessLayouts {
		if t, err := time.Parse(layout, text); err == nil && tokenstore.FormatExpiry(t) != "" {
			if t, remark = CheckExpiry(t.UTC().Truncate(time.Millisecond)); remark == "" {
				remark = zonelessExpiry
			}
			return t, remark
		}
	}
	return time.Time{}, oddExpiry
}

// CheckExpiry takes an expiry as unknown that no access token can have had: a duration
// that was read as the time since 1970.
func CheckExpiry(t time.Time) (expiry time.Time, remark string) {
	if !t.IsZero() && t.Before(firstExpiry) {
		return time.Time{}, durationExpiry
	}
	return t, ""
}

// The forms of a date and a time that programs write. A fraction of a second is read
// with each of them.
var (
	zonedLayouts = []string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05 Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05Z07", "2006-01-02T15:04:05Z07",
		"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 GMT",
		"2006-01-02 15:04:05 -0700 UTC", "Mon, 02 Jan 2006 15:04:05 GMT", time.RFC1123Z, "Mon Jan 02 2006 15:04:05 GMT-0700",
	}
	zonelessLayouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006/01/02 15:04:05"}
)

// Placed is an optional ability of a store of rows: to tell whether another one is at
// the same place, by whatever name.
type Placed interface {
	// SamePlace reports whether the other store has the same rows.
	SamePlace(other tokenstore.Store) bool
}
