package gcpsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// A secret of the service is a log: versions are added at its end, under numbers
// that the service gives and never changes, and nobody can make an addition
// depend on what is there. What makes a compare-and-swap of it is a rule by which
// everybody who reads the log comes to the same result:
//
//   - A version names the version that it was based on. The number of that one is
//     its generation. Generations only grow from one version that counts to the
//     next, and of several versions of one generation the lowest number counts:
//     it was there first, and whoever wrote the others had not seen it.
//   - A version without a generation was stored by a person. It counts, as the
//     successor of the number before it.
//   - Versions that cannot be read any more, destroyed or disabled, are stepped
//     over. The current version is never destroyed, and what it replaced only
//     after keepFor, so that those who are at work still see why they lost.
//
// The only call that is strongly consistent is to access a version by its
// number. So a number that this process remembers, or "latest", is no more than
// where to start; from there one goes on by number until there is no more.

// state is what there is under a number.
type state int

const (
	absent state = iota // Nothing, or nothing yet.
	stored              // A version that can be read.
	gone                // A version that was destroyed or disabled.
	idle                // A version that is known not to count; it need not be read.
)

// version is one version of a secret.
type version struct {
	number int64
	state  state
	etag   string // if this process has just added it

	// nonce marks the write; empty if a person stored the version.
	nonce string
	// generation and base are the number and the identity of the version that
	// this one was based on; zero and empty for the first.
	generation int64
	base       string
	// written is the writer's time, in epoch milliseconds.
	written int64
	// oldest is a number before which all versions are destroyed.
	oldest int64
	// deleted is set in the mark of a deleted secret.
	deleted bool

	data []byte // without the fields above
}

// person reports whether the version was stored by somebody else than the driver.
func (v version) person() bool { return v.nonce == "" }

// identity tells the version from others of the same number in another life of
// the secret.
func (v version) identity() string {
	if v.person() && v.state == stored {
		sum := sha256.Sum256(v.data)
		return "p" + hex.EncodeToString(sum[:8])
	}
	return v.nonce
}

// ref names one version: a revision of the driver.
type ref struct {
	number   int64
	identity string
}

func (v version) ref() ref { return ref{v.number, v.identity()} }

func (r ref) String() string { return strconv.FormatInt(r.number, 10) + "-" + r.identity }

// parseRef reports false for a text that no revision has.
func parseRef(text string) (ref, bool) {
	number, identity, ok := strings.Cut(text, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	return ref{n, identity}, ok && err == nil && n > 0 && identity != ""
}

// versionLog is the versions of one secret. Its errors match the sentinels of
// package driver, or are a context's.
type versionLog interface {
	// add stores a version and returns it with its number. If the error matches
	// driver.ErrUnavailable, or is a context's, the version may be stored or may
	// be stored later; if driver.ErrNotFound, there is no such secret.
	add(ctx context.Context, v version) (version, error)
	// access returns what is there under a number.
	access(ctx context.Context, number int64) (version, error)
	// latest returns a version near the end of the log, as a hint. Its state is
	// gone, and its number zero, if it cannot be read.
	latest(ctx context.Context) (version, error)
	// destroy destroys a version; one that cannot be destroyed any more is no
	// error.
	destroy(ctx context.Context, v version) error
}
