// What a process remembers of its secrets has a bound in bytes too.

package gcpsm

import (
	"fmt"
	"testing"
	"time"
)

func TestWhatIsKnownIsBounded(t *testing.T) {
	s := newSecrets(nil, &settings{})
	total := func() (n int) {
		for _, m := range s.known {
			n += len(m.head.data)
		}
		return n
	}
	for i := range 3 * maxKnownBytes / maxSize {
		for range 2 { // The second time replaces the first.
			s.remember(fmt.Sprint(i), &history{}, version{state: stored, data: make([]byte, maxSize)}, 1, time.Time{}, time.Unix(int64(i), 0))
		}
		if s.knownBytes != total() || s.knownBytes > maxKnownBytes {
			t.Fatalf("after %d secrets %d bytes are counted, and %d known", i+1, s.knownBytes, total())
		}
	}
	if len(s.known) < 2 {
		t.Errorf("only %d secrets are known", len(s.known))
	}
	for id := range s.known {
		s.forget(id)
		s.forget(id)
	}
	if s.knownBytes != 0 {
		t.Errorf("%d bytes of nothing are counted", s.knownBytes)
	}
}

// TestMoreThanIsKnown reads more secrets in turn than are remembered: those that are stay so,
// as long as what is known of them is of use.
func TestMoreThanIsKnown(t *testing.T) {
	s := newSecrets(nil, &settings{})
	s.mostKnown = 10
	now := time.Unix(1_700_000_000, 0)
	read := func(i int) (known bool) {
		id := fmt.Sprint(i)
		_, known = s.recall(id)
		s.remember(id, &history{}, version{state: stored, data: []byte("{}")}, 1, now, now)
		return known
	}
	for pass := range 3 {
		hits := 0
		for i := range 35 {
			if read(i) {
				hits++
			}
		}
		if pass > 0 && hits != s.mostKnown {
			t.Errorf("pass %d finds %d secrets known, want %d", pass, hits, s.mostKnown)
		}
	}
	now = now.Add(knownFor)
	if read(5); !read(5) {
		t.Error("what was read long ago keeps others from being remembered")
	}
}
