package secretstore

import (
	"fmt"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/recent"
)

// TestLastMetIsRemembered has a process read more tokens than it remembers. It still knows
// the last ones, so that it sees its own writes; and its memory is limited.
func TestLastMetIsRemembered(t *testing.T) {
	s := NewMemory()
	s.access = accessLeftOut
	const lately = 100
	meet := func(i int) {
		r := &row{name: fmt.Sprint("name-", i), id: fmt.Sprint(i), state: live, revision: "1", bookkeeping: bookkeeping{generation: int64(i) + 1}}
		r.token.AccessToken = fmt.Sprint("fake-access-", i)
		s.known.wrote(s, r)
	}
	const many = 2*recent.Half + recent.Half/2
	for i := range many {
		meet(i)
		if i%500 != 0 || i < lately {
			continue
		}
		for j := i - lately; j <= i; j++ {
			hash := s.hash(tokenstore.Key{Kind: "access", Value: fmt.Sprint("fake-access-", j)})
			if s.known.states.Generation(fmt.Sprint("name-", j)) != int64(j)+1 || len(s.known.holders(hash)) != 1 {
				t.Fatalf("after %d tokens the one met %d before is forgotten", i, i-j)
			}
		}
	}
	if s.known.states.Generation("name-0") != 0 {
		t.Errorf("after %d tokens the first is still remembered", many)
	}
}

// TestHoldersOfOneKeyAreBounded gives one access token to many tokens.
func TestHoldersOfOneKeyAreBounded(t *testing.T) {
	s := NewMemory()
	for i := range 1000 {
		s.known.hold("hash", fmt.Sprint(i))
		s.known.hold("hash", fmt.Sprint(i)) // A second time changes nothing.
	}
	if got := s.known.holders("hash"); len(got) != maxHolders || got[0] != "984" || got[maxHolders-1] != "999" {
		t.Errorf("the holders are %v, want the last %d", got, maxHolders)
	}
	if got := s.known.holders("other"); len(got) != 0 {
		t.Errorf("the holders of an unknown key are %v", got)
	}
}
