// The note beside a token: what processes tell each other. It is text that a person can read, and
// counts only while it fits the row.

package tokensource

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore"
)

// A note is one of
//
//	claimed <nonce> <fit> <seconds> <n> <time>
//	refused <fit> consent <time>
//	paused <fit> <seconds> <time>
//
// claimed: its writer alone may redeem the refresh token, for that many seconds; n claims before it
// led to nothing. The refresh token may be spent. refused: the provider refused the refresh token.
// paused: the provider asked for a pause.
type note struct {
	kind    noteKind
	nonce   string
	fit     string
	lasts   time.Duration
	n       int
	written time.Time
}

type noteKind string

const (
	noNote  noteKind = ""
	claimed noteKind = "claimed"
	refused noteKind = "refused"
	paused  noteKind = "paused"
)

const consentClass = "consent"

func (n note) String() string {
	written := n.written.UTC().Format(time.RFC3339)
	seconds := strconv.FormatInt(int64(n.lasts/time.Second), 10)
	switch n.kind {
	case claimed:
		return strings.Join([]string{string(claimed), n.nonce, n.fit, seconds, strconv.Itoa(n.n), written}, " ")
	case refused:
		return strings.Join([]string{string(refused), n.fit, consentClass, written}, " ")
	case paused:
		return strings.Join([]string{string(paused), n.fit, seconds, written}, " ")
	}
	return ""
}

// maxNote is longer than any wait that a note can ask for.
const maxNote = 48 * time.Hour

// parseNote reads a note. One that it does not understand counts for nothing.
func parseNote(text string) note {
	f := strings.Fields(text)
	if len(f) == 0 {
		return note{}
	}
	n := note{kind: noteKind(f[0])}
	var seconds, count string
	switch {
	case n.kind == claimed && len(f) == 6:
		n.nonce, n.fit, seconds, count = f[1], f[2], f[3], f[4]
	case n.kind == refused && len(f) == 4:
		n.fit, seconds, count = f[1], "0", "0"
	case n.kind == paused && len(f) == 4:
		n.fit, seconds, count = f[1], f[2], "0"
	default:
		return note{}
	}
	s, err1 := strconv.ParseInt(seconds, 10, 64)
	c, err2 := strconv.Atoi(count)
	written, err3 := time.Parse(time.RFC3339, f[len(f)-1])
	if err1 != nil || err2 != nil || err3 != nil || s < 0 || s > int64(maxNote/time.Second) || c < 0 {
		return note{}
	}
	n.lasts, n.n, n.written = time.Duration(s)*time.Second, c, written
	return n
}

// fitting returns the row's note, if it is about what is stored now.
func fitting(row *tokenstore.Noted) note {
	n := parseNote(row.Note)
	if n.kind == noNote || n.fit != fit(n.kind, &row.OAuthToken) {
		return note{}
	}
	return n
}

// fit is a digest of what a note is about: a claim, of the grant, refresh and access token; a
// refusal, of all that went into the request; a pause, of the refresh token and the client. So
// whoever stores another token has released the claim, or lifted the refusal, with that write.
func fit(kind noteKind, t *tokenstore.OAuthToken) string {
	var about []string
	switch kind {
	case claimed:
		about = []string{t.GrantToken, t.RefreshToken, t.AccessToken}
	case refused:
		about = []string{toRedeem(t), t.ClientID, t.ClientSecret, t.APIDomain}
	case paused:
		about = []string{toRedeem(t), t.ClientID}
	}
	h := sha256.New()
	for _, text := range append([]string{string(kind)}, about...) {
		h.Write([]byte(strconv.Itoa(len(text)) + ":" + text))
	}
	return encode(h.Sum(nil)[:10])
}

// toRedeem is what is redeemed: the refresh token or, before the first refresh, the grant.
func toRedeem(t *tokenstore.OAuthToken) string {
	if t.RefreshToken != "" {
		return t.RefreshToken
	}
	return t.GrantToken
}

// newNonce returns what tells a claim from all others.
func newNonce() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return encode(b[:])
}

func encode(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
