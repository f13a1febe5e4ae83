// Writes whose outcome is unknown. The cases of concurrent writers accept a few of them, and
// look at what is stored instead: where others write too, a driver whose request or reply was
// lost cannot always find out what became of its write.

package conformance

import (
	"errors"
	"slices"

	"example.com/tokenstore/driver"
)

// unsure reports whether an error says that the outcome of a write is unknown, as that of any
// write may be whose reply is lost.
func (t *driverTrial) unsure(err error) bool {
	if !errors.Is(err, driver.ErrUnavailable) {
		return false
	}
	t.mu.Lock()
	t.doubts++
	t.mu.Unlock()
	return true
}

// told records a finding if the outcome of more than one in ten writes is unknown: the others
// have to be told what became of theirs.
func (t *driverTrial) told() {
	if t.doubts > 1+t.writes/10 {
		t.breaks("a driver finds out what became of a write whose reply was lost", "the outcome of %d of %d writes is unknown", t.doubts, t.writes)
	}
}

// conflictsOrUnsure records a finding unless a write conflicts, or its outcome is unknown.
func (t *driverTrial) conflictsOrUnsure(doing string, err error) {
	if !t.unsure(err) {
		t.conflicts(doing, err)
	}
}

// fate is what became of a write.
type fate int

const (
	unknown fate = iota
	happened
	failed
)

// fateOf returns what became of a write, and records a finding for an error that does not
// tell.
func (t *driverTrial) fateOf(doing string, err error) fate {
	switch {
	case err == nil:
		return happened
	case t.unsure(err):
		return unknown
	}
	t.conflicts(doing, err)
	return failed
}

// oneOf returns which of the writers whose outcome is unknown has won, and the revision.
func (t *driverTrial) oneOf(writers []int, name string) (winner int, current string) {
	winner = writers[0]
	current = t.revisionWhen(name, func(data []byte) bool {
		i := slices.IndexFunc(writers, func(i int) bool { return sameData(data, writtenBy(i)) })
		winner = writers[max(i, 0)]
		return i >= 0
	})
	return winner, current
}

// created returns the revision at which the name holds data after a creation whose outcome is
// unknown, and repeats it if necessary.
func (t *driverTrial) created(name string, data []byte) (revision string) {
	var err error
	t.settled(func() bool {
		var got driver.Secret
		if got, err = t.secrets.Get(t.ctx, t.named(name)); err == nil {
			revision = got.Revision
			return true
		}
		revision, err = t.put(t.secrets, name, data, "")
		return err == nil
	}, func() { t.must("Put of a new secret, after one whose outcome is unknown", err) })
	return revision
}

// revisionOf returns the revision at which the name holds data, or ends the case.
func (t *driverTrial) revisionOf(name string, data []byte) string {
	return t.revisionWhen(name, func(got []byte) bool { return sameData(got, data) })
}

func (t *driverTrial) revisionWhen(name string, holds func(data []byte) bool) (revision string) {
	t.settled(func() bool {
		got, err := t.secrets.Get(t.ctx, t.named(name))
		revision = got.Revision
		return err == nil && holds(got.Data)
	}, func() {
		t.fails("no write is known to have succeeded, and %s holds no data of one whose outcome is unknown", show(name, false))
		giveUp()
	})
	return revision
}
