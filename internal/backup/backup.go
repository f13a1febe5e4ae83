// Package backup is the file of a backup: all tokens of a store, with their credentials,
// normally encrypted. It has a line of JSON for each token between a first line and a last
// one, so that a person can read it with the programs age and jq if nothing else is left:
//
//	{"tokenstore_backup":1,"store":"vault","time":"2026-11-28T21:00:00Z"}
//	{"access_token":"…","client_id":"…","expiry_time":"1795600000123",…}
//	{"end":true,"tokens":1,"unreadable":0,"sha256":"…"}
//
// The first line has the version of the format; the scheme of the store's URL and the time
// are for people. Each token is in its stored form (tokenstore.EncodeToken). The last line
// counts the tokens, and those that could not be read when the backup was made; its digest
// is that of all bytes before the comma in front of it. Encrypted, all of it is one age file
// (https://age-encryption.org/v1), to recipients or to a passphrase.
//
// The format is for ever: internal/storedforms keeps files that releases have written. What
// an older release must not leave out, such as another field of a token, needs a new
// version; older releases refuse it.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"time"

	"example.com/tokenstore"
)

// version is the version of the format.
const version = 1

// The beginnings by which a file is told. Each is that of the first line.
const (
	plainMagic     = `{"tokenstore_backup":`
	encryptedMagic = "age-encryption.org/"
	endMagic       = `{"end":true,`
	digestMagic    = `,"sha256":`
)

// Header says where a backup comes from.
type Header struct {
	// Store is the scheme of the store's URL.
	Store string
	// Time is when the backup was begun.
	Time time.Time
}

// firstLine and lastLine are the lines around the tokens.
type firstLine struct {
	Version int       `json:"tokenstore_backup"`
	Store   string    `json:"store"`
	Time    time.Time `json:"time"`
}

type lastLine struct {
	End        bool   `json:"end"`
	Tokens     int    `json:"tokens"`
	Unreadable int    `json:"unreadable"`
	SHA256     string `json:"sha256,omitempty"`
}

// Writer writes a backup, of which it holds one token at a time.
type Writer struct {
	w      io.Writer
	digest hash.Hash
	tokens int
}

// NewWriter returns a writer that has written the first line.
func NewWriter(w io.Writer, header Header) (*Writer, error) {
	b := &Writer{w: w, digest: sha256.New()}
	return b, b.line(firstLine{version, header.Store, header.Time.UTC().Truncate(time.Second)})
}

// Add writes a token. If the token is not valid, the error matches
// tokenstore.ErrInvalidToken, and the backup goes on without it.
func (b *Writer) Add(t tokenstore.OAuthToken) error {
	data, err := tokenstore.EncodeToken(t)
	if err != nil {
		return err
	}
	b.tokens++
	return b.write(data)
}

// Tokens returns how many tokens have been added.
func (b *Writer) Tokens() int { return b.tokens }

// End writes the last line. Without it, the backup is one that was cut off.
func (b *Writer) End(unreadable int) error {
	last := lastLine{End: true, Tokens: b.tokens, Unreadable: unreadable}
	counts, err := json.Marshal(last)
	if err != nil {
		return err
	}
	b.digest.Write(counts[:len(counts)-len("}")])
	last.SHA256 = hex.EncodeToString(b.digest.Sum(nil))
	return b.line(last)
}

func (b *Writer) line(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.write(data)
}

func (b *Writer) write(line []byte) error {
	line = append(line, '\n')
	b.digest.Write(line)
	_, err := b.w.Write(line)
	return err
}
