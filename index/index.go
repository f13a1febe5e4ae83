// Package index maps the keys of a token (user, refresh, access and grant
// token) to the IDs of the tokens that may hold them, over the same secrets
// that hold the tokens.
//
// An index never proves anything. A [Hint] says "the token with this ID may hold
// this key, claimed for that generation"; the caller checks the token itself. Finds are
// exact because of the order in which the engine writes: it claims keys before it writes
// the token, and releases them after.
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
	message := make([]byte, 0, 128) // Enough for most, and it stays on the stack.
	message = append(append(append(message, k.Kind...), 0), k.Value...)
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
	// ID is the token's ID as it is escaped in the secret's name: ASCII letters,
	// digits and underscores, at most 128.
	ID string
	// Generation is the generation of the token for which the key was claimed.
	Generation int64
	// Claimed is when the key was last claimed, to the second.
	Claimed time.Time
}

// Claim names a key, by its hash, and the token that claims or releases it.
type Claim struct {
	Hash       string
	ID         string
	Generation int64
	// Claimed, if set, limits a Release to the hint that was claimed at that time: a
	// hint that has been claimed again since is kept. View.Claim ignores it and uses
	// the index's clock.
	Claimed time.Time
}

// ErrFull is matched by the error of a Claim that would make a secret of the index too
// large for its service. Entries are full only if far too many tokens share one key. A
// document index grows before its documents are full, so the same is true for it, unless it
// already has [MaxFanout] documents. A Reshard to a fan-out that is too small fails with it
// too.
var ErrFull = errors.New("a secret of the index has no room: the fan-out is too small, or too many tokens share one key")

// Index is a map from hashes of keys to hints. It is safe for concurrent use
// by goroutines, processes and machines.
type Index interface {
	// View returns a view for one attempt of one operation.
	View() View

	// All yields every hash that has hints, with its hints. It is for repair, and may
	// be as out of date as the service's listing. Lookup, Claim and Release accept the
	// hash as yielded, although it may be shorter than HashLen.
	All(ctx context.Context) iter.Seq2[Entry, error]

	// Sweep removes the index's own leftovers: empty entries, and documents of an
	// older fan-out, that were last written longer than grace ago. It returns how many
	// there were; with dryRun it only counts them.
	Sweep(ctx context.Context, grace time.Duration, dryRun bool) (int, error)

	// Stats returns the size and use of each secret of the index. It only reads.
	Stats(ctx context.Context) ([]Stat, error)
}

// View is an index as one operation sees it. It keeps whatever it has read, with the
// revision, so that a look-up followed by a claim costs one read and one write. A write
// based on an outdated read fails at the service and is retried on the current state.
// A View must be used by one goroutine only.
type View interface {
	// Lookup returns the hints of each hash, in order of arrival. A hash
	// without hints has a nil slice.
	Lookup(ctx context.Context, hashes ...string) ([][]Hint, error)

	// Claim adds a hint for each claim, or raises the generation and time of the
	// hint that the ID already has; it writes even if nothing changes. It returns, for
	// each claim, the hints of other IDs in the very secret that it wrote. Claims that
	// share a secret cost one write. If it fails, some claims may have been applied; a
	// *Refused says which, and others then has their hints.
	Claim(ctx context.Context, claims ...Claim) (others [][]Hint, err error)

	// Release removes, for each claim, the ID's hint if its generation is not higher
	// than the claim's and, if Claimed is set, it was claimed at that time. It removes
	// nothing else, and writes nothing if there is no such hint. A secret that it cannot
	// change does not keep it from changing others.
	Release(ctx context.Context, claims ...Claim) error

	// Forget drops what the view has read, so that the next look-up reads again.
	Forget()
}

// Lister is implemented by an index that can list the IDs of all tokens
// without the service's listing.
type Lister interface {
	// IDs returns every ID that has a hint, each once, in order of its first claim as
	// far as known. whole is false if IDs may be missing: no index is stored (it was
	// never created, or is lost), or it kept changing while it was read. Then the
	// service's listing has the others.
	IDs(ctx context.Context) (ids []string, whole bool, err error)
}

// Counter is implemented by an index that can tell whether it has many tokens without
// reading all of itself.
type Counter interface {
	// More reports whether the index has certainly hints of more than n IDs. It reads no more
	// than it needs for that, and nothing if reading all of the index is hardly dearer.
	More(ctx context.Context, n int) (bool, error)
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
	// Keys is the number of hashes, Hints the number of hints.
	Keys, Hints int
	// Size is the size of the data in bytes, and MaxSize the service's limit; zero if
	// it is unknown.
	Size, MaxSize int
	// WritesToday counts the writes of the last 24 hours, and MaxWrites is the
	// service's limit; zero if it is unknown.
	WritesToday, MaxWrites int
	// Lacking reports that an older version of the secret was put back, so that hints are
	// missing until a repair.
	Lacking bool
}

// Config configures an index of either form.
type Config struct {
	// Prefix is the prefix of the names of the index's secrets, for example
	// "tokenstore/index/".
	Prefix string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits between retries; nil means a timer that honours the context.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0,1) that spreads the retries; nil means
	// math/rand/v2.Float64. With a Parallelism above 1, Jitter and Sleep are called by
	// several goroutines at the same time.
	Jitter func() float64
	// Grace is how long the documents of an older fan-out are kept before a later writer
	// deletes them; less than two hours counts as two hours.
	Grace time.Duration
	// Parallelism limits the concurrent calls to the service of one call of the index;
	// zero means 1.
	Parallelism int
}
