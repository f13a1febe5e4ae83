// Cases of concurrent writers. The engine has no transactions: it relies on one of them
// winning, and on the others noticing.

package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"example.com/tokenstore/driver"
)

func driverConcurrentCases() []DriverCase {
	return []DriverCase{
		{"concurrent-new", "of several concurrent creations of one name exactly one succeeds, and the others conflict", concurrentNew},
		{"concurrent-replace", "of several concurrent writes with the same revision exactly one succeeds, and the others conflict", concurrentReplace},
		{"concurrent-count", "no successful write is lost: a counter that all writers raise by compare-and-swap is exact", concurrentCount},
		{"concurrent-delete", "of a concurrent Delete and Put with the same revision exactly one succeeds", concurrentDelete},
		{"concurrent-delete-all", "deleting a secret that another process has just deleted is not an error", func(t *driverTrial) {
			writers := t.writers()
			for range t.settings.rounds {
				r := t.store("a", value("1"), "")
				errs := make([]error, len(writers))
				allCall(writers, func(i int, s driver.Secrets) { errs[i] = s.Delete(t.ctx, t.named("a"), r) })
				known := false
				for _, err := range errs {
					if !t.unsure(err) {
						t.must("Delete concurrent with others of the same revision", err)
						known = true
					}
				}
				if !known {
					t.remove("a", r)
				}
				t.missing("a")
			}
		}},
		{"concurrent-recreate", "a late writer neither overwrites nor deletes a secret that was created after a deletion", concurrentRecreate},
		{"concurrent-apart", "calls for different names do not affect each other", concurrentApart},
		{"concurrent-read", "Get and GetBatch return the data of one write with its revision, also while others write; a secret that is replaced is never missing", concurrentRead},
	}
}

// writers returns a driver for each goroutine. With DriverHandle they share nothing, as in
// different processes.
func (t *driverTrial) writers() []driver.Secrets {
	processes := []driver.Secrets{t.secrets, t.anotherOr(t.secrets), t.anotherOr(t.secrets)}
	writers := make([]driver.Secrets, max(t.settings.workers, 2))
	for i := range writers {
		writers[i] = processes[i%len(processes)]
	}
	return writers
}

// allCall runs do for all writers concurrently and waits for them.
func allCall(writers []driver.Secrets, do func(i int, s driver.Secrets)) {
	together(len(writers), func(i int) { do(i, writers[i]) })
}

// oneWins has all writers replace revision with data of their own, and returns the winner
// and the new revision.
func (t *driverTrial) oneWins(writers []driver.Secrets, name, revision string) (winner int, current string) {
	won := make([]string, len(writers))
	errs := make([]error, len(writers))
	allCall(writers, func(i int, s driver.Secrets) {
		won[i], errs[i] = t.put(s, name, writtenBy(i), revision)
	})
	winners := 0
	var unsure []int
	for i, err := range errs {
		switch {
		case err == nil:
			winners++
			winner, current = i, won[i]
		case t.unsure(err):
			unsure = append(unsure, i)
		default:
			t.conflicts("Put concurrent with others", err)
		}
	}
	if winners == 0 && len(unsure) > 0 {
		return t.oneOf(unsure, name)
	}
	if winners != 1 {
		t.fails("of %d writes %d succeeded", len(writers), winners)
		giveUp()
	}
	t.holds(name, writtenBy(winner), current)
	return winner, current
}

// writtenBy returns the data that a writer writes in oneWins.
func writtenBy(i int) []byte { return value(fmt.Sprint("writer ", i)) }

func concurrentNew(t *driverTrial) {
	writers := t.writers()
	for i := range t.settings.rounds {
		name := fmt.Sprint("new-", i)
		t.oneWins(writers, name, "")
	}
	// The same name again and again, through deletions.
	for range t.settings.rounds {
		_, r := t.oneWins(writers, "again", "")
		t.remove("again", r)
	}
}

func concurrentReplace(t *driverTrial) {
	writers := t.writers()
	r := t.store("a", value("0"), "")
	for range t.settings.rounds {
		_, r = t.oneWins(writers, "a", r)
	}
}

