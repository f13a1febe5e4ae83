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
