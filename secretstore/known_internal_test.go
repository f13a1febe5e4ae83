package secretstore

import (
	"fmt"
	"testing"
	"time"

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

// TestKeysAreRememberedAgain reads a token whose keys need not be hashed again, and then one
// whose keys must be: it has another revision, this process has written it, its keys may have
// been dropped, or this process has learned that refresh tokens are left out.
func TestKeysAreRememberedAgain(t *testing.T) {
	s := NewMemory()
	s.access = accessLeftOut
	holders := func(kind tokenstore.KeyKind, value string) int {
		return len(s.known.holders(s.hash(tokenstore.Key{Kind: kind, Value: value})))
	}
	see := func(revision, access string) *row {
		r := &row{name: "name", id: "id", state: live, revision: revision, bookkeeping: bookkeeping{generation: 1}}
		r.token = tokenstore.OAuthToken{UserName: "u", AccessToken: access, RefreshToken: "fake-refresh"}
		s.known.see(r, time.Now().Add(time.Hour))
		return r
	}
	read := func(revision, access string) { s.known.learn(s, see(revision, access)) }
	read("1", "fake-1")
	if read("1", "fake-1"); holders(tokenstore.AccessKey, "fake-1") != 1 {
		t.Error("a key that was read is not remembered")
	}
	s.known.keys = recent.Map[string]{} // Nothing shows whether it was hashed again, except this.
	if read("1", "fake-1"); holders(tokenstore.AccessKey, "fake-1") != 1 {
		t.Error("a key that was dropped is not remembered again")
	}
	s.known.keys.Put("other", "x")
	if read("2", "fake-2"); holders(tokenstore.AccessKey, "fake-2") != 1 {
		t.Error("the key of another revision is not remembered")
	}
	see("2b", "fake-2b") // As a repair does, which remembers no keys.
	if read("2b", "fake-2b"); holders(tokenstore.AccessKey, "fake-2b") != 1 {
		t.Error("the key of a revision that was seen before is not remembered")
	}
	written := &row{name: "name", id: "id", state: live, revision: "3", bookkeeping: bookkeeping{generation: 2}}
	written.token.AccessToken = "fake-3"
	if s.known.wrote(s, written); holders(tokenstore.AccessKey, "fake-3") != 1 {
		t.Error("a key that was written is not remembered")
	}
	read("4", "fake-4")
	if read("4", "fake-4"); holders(tokenstore.RefreshKey, "fake-refresh") != 0 {
		t.Error("a refresh token that is in the index is remembered")
	}
	s.rotates.Store(true)
	if read("4", "fake-4"); holders(tokenstore.RefreshKey, "fake-refresh") != 1 {
		t.Error("a refresh token that is left out is not remembered")
	}
}

// TestWrittenKeysAreRemembered has a process save a token that it has found more than once.
func TestWrittenKeysAreRemembered(t *testing.T) {
	s := NewMemory()
	s.access = accessLeftOut
	for i := range 3 {
		access := fmt.Sprint("fake-access-", i)
		if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", RefreshToken: "fake-refresh", AccessToken: access}); err != nil {
			t.Fatal(err)
		}
		if got := s.known.holders(s.hash(tokenstore.Key{Kind: tokenstore.AccessKey, Value: access})); len(got) != 1 {
			t.Errorf("after save %d its access token is held by %v", i, got)
		}
		for range 2 {
			if _, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"}); err != nil {
				t.Fatal(err)
			}
		}
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