func concurrentCount(t *driverTrial) {
	writers := t.writers()
	t.store("count", counted(0), "")
	var mu sync.Mutex
	replaced := map[string]int{}
	unsure := 0
	allCall(writers, func(_ int, s driver.Secrets) {
		for range t.settings.rounds / 2 {
			from, doubts, err := t.raise(s)
			mu.Lock()
			unsure += doubts
			if err == nil {
				replaced[from]++
			}
			mu.Unlock()
			if err != nil {
				t.fails("raise the counter: %s", safe(err))
				return
			}
		}
	})
	for _, n := range replaced {
		if n > 1 {
			t.fails("%d writes of one revision succeeded", n)
		}
	}
	t.counts(len(writers)*(t.settings.rounds/2), unsure)
}

// counts records a finding unless the counter is at least n, and no more than unsure above.
func (t *driverTrial) counts(n, unsure int) {
	var got int
	t.settled(func() bool {
		secret, err := t.secrets.Get(t.ctx, t.named("count"))
		if err == nil {
			got, err = countIn(secret.Data)
		}
		return err == nil && n <= got && got <= n+unsure
	}, func() {
		t.fails("the counter is at %d after %d writes that succeeded and %d whose outcome is unknown", got, n, unsure)
	})
}

// counted returns the data of a counter.
func counted(n int) []byte { return []byte(fmt.Sprintf(`{"count":"%d","value":"%s"}`, n, mark)) }

// countIn returns the counter that data holds.
func countIn(data []byte) (int, error) {
	var object struct {
		Count int `json:"count,string"`
	}
	err := json.Unmarshal(data, &object)
	return object.Count, err
}

// raise adds one to the counter and returns the revision that it replaced, and how many
// writes before that had an unknown outcome. It gives up after too many conflicts, or at any
// other error.
func (t *driverTrial) raise(s driver.Secrets) (replaced string, unsure int, err error) {
	for tries := 0; tries < 10_000; tries++ {
		var wrote bool
		replaced, wrote, err = t.raiseOnce(s)
		stale := errors.Is(err, driver.ErrNotFound) && t.settings.settle != nil
		switch {
		case err == nil:
			return replaced, unsure, nil
		case wrote && t.unsure(err):
			unsure++
		case !stale && !errors.Is(err, driver.ErrConflict):
			return "", unsure, err
		}
		if err := t.settleOnce(); err != nil {
			return "", unsure, err
		}
	}
	return "", unsure, errors.New("gave up after 10,000 conflicts")
}

// raiseOnce also reports whether it got as far as its write.
func (t *driverTrial) raiseOnce(s driver.Secrets) (replaced string, wrote bool, err error) {
	got, err := s.Get(t.ctx, t.named("count"))
	if err != nil {
		return "", false, err
	}
	n, err := countIn(got.Data)
	if err != nil {
		return "", false, err
	}
	_, err = t.put(s, "count", counted(n+1), got.Revision)
	return got.Revision, true, err
}

func (t *driverTrial) settleOnce() error {
	if t.settings.settle == nil {
		return t.ctx.Err()
	}
	return t.settings.settle(t.ctx)
}

func concurrentDelete(t *driverTrial) {
	writers := t.writers()[:2]
	doubtful := 0 // rounds after which a name may be taken or not
	for round := range t.settings.rounds {
		name := fmt.Sprint("a", round%3+3*doubtful)
		r := t.store(name, value("1"), "")
		var written string
		errs := make([]error, 2)
		allCall(writers, func(i int, s driver.Secrets) {
			// Each is the first to start in half of the rounds.
			if i == round%2 {
				errs[0] = s.Delete(t.ctx, t.named(name), r)
				return
			}
			written, errs[1] = t.put(s, name, value("2"), r)
		})
		deleted, put := t.fateOf("Delete concurrent with a Put", errs[0]), t.fateOf("Put concurrent with a Delete", errs[1])
		switch {
		case deleted == happened && put == happened:
			t.fails("a Delete and a Put of one revision both succeeded")
			return
		case deleted == failed && put == failed:
			t.fails("of a Delete and a Put of one revision neither succeeded")
			return
		case put == happened, deleted == failed:
			if put == unknown {
				written = t.revisionOf(name, value("2"))
			}
			t.holds(name, value("2"), written)
			t.remove(name, written)
		case deleted == happened, put == failed:
			t.missing(name)
		default:
			doubtful++
		}
	}
}

