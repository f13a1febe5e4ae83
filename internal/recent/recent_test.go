// The map stays within its bound.

package recent

import (
	"fmt"
	"testing"
)

// TestMapIsBoundedAndKeepsTheLast puts more names than a map keeps.
func TestMapIsBoundedAndKeepsTheLast(t *testing.T) {
	var m Map[int]
	for i := range 3 * Half {
		m.Put(fmt.Sprint(i), i)
	}
	if n := len(m.younger) + len(m.older); n > 2*Half {
		t.Errorf("%d names", n)
	}
	for i := 2 * Half; i < 3*Half; i++ {
		if v, ok := m.Get(fmt.Sprint(i)); !ok || v != i {
			t.Fatalf("name %d: %d, %v", i, v, ok)
		}
	}
	if _, ok := m.Get("0"); ok {
		t.Error("the first is still there")
	}
}

// TestWhatIsUsedStays uses one name while very many others are put.
func TestWhatIsUsedStays(t *testing.T) {
	var m Map[int]
	m.Put("used", 7)
	for i := range 5 * Half {
		m.Put(fmt.Sprint(i), i)
		if i%1000 == 0 {
			if v, ok := m.Use("used"); !ok || v != 7 {
				t.Fatalf("after %d names: %d, %v", i, v, ok)
			}
		}
	}
	if _, ok := m.Use("0"); ok {
		t.Error("a name that is gone is there")
	}
	if n := len(m.younger) + len(m.older); n > 2*Half {
		t.Errorf("%d names", n)
	}
}
