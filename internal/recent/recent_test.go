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
