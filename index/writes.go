// The hourly count of a document's writes, kept in the document itself: the only way for
// many processes to stay below a service's limit of writes together.

package index

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// writes counts the writes of a document by the hour, the latest hour first. It is
// stored as a string of "hour:count" pairs, the hours in base 36: the first is counted
// from 1970, each other one is its distance from the hour before it in the string:
// "ahcw:12 1:3". Hours without writes are left out.
type writes []hourly

type hourly struct {
	hour, count int64
}

// wholeDay is how many hours before the current one are kept. With the current one
// that is more than 24 hours, so that no write of the last day is missed.
const wholeDay = 24

func hourOf(t time.Time) int64 { return seconds(t) / 3600 }

// add returns w with one more write.
func (w writes) add(now time.Time) writes {
	hour := hourOf(now)
	if len(w) > 0 && w[0].hour >= hour {
		hour = w[0].hour // A clock that is behind adds to the latest hour.
	}
	added := writes{{hour, 1}}
	for _, h := range w {
		switch {
		case h.hour == hour:
			added[0].count += h.count
		case h.hour >= hour-wholeDay:
			added = append(added, h)
		}
	}
	return added
}

// total returns the number of writes of the last day.
func (w writes) total(now time.Time) int {
	var n int64
	for _, h := range w {
		if h.hour >= hourOf(now)-wholeDay {
			n += h.count
		}
	}
	return int(n)
}

// below returns when the writes of the last day will be fewer than limit, if nothing is
// written until then.
func (w writes) below(limit int, now time.Time) time.Time {
	left := w.total(now)
	for _, h := range slices.Backward(w) {
		if h.hour < hourOf(now)-wholeDay {
			continue
		}
		if left -= int(h.count); left < limit {
			return time.Unix((h.hour+wholeDay+1)*3600, 0)
		}
	}
	return now
}

// last returns the end of the hour of the last write, or the zero time.
func (w writes) last() time.Time {
	if len(w) == 0 {
		return time.Time{}
	}
	return time.Unix((w[0].hour+1)*3600, 0)
}

func (w writes) String() string {
	var text []byte
	for i, h := range w {
		hour := h.hour
		if i > 0 {
			text = append(text, ' ')
			hour = w[i-1].hour - h.hour
		}
		text = append(strconv.AppendInt(text, hour, 36), ':')
		text = strconv.AppendInt(text, h.count, 10)
	}
	return string(text)
}

// parseWrites parses the stored string, up to the first pair that is invalid.
func parseWrites(text string) writes {
	var w writes
	for i, word := range strings.Fields(text) {
		hourText, countText, _ := strings.Cut(word, ":")
		hour, err1 := strconv.ParseInt(hourText, 36, 64)
		count, err2 := strconv.ParseInt(countText, 10, 64)
		if err1 != nil || err2 != nil || hour <= 0 || hour > driver.MaxNumber || count <= 0 || count > maxCount || i > wholeDay {
			return w
		}
		if i > 0 {
			hour = w[i-1].hour - hour
		}
		if hour <= 0 {
			return w
		}
		w = append(w, hourly{hour, count})
	}
	return w
}

// maxCount is the largest count of one hour that parseWrites accepts.
const maxCount = 1 << 30
