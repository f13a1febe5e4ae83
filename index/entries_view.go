// Lookup, Claim and Release on entries.

package index

import (
	"context"
	"errors"
	"sync"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

// entriesView keeps the entries that one operation has read or written.
type entriesView struct {
	x *Entries

	mu      sync.Mutex        // For the entries that one call writes at the same time.
	entries map[string]*entry // By hash; nil while there are none, as in most finds by user.
}

func (v *entriesView) Forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.entries = nil
}

// known returns the entry of a hash as it was last read or written, or nil.
func (v *entriesView) known(hash string) *entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.entries[hash]
}

// keep keeps the entry of a hash; with nil it drops it.
func (v *entriesView) keep(hash string, e *entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e == nil {
		delete(v.entries, hash)
		return
	}
	if v.entries == nil {
		v.entries = map[string]*entry{}
	}
	v.entries[hash] = e
}

func (v *entriesView) Lookup(ctx context.Context, hashes ...string) ([][]Hint, error) {
	if err := v.load(ctx, hashes); err != nil {
		return nil, err
	}
	found := make([][]Hint, len(hashes))
	for i, hash := range hashes {
		found[i] = v.known(hash).marks.hints()
	}
	return found, nil
}

// load reads the entries that the view has not read yet. One that cannot be read does not
// keep it from reading the others.
func (v *entriesView) load(ctx context.Context, hashes []string) error {
	var names, missing []string
	for _, hash := range distinct(hashes) {
		if err := checkHash(hash, HashLen); err != nil {
			return err
		}
		if v.known(hash) == nil {
			missing = append(missing, hash)
			names = append(names, v.x.name(hash))
		}
	}
	objects, err := v.x.read(ctx, names)
	if errors.Is(err, driver.ErrUnreadable) && len(names) > 1 {
		return v.loadEach(ctx, missing)
	}
	if err != nil {
		return err
	}
	var faults []error
	for i, o := range objects {
		e, err := decodeEntry(o)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		v.keep(missing[i], e)
	}
	return errors.Join(faults...)
}

// loadEach reads entries one by one, several at a time.
func (v *entriesView) loadEach(ctx context.Context, hashes []string) error {
	faults := make([]error, len(hashes))
	err := parallel.Each(ctx, len(hashes), v.x.config.Parallelism, func(ctx context.Context, i int) error {
		faults[i] = v.load(ctx, hashes[i:i+1])
		if errors.Is(faults[i], driver.ErrUnreadable) {
			return nil
		}
		return faults[i]
	})
	if err != nil {
		return err
	}
	return errors.Join(faults...)
}

// distinct returns the strings without repetitions, in their order.
func distinct(texts []string) []string {
	seen := make(map[string]bool, len(texts))
	var once []string
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			once = append(once, text)
		}
	}
	return once
}

// Claim writes one entry for each hash. An entry that the view has not read is assumed
// to be new; it is read only if creating it fails.
func (v *entriesView) Claim(ctx context.Context, claims ...Claim) ([][]Hint, error) {
	err := v.eachHash(ctx, claims, func(ctx context.Context, hash string, claims []Claim) error {
		return v.write(ctx, hash, func(e *entry) {
			for _, c := range claims {
				e.marks = e.marks.claim(c, v.x.config.Now())
			}
		})
	})
	var some *Refused
	if err != nil && !errors.As(err, &some) {
		return nil, err
	}
	others := make([][]Hint, len(claims))
	for i, c := range claims {
		if some == nil || some.Faults[i] == nil {
			others[i] = v.known(c.Hash).marks.others(c.ID)
		}
	}
	return others, err
}

// Release rewrites the entries that have such a hint. It first reads the entries that
// the view has not read.
func (v *entriesView) Release(ctx context.Context, claims ...Claim) error {
	return v.eachHash(ctx, claims, func(ctx context.Context, hash string, claims []Claim) error {
		if err := v.load(ctx, []string{hash}); err != nil {
			return err
		}
		return v.write(ctx, hash, func(e *entry) {
			for _, c := range claims {
				e.marks = e.marks.release(c)
			}
		}, claims...)
	})
}

// eachHash calls do with the claims of each hash, for several hashes at a time. A fault of
// one does not keep the others from being written.
func (v *entriesView) eachHash(ctx context.Context, claims []Claim, do func(ctx context.Context, hash string, claims []Claim) error) error {
	places := make(map[string][]int, len(claims)) // By hash.
	var hashes []string
	for i, c := range claims {
		if err := c.check(HashLen); err != nil {
			return err
		}
		hashes = append(hashes, c.Hash)
		places[c.Hash] = append(places[c.Hash], i)
	}
	hashes = distinct(hashes)
	faults := make([]error, len(claims))
	err := parallel.Each(ctx, len(hashes), v.x.config.Parallelism, func(ctx context.Context, i int) error {
		at := places[hashes[i]]
		of := make([]Claim, len(at))
		for j, place := range at {
			of[j] = claims[place]
		}
		err := do(ctx, hashes[i], of)
		if err == nil || !concernsOne(err) {
			return err
		}
		for _, place := range at { // No other goroutine has this hash.
			faults[place] = err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return refused(faults)
}

// write changes one entry by compare-and-swap. If there are releases, nothing
// is written unless one of them removes a hint.
func (v *entriesView) write(ctx context.Context, hash string, change func(*entry), releases ...Claim) error {
	guessed := v.known(hash) == nil
	if guessed {
		v.keep(hash, &entry{object: absent(v.x.name(hash))})
	}
	for attempt := 0; ; attempt++ {
		e := v.known(hash)
		if len(releases) > 0 && !anyReleases(e.marks, releases) {
			return nil
		}
		// If anything fails from here on, the view must read the entry again.
		v.keep(hash, nil)
		change(e)
		e.written = seconds(v.x.config.Now())
		v.x.kept.drop(e.name) // Others may have written it; or it is written, and kept again.
		conflict, err := v.put(ctx, hash, e)
		if err != nil || conflict == nil {
			return err
		}
		if !guessed || attempt > 0 {
			if err := v.x.retry(ctx, attempt, e.object, conflict); err != nil {
				return err
			}
		}
		if err := v.load(ctx, []string{hash}); err != nil {
			return err
		}
	}
}

// put writes the entry and keeps it in the view.
func (v *entriesView) put(ctx context.Context, hash string, e *entry) (conflict, err error) {
	o, err := v.x.put(ctx, e.stored(), v.x.limits.MaxSize)
	if errors.Is(err, driver.ErrConflict) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	v.x.kept.put(o)
	e.revision, e.generation, e.size = o.revision, o.generation, o.size
	v.keep(hash, e)
	return nil, nil
}

func anyReleases(m marks, claims []Claim) bool {
	for _, c := range claims {
		if m.releases(c) {
			return true
		}
	}
	return false
}
