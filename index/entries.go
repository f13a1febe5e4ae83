// The entries index, for services where secrets cost nothing: one secret for each key.

package index

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

// Entries is an index with one small secret for each key, named by the key's hash. A
// look-up reads one secret. A claim of a new key, or of one that was looked up before,
// writes one.
//
// An entry without hints is kept until Sweep removes it, so that a writer that knows an
// earlier state of it gets a conflict.
type Entries struct {
	source
	kept *snapshot // nil except in what Keep returns
}

// NewEntries returns an index of entries. It also implements [Keeper].
func NewEntries(secrets driver.Secrets, c Config) Index {
	return &Entries{source: newSource(secrets, c)}
}

// View returns a view for one attempt of one operation.
func (x *Entries) View() View {
	v := &entriesView{x: x}
	v.Forget()
	return v
}

// name returns the name of a key's secret.
func (x *Entries) name(hash string) string { return x.config.Prefix + hash }

// All yields every hash that has hints, in order of the hashes. An entry that
// cannot be read yields an error, and the others follow.
func (x *Entries) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range x.each(ctx) {
			switch {
			case err != nil:
				if !yield(Entry{}, err) {
					return
				}
			case len(e.marks) > 0:
				if !yield(Entry{strings.TrimPrefix(e.name, x.config.Prefix), e.marks.hints()}, nil) {
					return
				}
			}
		}
	}
}

// readTogether is how many entries are read in one call, if the service allows it.
const readTogether = 100

// each yields the stored entries in order of their names.
func (x *Entries) each(ctx context.Context) iter.Seq2[*entry, error] {
	return func(yield func(*entry, error) bool) {
		names, err := x.names(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for some := range slices.Chunk(names, readTogether) {
			for e, err := range x.some(ctx, some) {
				if !yield(e, err) {
					return
				}
			}
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// some yields those of the named entries that are stored. If reading them together
// fails they are read one by one, so that a damaged one does not hide the others.
func (x *Entries) some(ctx context.Context, names []string) iter.Seq2[*entry, error] {
	return func(yield func(*entry, error) bool) {
		objects, err := x.read(ctx, names)
		for i, name := range names {
			var o object
			one := err
			if err == nil {
				o = objects[i]
			} else if ctx.Err() == nil {
				o, one = x.readOne(ctx, name)
			}
			var e *entry
			if one == nil {
				if !o.exists() {
					continue
				}
				e, one = decodeEntry(o)
			}
			if !yield(e, one) || ctx.Err() != nil {
				return
			}
		}
	}
}

// readOne returns one entry.
func (x *Entries) readOne(ctx context.Context, name string) (object, error) {
	objects, err := x.read(ctx, []string{name})
	if err != nil {
		return object{}, err
	}
	return objects[0], nil
}

// list lists the names of all entries, sorted. Other names under the prefix do not
// belong to the index and are left out.
func (x *Entries) list(ctx context.Context) ([]string, error) {
	var names []string
	for name, err := range x.secrets.List(ctx, x.config.Prefix) {
		if err != nil {
			return nil, err
		}
		if checkHash(strings.TrimPrefix(name, x.config.Prefix), HashLen) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Sweep removes empty entries that have not been written for longer than grace. An
// entry that is written at the same time is kept. The error names the entries that
// could not be removed.
func (x *Entries) Sweep(ctx context.Context, grace time.Duration, dryRun bool) (int, error) {
	before := x.config.Now().Add(-grace).Unix()
	var old []object
	var faults []error
	for e, err := range x.each(ctx) {
		switch {
		case err != nil:
			faults = append(faults, err)
		case len(e.marks) == 0 && e.written < before:
			old = append(old, e.object)
		}
	}
	if dryRun {
		return len(old), errors.Join(faults...)
	}
	var mu sync.Mutex
	swept := 0
	err := parallel.Each(ctx, len(old), x.config.Parallelism, func(ctx context.Context, i int) error {
		err := x.remove(ctx, old[i])
		x.kept.drop(old[i].name)
		if err == nil {
			x.kept.put(absent(old[i].name))
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			swept++
		case !errors.Is(err, driver.ErrConflict):
			faults = append(faults, err)
		}
		return ctx.Err()
	})
	return swept, errors.Join(append(faults, err)...)
}

// Stats returns one Stat for each entry; it reads them all.
func (x *Entries) Stats(ctx context.Context) ([]Stat, error) {
	var stats []Stat
	var faults []error
	for e, err := range x.each(ctx) {
		if err != nil {
			faults = append(faults, err)
			continue
		}
		s := Stat{Name: e.name, Hints: len(e.marks), Size: e.size, MaxSize: x.limits.MaxSize, MaxWrites: x.limits.WritesPerDay}
		if s.Hints > 0 {
			s.Keys = 1
		}
		stats = append(stats, s)
	}
	return stats, errors.Join(faults...)
}
