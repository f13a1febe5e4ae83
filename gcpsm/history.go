package gcpsm

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

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"example.com/tokenstore/driver"
)

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
	// pasted says that a person has stored an earlier version again, with the
	// driver's fields in it.
	pasted bool

	data []byte // without the fields above
}

// person reports whether the version was stored by somebody else than the driver.
func (v version) person() bool { return v.nonce == "" }

// restored reports whether the version may hold older data than the one before it:
// those of a person may, and nobody but the person knows.
func (v version) restored() bool { return v.person() || v.pasted }

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

// maxBack is how many versions in a row that cannot be read are stepped over
// before a secret counts as empty.
const maxBack = 1000

const (
	// maxForward is how many versions one look reads: more than a global secret
	// gets in hintAfter under its quota, many times over.
	maxForward = 1 << 16
	// maxNumber is more than the number of any version.
	maxNumber = 1 << 40
	// maxLooks is how often a look begins again because versions were added. No
	// quota lets them be added faster than they are read.
	maxLooks = 1000
)

// errEndless is returned where there is always one more version. A service that
// answers for every number would keep a reader for ever.
var errEndless = fmt.Errorf("%w: gave up: the secret has no last version", driver.ErrUnavailable)

// history is what one operation has seen of a secret's versions.
type history struct {
	log  versionLog
	seen map[int64]version
	end  int64 // the highest number that is there, as far as seen
	// sound is a version of which it is known that it counts, if not zero.
	sound int64
	// floor is a number before which nothing can be read any more.
	floor int64
	reads int
}

func newHistory(log versionLog) *history {
	return &history{log: log, seen: map[int64]version{}, floor: 1}
}

// position is what a process remembers of a secret, to start from.
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

// keep takes note of a version.
func (h *history) keep(v version) {
	h.seen[v.number] = v
	h.end = max(h.end, v.number)
	if v.state == stored {
		h.floor = max(h.floor, min(v.oldest, v.number))
	}
}

// at returns what is there under a number, as far as known already, else read.
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
	if err == nil && v.state != absent { // Absent is only what is not there yet.
		h.keep(v)
	}
	return v, err
}

// begin looks for a number to start from.
func (h *history) begin(ctx context.Context) error {
	hint, err := h.log.latest(ctx)
	if err != nil {
		return err
	}
	if hint.state == stored {
		h.keep(hint)
		return nil
	}
	// There may be versions of which the hint does not know yet, and the latest
	// one may have been destroyed.
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

// forward reads on until there is no more.
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
// It reads on to the end, goes back to the first version that counts, and looks
// again whether there is more, if that took any reads: as long as no version was
// added, the current one cannot have been destroyed in the meantime.
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

// newest returns the highest version that counts, among those up to the end.
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

// counts reports whether a version counts: its base was still the current
// version when it was added. If it was not, a version between the two, of no
// lower generation, shows that.
func (h *history) counts(ctx context.Context, v version) (bool, error) {
	if v.person() || v.number == h.sound {
		return true, nil
	}
	if v.generation >= v.number {
		return false, nil // Of an earlier life of the secret.
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
		return false, nil // Of an earlier life, too.
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
	// If a person pasted it together with the driver's fields, its original is
	// between it and its base.
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
