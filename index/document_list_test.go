package index_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// mover is a token whose only key keeps moving from one document to another: the new
// key is claimed, then the old one is released.
type mover struct {
	x    index.Index
	keys []string
	at   int
}

func (m *mover) claim(i int) index.Claim {
	return index.Claim{Hash: m.keys[i%len(m.keys)], ID: "mover", Generation: int64(i)}
}

func (m *mover) move(t *testing.T) {
	t.Helper()
	m.at++
	mustClaim(t, m.x.View(), m.claim(m.at))
	mustRelease(t, m.x.View(), m.claim(m.at-1))
}

// newMover stores one token for each document, and the mover, which has one key in
// each document.
func newMover(t *testing.T, secrets driver.Secrets, c *clock, fanout int) *mover {
	t.Helper()
	m := &mover{x: document(fanout).make(secrets, c.config())}
	stored := map[string]bool{}
	for i := 0; len(m.keys) < fanout; i++ {
		before := len(names(t, secrets))
		mustClaim(t, m.x.View(), index.Claim{Hash: hash(i), ID: fmt.Sprint("id", i), Generation: 1})
		if len(names(t, secrets)) > before {
			m.keys = append(m.keys, hash(i))
			stored[fmt.Sprint("id", i)] = true
		}
	}
	mustClaim(t, m.x.View(), m.claim(0))
	return m
}

// TestListOfMovingToken moves a token from one document to another while a list
// reads them, before any of its reads, and before each of them.
func TestListOfMovingToken(t *testing.T) {
	const fanout = 3
	for _, warm := range []bool{false, true} {
		for every := 1; every <= 4; every++ {
			for first := range 12 {
				for begin := range fanout {
					c, secrets := newClock(), memory.New()
					m := newMover(t, secrets, c, fanout)
					for range begin {
						m.move(t)
					}
					reads, listing := 0, false
					watched := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
						if reads++; listing && reads >= first && (reads-first)%every == 0 {
							m.move(t)
						}
						return do(ctx)
					})
					x := document(fanout).make(watched, c.config())
					lister := x.(index.Lister)
					if warm {
						if _, _, err := lister.IDs(ctx); err != nil {
							t.Fatal(err)
						}
					}
					reads, listing = 0, true
					ids, whole, err := lister.IDs(ctx)
					listing = false
					if err != nil || whole && !slices.Contains(ids, "mover") {
						t.Fatalf("warm %v, moved before each %d. read from the %d. on, at first in document %d: %q, %v, %v", warm, every, first, begin, ids, whole, err)
					}
					if m.at == begin+1 && !whole {
						t.Errorf("the list gives up after one move")
					}
					if limit := 4*fanout + 1; reads > limit {
						t.Errorf("a list takes %d reads, want %d at most", reads, limit)
					}
				}
			}
		}
	}
}

// TestListOfQuietStore counts the reads of lists while there are no writes.
func TestListOfQuietStore(t *testing.T) {
	const fanout = 4
	c, secrets := newClock(), memory.New()
	newMover(t, secrets, c, fanout)
	counted := func(x func(driver.Secrets) index.Index) func(want int, what string) {
		reads, counts := drivertest.Count(secrets)
		lister := x(reads).(index.Lister)
		before := 0
		return func(want int, what string) {
			t.Helper()
			if _, _, err := lister.IDs(ctx); err != nil {
				t.Fatal(err)
			}
			if got := counts.Total() - before; got != want {
				t.Errorf("%s: %d reads, want %d", what, got, want)
			}
			before = counts.Total()
		}
	}
	process := func(s driver.Secrets) index.Index { return document(fanout).make(s, c.config()) }
	list := counted(process)
	list(1+2*fanout, "a process that knows nothing, just after a write")
	list(fanout, "the same again")
	c.Advance(2 * time.Hour)
	list(1+fanout, "the same, when it no longer relies on the layout")
	counted(process)(1+fanout, "a process that knows nothing, long after")
	alone := memory.New()
	secrets = alone
	mustClaim(t, index.NewDocument(alone, c.config()).View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	counted(func(s driver.Secrets) index.Index { return index.NewDocument(s, c.config()) })(1, "one document")
}