func concurrentRecreate(t *driverTrial) {
	writers := t.writers()
	old := t.store("a", value("1"), "")
	t.remove("a", old)
	for range t.settings.rounds {
		var created string
		errs := make([]error, len(writers))
		allCall(writers, func(i int, s driver.Secrets) {
			switch i % 3 {
			case 0:
				if i > 0 {
					return
				}
				created, errs[i] = t.put(s, "a", value("1"), "")
			case 1:
				_, errs[i] = t.put(s, "a", value("late"), old)
			case 2:
				errs[i] = s.Delete(t.ctx, t.named("a"), old)
			}
		})
		for i, err := range errs {
			switch i % 3 {
			case 0:
				if t.unsure(err) {
					created = t.created("a", value("1"))
				} else {
					t.must("Put of a new secret concurrent with late writers", err)
				}
			case 1:
				t.conflictsOrUnsure("a late Put", err)
			case 2:
				if err != nil {
					t.conflictsOrUnsure("a late Delete", err)
				}
			}
		}
		t.holds("a", value("1"), created)
		old = created
		t.remove("a", old)
	}
}

func concurrentApart(t *driverTrial) {
	allCall(t.writers(), func(i int, s driver.Secrets) {
		name, r := fmt.Sprint("apart-", i), ""
		for round := range t.settings.rounds {
			data := value(fmt.Sprint("apart ", i, " ", round))
			var err error
			if r, err = t.put(s, name, data, r); err != nil {
				t.fails("Put of a name that no other writer uses: %s", safe(err))
				return
			}
			t.holdsFor(s, name, data, r)
		}
	})
}

// concurrentRead has one writer replace each of two secrets while others read them.
func concurrentRead(t *driverTrial) {
	names := []string{"x", "y"}
	var mu sync.Mutex
	written := map[string][]byte{} // by name and revision
	var read []driver.Secret
	writes := func(s driver.Secrets, name string, round int, revision string) (string, error) {
		data := value(fmt.Sprint(name, " ", round))
		r, err := t.put(s, name, data, revision)
		mu.Lock()
		defer mu.Unlock()
		written[t.named(name)+" "+r] = data
		return r, err
	}
	reads := func(got []driver.Secret, err error, wanted int) {
		absent := err == nil && len(got) < wanted || errors.Is(err, driver.ErrNotFound)
		switch {
		case absent && t.settings.settle != nil:
			return
		case absent:
			t.fails("a secret that is replaced is missing")
		case err != nil:
			t.fails("a read while others write: %s", safe(err))
		}
		mu.Lock()
		defer mu.Unlock()
		read = append(read, got...)
	}
	first := map[string]string{}
	for _, name := range names {
		r, err := writes(t.secrets, name, 0, "")
		t.must("Put", err)
		first[name] = r
	}
	allCall(t.writers(), func(i int, s driver.Secrets) {
		if i < len(names) {
			r := first[names[i]]
			for round := range t.settings.rounds {
				var err error
				if r, err = writes(s, names[i], round+1, r); err != nil {
					t.fails("Put of a name that no other writer uses: %s", safe(err))
					return
				}
			}
			return
		}
		for round := range t.settings.rounds {
			name := names[(i+round)%len(names)]
			got, err := s.Get(t.ctx, t.named(name))
			if err == nil && got.Name != t.named(name) {
				t.fails("Get of %s returned %s", show(name, false), t.short(got.Name))
			}
			reads([]driver.Secret{got}, err, 1)
			if batch, ok := driver.As[driver.BatchGetter](s); ok {
				many, err := batch.GetBatch(t.ctx, []string{t.named("x"), t.named("y")})
				reads(many, err, len(names))
			}
		}
	})
	for _, s := range read {
		if data, ok := written[s.Name+" "+s.Revision]; !ok || !sameData(s.Data, data) {
			t.fails("a read while others write returned data that was not written with its revision")
			return
		}
	}
}
