// Package retryafter reads the header by which a server names the time to come back. It exists
// because the accounts servers, the APIs and the other providers all use it, in two forms.
package retryafter

import (
	"net/http"
	"strconv"
	"time"
)

// longest is how far ahead a time may be. A wrong clock, here or there, would otherwise shut the
// caller out for years.
const longest = 24 * time.Hour

// Time returns the time that a response's Retry-After names, in seconds from now or as a date, or
// the zero time if it names none. (RFC 9110, section 10.2.3.) A time more than a day ahead counts
// as a day.
func Time(header http.Header, now time.Time) time.Time {
	after, named := header.Get("Retry-After"), time.Time{}
	if seconds, err := strconv.ParseInt(after, 10, 32); err == nil && seconds >= 0 {
		named = now.Add(time.Duration(seconds) * time.Second)
	} else if date, err := http.ParseTime(after); err == nil {
		named = date
	}
	if most := now.Add(longest); named.After(most) {
		return most
	}
	return named
}
