// Package index maps the keys of a token (user, refresh, access and grant
// token) to the IDs of the tokens that may hold them, over the same secrets
// that hold the tokens.
//
// An index never proves anything. A [Hint] says "the token with this ID may
// hold this key, claimed for that generation"; who follows it checks the token
// itself. What makes exact finds out of hints is the order of writes of the
// engine: keys are claimed before the token is written, and released after.
//
// There are two forms. [Entries] keeps one small secret for each key and suits
// services where secrets cost nothing. [Document] keeps many keys in few
// secrets and suits services that charge for each secret and each write.
package index

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"iter"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/escape"
)

// HashLen is the length of a hash in characters.
const HashLen = 26

// Hash returns the key's hash: the first 128 bits of SHA-256 over kind and
// value, or of HMAC-SHA-256 if there is a pepper, in lower-case base32. It is
// also the ID that is derived from the key.
func Hash(k tokenstore.Key, pepper []byte) string {
	message := []byte(string(k.Kind) + "\x00" + k.Value)
	if len(pepper) == 0 {
		sum := sha256.Sum256(message)
		return escape.Base32(sum[:16])
	}
	mac := hmac.New(sha256.New, pepper)
	mac.Write(message)
	return escape.Base32(mac.Sum(nil)[:16])
}

// Hint says that the token with this ID may hold a key.
type Hint struct {
	// ID is the token's ID in the form in which it stands in the secret's
	// name: ASCII letters, digits and underscores, at most 128.
	ID string
	// Generation is the generation of the token for which the key was claimed.
	Generation int64
	// Claimed is when the key was claimed last, to the second.
	Claimed time.Time
}

// Claim names a key, by its hash, and the token that claims or releases it.
type Claim struct {
	Hash       string
	ID         string
	Generation int64
	// Claimed, if it is set in a Release, limits that to the hint that was claimed
	// then: one that was claimed again since stays. A Claim has the time of the
	// index's own clock, and ignores it.
	Claimed time.Time
}

// ErrFull is matched by the error of a Claim that would make a document larger
// than its service stores. The remedy is a larger fan-out.
var ErrFull = errors.New("index document is full; give the index a larger fan-out")

// Index is a map from hashes of keys to hints. It is safe for concurrent use
// by goroutines, processes and machines.
type Index interface {
	// View returns a view for one attempt of one operation.
	View() View

	// All yields every hash that has hints, with its hints. It is for repair
	// and may be as old as the service's listing. The hash is passed back to
	// Lookup, Claim or Release as it is; it may be shorter than HashLen.
	All(ctx context.Context) iter.Seq2[Entry, error]

	// Sweep removes what the index itself left behind: empty entries and
	// documents of an older fan-out, if they are older than grace. It returns
	// how many there were; if dryRun is set it removes none.
	Sweep(ctx context.Context, grace time.Duration, dryRun bool) (int, error)

	// Stats returns what an operator wants to know about each secret of the
	// index. It only reads.
	Stats(ctx context.Context) ([]Stat, error)
}

// View is an index as one operation sees it. What it has read once it keeps,
// together with the revision, so that a look-up followed by a claim costs one
// read and one write; a write over something outdated fails at the service and
// is then done again on what is there now. A View is used by one goroutine.
type View interface {
	// Lookup returns the hints of each hash, in order of arrival. A hash
	// without hints has a nil slice.
	Lookup(ctx context.Context, hashes ...string) ([][]Hint, error)

	// Claim adds a hint for each claim, or raises the generation and time of
	// the hint which that ID has there already; it writes even if nothing
	// changes. It returns, for each claim, the hints of other IDs as they
	// stood in the very secret that it wrote. Claims that share a secret cost
	// one write. When it fails, some claims may have been carried out.
	Claim(ctx context.Context, claims ...Claim) (others [][]Hint, err error)

	// Release removes, for each claim, that ID's hint if its generation is not
	// higher than the claim's and it was claimed when the claim says, if it says
	// so, and no other. Where there is none it writes
	// nothing.
	Release(ctx context.Context, claims ...Claim) error

	// Forget drops what the view has read, so that the next look-up reads again.
	Forget()
}

// Lister is implemented by an index that can list the IDs of all tokens
// without the service's listing.
type Lister interface {
	// IDs returns every ID that has a hint, each once, in order of its first
	// claim as far as known, and whether these are all. They may not be if no index
	// is stored, so that it was never begun or is lost, or if it changed all the while
	// it was read; then the service's listing has the others.
	IDs(ctx context.Context) (ids []string, whole bool, err error)
}

// Entry is a hash with its hints.
type Entry struct {
	Hash  string
	Hints []Hint
}

// Stat describes one secret of an index.
type Stat struct {
	// Name is the secret's logical name.
	Name string
	// Keys is the number of hashes, Hints that of the hints.
	Keys, Hints int
	// Size is the size of the data in bytes, and MaxSize the service's limit,
	// zero if none is known.
	Size, MaxSize int
	// WritesToday counts the writes of the last 24 hours, and MaxWrites the
	// service's limit, zero if none is known.
	WritesToday, MaxWrites int
}

// Config is what both forms of an index need.
type Config struct {
	// Prefix begins the names of the index's secrets, for example
	// "tokenstore/index/".
	Prefix string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits between retries; nil means a timer that honours the context.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0,1) that spreads the retries; nil means
	// math/rand/v2.Float64. With a Parallelism above 1 it is called by several
	// goroutines, as Sleep is.
	Jitter func() float64
	// Parallelism bounds the calls of the service that one call of the index makes
	// at the same time; zero means 1.
	Parallelism int
}
