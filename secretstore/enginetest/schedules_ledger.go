// A service whose state can be digested, so that the search recognises a state that it has
// reached before.

package enginetest

import (
	"context"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/tokenstore/driver"
)

// ledger is a service for one exploration at a time. Its revisions count the writes of
// each name, so that its state does not depend on the order of writes to different
// names, and runs that reach the same state are recognised.
type ledger struct {
	entries map[string]ledgerEntry
	sum     uint64 // digest of the entries
	// seen digests, for each process, all answers since its last retry. The next step of
	// a deterministic process depends on nothing else.
	seen     map[string]uint64
	restarts map[string]uint64
}

type ledgerEntry struct {
	data   string
	writes int // including those before a deletion
	absent bool
	digest uint64
}

var ledgerSeed = maphash.MakeSeed()

func newLedger() *ledger {
	return &ledger{entries: map[string]ledgerEntry{}, seen: map[string]uint64{}, restarts: map[string]uint64{}}
}

// state digests the stored data.
func (l *ledger) state() uint64 { return l.sum }

// set stores an entry.
func (l *ledger) set(name string, e ledgerEntry) {
	e.digest = maphash.String(ledgerSeed, name+"\x00"+e.data+"\x00"+e.revision()+strconv.FormatBool(e.absent))
	l.sum ^= l.entries[name].digest ^ e.digest
	l.entries[name] = e
}

// restart records that a process has forgotten its answers.
func (l *ledger) restart(process string) {
	l.restarts[process]++
	l.seen[process] = l.restarts[process]
}

// process returns the service as one process sees it.
func (l *ledger) process(name string) driver.Secrets { return &ledgerView{l, name} }

type ledgerView struct {
	ledger *ledger
	name   string
}

// told adds an answer to the process's digest.
func (v *ledgerView) told(call, name, answer string) {
	var h maphash.Hash
	h.SetSeed(ledgerSeed)
	maphash.WriteComparable(&h, v.ledger.seen[v.name])
	_, _ = h.WriteString(call + name + "\x00" + answer)
	v.ledger.seen[v.name] = h.Sum64()
}

func (e ledgerEntry) revision() string { return strconv.Itoa(e.writes) }

func (v *ledgerView) Get(_ context.Context, name string) (driver.Secret, error) {
	e, ok := v.ledger.entries[name]
	if !ok || e.absent {
		v.told("get", name, "none")
		return driver.Secret{}, driver.ErrNotFound
	}
	v.told("get", name, e.revision()+e.data)
	return driver.Secret{Name: name, Data: []byte(e.data), Revision: e.revision()}, nil
}

// current reports whether revision is the current one of the name, empty for none.
func (v *ledgerView) current(name, revision string) bool {
	e, ok := v.ledger.entries[name]
	if !ok || e.absent {
		return revision == ""
	}
	return revision == e.revision()
}

func (v *ledgerView) Put(_ context.Context, s driver.Secret) (string, error) {
	if !v.current(s.Name, s.Revision) {
		v.told("put", s.Name, "conflict")
		return "", driver.ErrConflict
	}
	e := ledgerEntry{data: string(s.Data), writes: v.ledger.entries[s.Name].writes + 1}
	v.ledger.set(s.Name, e)
	v.told("put", s.Name, e.revision()+e.data)
	return e.revision(), nil
}

func (v *ledgerView) Delete(_ context.Context, name, revision string) error {
	e, ok := v.ledger.entries[name]
	if !ok || e.absent {
		v.told("delete", name, "none")
		return nil
	}
	if !v.current(name, revision) {
		v.told("delete", name, "conflict")
		return driver.ErrConflict
	}
	v.ledger.set(name, ledgerEntry{writes: e.writes, absent: true})
	v.told("delete", name, "done")
	return nil
}

func (v *ledgerView) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		names := slices.Sorted(maps.Keys(v.ledger.entries))
		names = slices.DeleteFunc(names, func(name string) bool {
			return !strings.HasPrefix(name, prefix) || v.ledger.entries[name].absent
		})
		v.told("list", prefix, strings.Join(names, " "))
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}
