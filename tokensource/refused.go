// What an operator's tools want to know of a note.

package tokensource

import (
	"time"

	"example.com/tokenstore"
)

// Refused reports whether a note says that the provider refuses the row's refresh token, and
// since when: the user has to consent again. A note about what the row held before does not
// count.
func Refused(row tokenstore.Noted) (since time.Time, is bool) {
	n := fitting(&row)
	if n.kind != refused {
		return time.Time{}, false
	}
	return n.written, true
}
