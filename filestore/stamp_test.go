package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenstore"
)

// edits is a file of one token that the tests change behind the store's back.
type edits struct {
	path  string
	store *Store
}

func newEdits(t *testing.T) edits {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.txt")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", AccessToken: "fake-000"}); err != nil {
		t.Fatal(err)
	}
	return edits{path, s}
}

// edit gives the token another access token of three digits, in place.
func (e edits) edit(t *testing.T, access string) {
	t.Helper()
	text := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain\n1,u,,," + "," + access + ",,,,\n"
	if err := os.WriteFile(e.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e edits) finds(t *testing.T, access string) {
	t.Helper()
	if found, err := e.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"}); err != nil || found.AccessToken != access {
		t.Fatalf("found %q, %v; want %s", found.AccessToken, err, access)
	}
}

// Edits of one size, quicker than the clock of the file system ticks, are all seen: after a
// find, and after a save of the store's own.
func TestEveryEditOfOneTickIsSeen(t *testing.T) {
	e := newEdits(t)
	for i := range 300 {
		access := fmt.Sprintf("fake-%03d", i)
		if i%10 == 9 {
			if _, err := e.store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", AccessToken: access}); err != nil {
				t.Fatal(err)
			}
		} else {
			e.edit(t, access)
		}
		e.finds(t, access)
	}
}

// A file that has been left alone for a while is not read again, until it is changed: also by
// what gives it back its size and the time when it was modified.
func TestAFileThatIsLeftAloneIsNotReadAgain(t *testing.T) {
	e := newEdits(t)
	e.edit(t, "fake-001")
	e.finds(t, "fake-001")
	time.Sleep(fineTick + fineTick/2)
	e.finds(t, "fake-001")
	info, err := os.Stat(e.path)
	if err != nil {
		t.Fatal(err)
	}
	before := e.store.last.Load()
	if info.ModTime().Nanosecond() != 0 { // Else it is read for longer.
		if e.finds(t, "fake-001"); e.store.last.Load() != before {
			t.Error("the file was read again")
		}
	}
	e.edit(t, "fake-002")
	if err := os.Chtimes(e.path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	now, err := os.Stat(e.path)
	if err != nil {
		t.Fatal(err)
	}
	if changed(now).IsZero() {
		t.Skip("here a file has no time that a program cannot set")
	}
	e.finds(t, "fake-002")
	if err := errors.Join(os.Rename(e.path, e.path+".old"), os.WriteFile(e.path, nil, 0o600), os.Remove(e.path), os.Rename(e.path+".old", e.path)); err != nil {
		t.Fatal(err)
	}
	e.finds(t, "fake-002")
}

// A stamp is believed only if the file had it for longer than a tick when it was read: on a
// file system with a coarse clock, an edit within the tick leaves the stamp as it was.
func TestAStampIsBelievedAfterATick(t *testing.T) {
	e := newEdits(t)
	fine := time.Now().Add(-time.Hour).Truncate(time.Second).Add(time.Millisecond)
	for _, c := range []struct {
		modified time.Time
		had      time.Duration // the stamp, when it was read
		believed bool
	}{
		{fine, 0, false},
		{fine, fineTick, false},
		{fine, fineTick + 1, true},
		{fine.Truncate(time.Second), fineTick + 1, false},
		{fine.Truncate(time.Second), coarseTick, false},
		{fine.Truncate(time.Second), coarseTick + 1, true},
	} {
		if err := os.Chtimes(e.path, c.modified, c.modified); err != nil {
			t.Fatal(err)
		}
		now, err := look(e.path)
		if err != nil {
			t.Fatal(err)
		}
		seen := time.Now()
		snap := &snapshot{doc: emptyDocument(), stamp: now, seen: seen, at: seen.Add(c.had)}
		if got := snap.believed(now); got != c.believed {
			t.Errorf("modified at %v and read %v after that was seen: believed is %t", c.modified, c.had, got)
		}
		if snap = snap.again(now, seen.Add(time.Minute)); !snap.believed(now) {
			t.Error("after it was read again with this stamp, it is not believed")
		}
		if snap.again(stamp{}, seen.Add(time.Hour)).believed(now) {
			t.Error("a document is believed whose file was not there when it was read")
		}
	}
}
