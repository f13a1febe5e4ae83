// The conditional save, and the note that goes with it: what a fleet needs to redeem a
// refresh token once.

package tokenstore

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
	// empty note removes the note. Any other note is one line of printable text of at
	// most [MaxNote] bytes without a credential; else the error matches
	// ErrInvalidArgument.
	//
	// The comparison is of content. A save of other fields, a save that changed nothing,
	// and an edit of other fields do not make a swap fail; they stay.
	//
	// If the token was swapped, now is the token as stored, and can be the old token of
	// the next swap. It was compared with the current state, never with a stale read,
	// also if the swap changed nothing. If one of the four differs, swapped is false,
	// nothing has changed, and now is the token as it is.
	//
	// A token that does not exist is never inserted: the error matches ErrNotFound. After
	// an error that matches ErrUnavailable the swap may have happened; a note that is
	// unique to this swap tells, when the token is read again.
	SwapToken(ctx context.Context, old Noted, next OAuthToken, note string) (now Noted, swapped bool, err error)

	// WritesPerDay returns how often one token can be written in 24 hours, or 0 if there
	// is no limit.
	WritesPerDay() int
}

// MaxNote is the length of the longest note, in bytes.
const MaxNote = 512

// leastSecret is the length from which a credential is looked for in a note: a shorter
// one occurs in a text by chance.
const leastSecret = 8

// CheckSwap returns the error of a swap that no store makes: old has no ID, next is not
// valid, or the note is not one. It is for implementations of [Swapper].
func CheckSwap(old Noted, next OAuthToken, note string) error {
	if old.ID == "" {
		return fmt.Errorf("%w: the old token has no ID; pass what FindNoted returned", ErrInvalidArgument)
	}
	if err := next.Validate(); err != nil {
		return err
	}
	switch {
	case len(note) > MaxNote:
		return fmt.Errorf("%w: the note has %d bytes; at most %d are allowed", ErrInvalidArgument, len(note), MaxNote)
	case !utf8.ValidString(note) || strings.ContainsFunc(note, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: the note must be one line of printable text", ErrInvalidArgument)
	}
	for _, t := range []OAuthToken{old.OAuthToken, next} {
		for _, f := range fields {
			if text := *t.field(f.name); f.credential && f.name != "client_id" && len(text) >= leastSecret && strings.Contains(note, text) {
				return fmt.Errorf("%w: the note must not contain the %s: notes are shown and logged", ErrInvalidArgument, f.name)
			}
		}
	}
	return nil
}

// Swap returns what a swap makes of the stored token, and whether it applies: if it does
// not, now is stored. It is for implementations of [Swapper].
func Swap(stored, old Noted, next OAuthToken, note string) (now Noted, applies bool) {
	if !SameCredentials(stored.OAuthToken, old.OAuthToken) || stored.Note != old.Note {
		return stored, false
	}
	next.UserName = "" // Update ignores the ID.
	return Noted{OAuthToken: Update(stored.OAuthToken, next), Note: note}, true
}

// SameCredentials reports whether two tokens have the same grant, refresh and access token:
// what a swap compares, and a deletion of what is unchanged.
func SameCredentials(a, b OAuthToken) bool {
	return a.GrantToken == b.GrantToken && a.RefreshToken == b.RefreshToken && a.AccessToken == b.AccessToken
}
