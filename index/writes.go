package index

import (
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// writes counts the writes of a document by the hour, the latest hour first. As
// a text it is "hour:count" for each hour that has any, the hours in base 36,
// the first counted from 1970 and the others as the distance to the one before:
// "ahcw:12 1:3".
type writes []hourly

type hourly struct {
	hour, count int64
}

// wholeDay is for how many hours before the present one counts are kept. It
// covers 24 hours and the begun one, so that no write of a day is missed.
const wholeDay = 24

func hourOf(t time.Time) int64 { return seconds(t) / 3600 }

// add returns w with one write more.
func (w writes) add(now time.Time) writes {
	hour := hourOf(now)
	if len(w) > 0 && w[0].hour >= hour {
		hour = w[0].hour // A clock that is behind counts with the latest hour.
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

// parseWrites reads the text form. What cannot be read is left out.
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

// maxCount bounds what is read as a count of one hour.
const maxCount = 1 << 30
