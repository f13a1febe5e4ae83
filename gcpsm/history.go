// A secret in the service is a log: versions are appended under numbers that the
// service assigns and never changes, and an append cannot be made conditional. A rule
// turns it into a compare-and-swap, by which all readers of the log agree:
//
//   - A version names the version that it was based on, and that one's number is its
//     generation. Each version that counts has a higher generation than the one before
//     it, and of several of one generation the lowest number counts: it was there
//     first, and the writers of the others had not seen it.
//   - A version without a generation was stored by a person. It counts as the
//     successor of the number before it.
//   - Versions that were destroyed or disabled are skipped. The current version is
//     never destroyed, and a replaced one only after keepFor, so that concurrent
//     writers still see why they lost.
//
// Only an access by number is strongly consistent. So a remembered number, or
// "latest", is only where to start; from there, reads go on by number up to the end.

package gcpsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// state is the state of a version number.
type state int

const (
	absent state = iota // No version, or not yet.
	stored              // A version that can be read.
	gone                // A version that was destroyed or disabled.
	idle                // A version known not to count; it need not be read.
)

// version is one version of a secret.
type version struct {
	number int64
	state  state
	etag   string // set if this process has just added it

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
	// pasted says that a person stored a copy of an earlier version, including the
	// driver's fields.
	pasted bool

	data []byte // without the fields above
}

// person reports whether the version was stored by a person, not by the driver.
func (v version) person() bool { return v.nonce == "" }

// restored reports whether the version may hold older data than the one before it, as
// any version that a person stored may.
func (v version) restored() bool { return v.person() || v.pasted }

// identity distinguishes the version from one of the same number in an earlier or later
// secret of that name.
func (v version) identity() string {
	if v.person() && v.state == stored {
		sum := sha256.Sum256(v.data)
		return "p" + hex.EncodeToString(sum[:8])
	}
	return v.nonce
}

// olderThan reports whether the version is certainly that old. When a person stored it is
// not known: a copy holds the time of its original, which must be kept as long as the copy
// is the current version, since only the two together show the copy.
func (v version) olderThan(age time.Duration, now time.Time) bool {
	return v.written > 0 && !v.restored() && now.Sub(time.UnixMilli(v.written)) >= age
}

// over reports whether the version can be read, was based on the one that base names, and
// is no person's.
func (v version) over(base ref) bool {
	return v.state == stored && !v.restored() && v.generation == base.number && v.base == base.identity
}

// ref names one version. It is the driver's revision.
type ref struct {
	number   int64
	identity string
}

func (v version) ref() ref { return ref{v.number, v.identity()} }

func (r ref) String() string { return strconv.FormatInt(r.number, 10) + "-" + r.identity }

