// The conditional save. The notes are beside the rows, where the SDKs do not look, so that a
// note must show to which content of a row it belongs.

package rowstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"example.com/tokenstore"
)

// Notes is the view of one transaction over rows and their notes. Update keeps the note of
// a row, Insert begins without one.
type Notes interface {
	Rows
	// Note returns the note of a row as it is stored, or "".
	Note(row tokenstore.OAuthToken) (string, error)
	// SetNote sets the note of a row as it is now stored; an empty one removes it.
	SetNote(row tokenstore.OAuthToken, note string) error
}

// FindNoted returns the row that a find of query finds, with its note.
func FindNoted(rows Notes, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	row, err := Find(rows, query)
	if err != nil {
		return tokenstore.Noted{}, err
	}
	note, err := rows.Note(row)
	if err != nil {
		return tokenstore.Noted{}, err
	}
	return tokenstore.Noted{OAuthToken: row, Note: note}, nil
}

// Swap does what tokenstore.Swapper says. It writes only what changes.
func Swap(rows Notes, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (now tokenstore.Noted, swapped bool, err error) {
	if err := tokenstore.CheckSwap(old, next, note); err != nil {
		return tokenstore.Noted{}, false, err
	}
	row, ok, err := rows.ByID(old.ID)
	if err == nil && !ok {
		err = tokenstore.ErrNotFound
	}
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	stored := tokenstore.Noted{OAuthToken: row}
	if stored.Note, err = rows.Note(row); err != nil {
		return tokenstore.Noted{}, false, err
	}
	if now, swapped = tokenstore.Swap(stored, old, next, note); !swapped {
		return now, false, nil
	}
	if now.OAuthToken != row {
		err = rows.Update(now.OAuthToken)
	}
	if err == nil && now.Note != stored.Note {
		err = rows.SetNote(now.OAuthToken, now.Note)
	}
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	return now, true, nil
}

// ErrChanged is the error of a token that is no longer what was read.
var ErrChanged = fmt.Errorf("%w: the token was changed after it was read; nothing was deleted", tokenstore.ErrConflict)

// Unchanged returns nil if a token is stored as somebody has seen it; else it is
// tokenstore.ErrNotFound, ErrChanged or a fault.
func Unchanged(rows Rows, seen tokenstore.OAuthToken) error {
	if seen.ID == "" {
		return fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument)
	}
	row, ok, err := rows.ByID(seen.ID)
	switch {
	case err != nil:
		return err
	case !ok:
		return tokenstore.ErrNotFound
	case !tokenstore.SameCredentials(row, seen):
		return ErrChanged
	}
	return nil
}

// Content returns a digest of the grant, refresh and access token of a row. A note is stored
// with it: if an SDK writes another token into the row, or deletes it and inserts another
// with its ID, the note is no longer that of the row.
func Content(row tokenstore.OAuthToken) string {
	h := sha256.New()
	for _, text := range []string{row.GrantToken, row.RefreshToken, row.AccessToken} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(text), text) // A hash returns no error.
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
