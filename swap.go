// The conditional save, and the note that goes with it: what a fleet needs to redeem a
// refresh token once.

package tokenstore

import "context"

// Noted is a token as [Swapper.FindNoted] read it, with its note. Printing it shows no
// credential, as with the token itself.
type Noted struct {
	OAuthToken
	// Note is a line of text beside the token that shows in no OAuthToken. Empty and
	// absent are the same. Saves keep it; a delete drops it. It must not hold a
	// credential: it is shown and logged as it is.
	Note string
	// Read is what the store remembers of its read, so that a swap needs none. It means
	// something only to the store that returned it, and may be nil.
	Read any
}

// Swapper is an optional ability of a [Store]: to replace a token only if it is still the
// one that was read. Package tokensource builds on it. [As] finds it.
type Swapper interface {
	// FindNoted returns the token that FindToken would return, with its note.
	FindNoted(ctx context.Context, query OAuthToken) (Noted, error)

	// SwapToken sets the fields of next and the note, if the token with old's ID still
	// has old's grant, refresh and access token and old's note. The fields are set as
	// SaveToken sets them: those that are empty in next stay as stored, as does
	// everything else; an access token that changes without an expiry drops the old
	// expiry. next's ID and UserName are ignored: a swap never sets or changes them. An
	// empty note removes the note.
	//
	// The comparison is of content. A save of other fields, a save that changed nothing,
	// and an edit of other fields do not make a swap fail; they stay.
	//
	// If the token was swapped, now is the token as stored. If one of the four differs,
	// swapped is false, nothing has changed, and now is the token as it is. A token that
	// does not exist is never inserted: the error matches ErrNotFound. After an error that
	// matches ErrUnavailable the swap may have happened.
	SwapToken(ctx context.Context, old Noted, next OAuthToken, note string) (now Noted, swapped bool, err error)

	// WritesPerDay returns how often one token can be written in 24 hours, or 0 if there
	// is no limit.
	WritesPerDay() int
}