// parseRef reports false for a string that is not a revision.
func parseRef(text string) (ref, bool) {
	number, identity, ok := strings.Cut(text, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	return ref{n, identity}, ok && err == nil && n > 0 && identity != ""
}

// versionLog is the versions of one secret. Its errors match the sentinels of package
// driver, or are those of a context.
type versionLog interface {
	// add stores a version and returns it with its number. If the error matches
	// driver.ErrUnavailable, or is that of a context, the version may be stored, now or
	// later; if driver.ErrNotFound, the secret does not exist.
	add(ctx context.Context, v version) (version, error)
	// access returns the version with a number.
	access(ctx context.Context, number int64) (version, error)
	// latest returns a version near the end of the log, as a hint. Its state is
	// gone, and its number zero, if it cannot be read.
	latest(ctx context.Context) (version, error)
	// destroy destroys a version. One that can no longer be destroyed is not an error.
	destroy(ctx context.Context, v version) error
}

// maxBack is how many unreadable versions in a row are skipped before a secret counts
// as empty.
const maxBack = 1000

const (
	// maxForward is how many versions one look reads: many times more than the quota
	// allows to be added to a global secret within hintAfter.
	maxForward = 1 << 16
	// maxNumber is higher than the number of any version.
	maxNumber = 1 << 40
	// maxLooks is how often a look starts again because versions were added. No quota
	// allows them to be added faster than they are read.
	maxLooks = 1000
)

// errEndless is returned when there is always one more version. Without it, a service
// that answers for every number would keep a reader forever.
var errEndless = fmt.Errorf("%w: gave up: the secret has too many versions to find the last one", driver.ErrUnavailable)

// history is what one operation has seen of a secret's versions.
type history struct {
	log  versionLog
	seen map[int64]version
	end  int64 // the highest number seen
	// sound is the number of a version that is known to count, or zero.
	sound int64
	// floor is a number before which no version can be read any more.
	floor int64
	reads int
}

func newHistory(log versionLog) *history {
	return &history{log: log, seen: map[int64]version{}, floor: 1}
}

// position is what a process remembers of a secret, to resume from.
type position struct {
	head  version // which counted
	end   int64   // the highest number; those above head do not count
	floor int64
}

// resume returns a history that starts from a position.
func resume(log versionLog, p position) *history {
	h := newHistory(log)
	h.floor = max(h.floor, p.floor)
	h.keep(p.head)
	for n := p.head.number + 1; n <= p.end; n++ {
		h.keep(version{number: n, state: idle})
	}
	h.sound = p.head.number
	return h
}

// keep records a version.
func (h *history) keep(v version) {
	h.seen[v.number] = v
	h.end = max(h.end, v.number)
	if v.state == stored {
		h.floor = max(h.floor, min(v.oldest, v.number))
	}
}

// at returns the version with a number, reading it if it is not known yet.
func (h *history) at(ctx context.Context, number int64) (version, error) {
	if v, ok := h.seen[number]; ok {
		return v, nil
	}
	if number < h.floor {
		return version{number: number, state: gone}, nil
	}
	return h.read(ctx, number)
}

// read reads a version.
func (h *history) read(ctx context.Context, number int64) (version, error) {
	h.reads++
	v, err := h.log.access(ctx, number)
	if err == nil && v.state != absent { // An absent one may still be added.
		h.keep(v)
	}
	return v, err
}

// begin finds a number to start from.
func (h *history) begin(ctx context.Context) error {
	hint, err := h.log.latest(ctx)
	if err != nil {
		return err
	}
	if hint.state == stored {
		h.keep(hint)
		return nil
	}
	// The hint may be outdated, or the latest version destroyed.
	first, err := h.read(ctx, 1)
	if err != nil || first.state == absent {
		return err
	}
	return h.leap(ctx)
}

// leap finds the end of a long log in few reads.
func (h *history) leap(ctx context.Context) error {
	missing := int64(0)
	for step := int64(1); missing == 0; step *= 2 {
		if step > maxNumber {
			return errEndless
		}
		v, err := h.read(ctx, h.end+step)
		if err != nil {
			return err
		}
		if v.state == absent {
			missing = v.number
		}
	}
	for missing-h.end > 1 {
		v, err := h.read(ctx, h.end+(missing-h.end)/2)
		if err != nil {
			return err
		}
		if v.state == absent {
			missing = v.number
		}
	}
	return nil
}

// forward reads on to the end.
func (h *history) forward(ctx context.Context) error {
	for range maxForward {
		v, err := h.read(ctx, h.end+1)
		if err != nil || v.state == absent {
			return err
		}
	}
	return errEndless
}

// head returns the current version; its state is absent if there is none.
//
// It reads on to the end and goes back to the first version that counts. If that took
// any reads, it checks again for new versions: only if none was added is it certain that
// the current version was not destroyed in between.
func (h *history) head(ctx context.Context) (version, error) {
	for range maxLooks {
		if err := h.forward(ctx); err != nil {
			return version{}, err
		}
		h.reads = 0
		v, err := h.newest(ctx)
		if err != nil {
			return version{}, err
		}
		if h.reads == 0 {
			h.sound = v.number
			return v, nil
		}
	}
	return version{}, errEndless
}

// newest returns the highest version up to the end that counts.
func (h *history) newest(ctx context.Context) (version, error) {
	back := 0
	for n := h.end; n >= h.floor && back < maxBack; n-- {
		v, err := h.at(ctx, n)
		if err != nil {
			return version{}, err
		}
		if v.state != stored {
			back++
			continue
		}
		if ok, err := h.counts(ctx, v); ok || err != nil {
			return h.seen[n], err
		}
	}
	return version{}, nil
}

// counts reports whether a version counts: whether its base was still the current
// version when it was added. If it was not, a version between the two with at least the
// same generation shows that.
func (h *history) counts(ctx context.Context, v version) (bool, error) {
	if v.person() || v.number == h.sound {
		return true, nil
	}
	if v.generation >= v.number {
		return false, nil // Of an earlier secret of this name.
	}
	beaten := false
	for n := v.number - 1; n > v.generation; n-- {
		u, err := h.at(ctx, n)
		if err != nil {
			return false, err
		}
		if u.state != stored {
			continue
		}
		if u.nonce == v.nonce {
			v.pasted = true
			h.keep(v)
			return true, nil
		}
		if !beaten {
			if beaten, err = h.reaches(ctx, u, v.generation); err != nil {
				return false, err
			}
		}
	}
	if b := h.seen[v.generation]; b.state == stored && v.base != "" && b.identity() != v.base {
		return false, nil // Of an earlier secret, too.
	}
	return !beaten, nil
}

// reaches reports whether a version has at least the given generation.
func (h *history) reaches(ctx context.Context, v version, generation int64) (bool, error) {
	if v.person() || v.generation >= generation {
		return max(v.number-1, v.generation) >= generation, nil
	}
	if v.number-1 < generation {
		return false, nil
	}
	// If a person pasted it with the driver's fields, the original is between it and its
	// base.
	for n := v.number - 1; n > v.generation; n-- {
		u, err := h.at(ctx, n)
		if err != nil {
			return false, err
		}
		if u.state == stored && u.nonce == v.nonce {
			return true, nil
		}
	}
	return false, nil
}
