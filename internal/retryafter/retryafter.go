// Package retryafter reads the header by which a server names the time to come back. It exists
// because the accounts servers, the APIs and the other providers all use it, in two forms.
package retryafter

import (
	"net/http"
	"strconv"
	"time"
)

// Time returns the time that a response's Retry-After names, in seconds from now or as a date, or
// the zero time if it names none. (RFC 9110, section 10.2.3.)
func Time(header http.Header, now time.Time) time.Time {
	after := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(after, 10, 32); err == nil && seconds >= 0 {
		return now.Add(time.Duration(seconds) * time.Second)
	}
	if date, err := http.ParseTime(after); err == nil {
		return date
	}
	return time.Time{}
}
