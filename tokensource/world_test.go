package tokensource_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/tokenstore"
)

// class is how a provider treats a refresh token that was redeemed before.
type class uint8

const (
	keeps  class = iota // the refresh token stays the same (Zoho, Google)
	mild                // rotates; a second use is refused, and nothing else happens
	strict              // rotates; a second use revokes the whole family (RFC 9700, 4.14.2)
	replay              // rotates; within the grace a second use gets the first one's answer again
	branch              // rotates; within the grace a second use gets a further pair, both good
	last                // rotates; within the grace a second use gets a further pair, and the first one's dies
)

func (c class) String() string {
	return [...]string{"keeps", "mild", "strict", "replay", "branch", "last"}[c]
}

// once: a second use of a refresh token is refused, or harms what the first one gave.
func (c class) once() bool { return c == mild || c == strict || c == last }

// again: the provider takes it again within the grace.
func (c class) again() bool { return c == replay || c == branch || c == last }

// refreshToken and accessToken are what the provider knows.
type refreshToken struct {
	family         int
	spent, revoked bool
	at             time.Time
	childR, childA string
}

type accessToken struct {
	family int
	dead   bool
	end    time.Time
}

// world is the store and the provider of one run, and the faults that are left.
type world struct {
	sc        *scenario
	real      realStore // nil: the row is in cur alone
	cur, prev tokenstore.Noted
	deleted   bool
	prevGone  bool
	written   bool

	refresh map[string]*refreshToken
	access  map[string]*accessToken
	famDead [3]bool

	issued, asked, writes int
	late                  []lateRequest
	left                  faults
	edits                 edit // done
	excuse                excuse
}

type lateRequest struct {
	r  string
	at time.Time
}

// excuse says which faults have happened.
type excuse uint8

const (
	xCrash     excuse = 1 << iota
	xCrashSave        // who crashed had a new refresh token that was not saved
	xLostReply        // the provider did it, and the answer was lost
	xUnknown          // an answer was lost
	xLate             // a request was carried out after its sender had given up
	xPause            // a worker slept where it cannot notice
	xStale            // an old state was read
	xSlept            // a worker slept where it can notice
)

// realStore is a store of this module, in place of the one that the world itself is.
type realStore interface {
	tokenstore.Store
	tokenstore.Swapper
}

// newWorld is a row with R1 and A1, whose access token ends as the scenario says.
func newWorld(t *testing.T, sc *scenario) *world {
	w := &world{sc: sc, refresh: map[string]*refreshToken{}, access: map[string]*accessToken{}, left: sc.faults}
	end := time.Now().Add(sc.good)
	if sc.good == 0 {
		end = end.Add(-time.Millisecond)
	}
	w.refresh["R1"] = &refreshToken{family: 1, revoked: sc.dead}
	w.access["A1"] = &accessToken{family: 1, end: end}
	w.cur.OAuthToken = tokenstore.OAuthToken{ID: "1", UserName: "u", ClientID: "c", ClientSecret: "s", RefreshToken: "R1", AccessToken: "A1", Expiry: end}.Normal()
	if sc.open != nil {
		w.real = sc.open(t)
		if _, err := w.real.SaveToken(t.Context(), w.cur.OAuthToken); err != nil {
			t.Fatal(err)
		}
		w.cur = w.find(t.Context())
	}
	w.prev = w.cur
	return w
}

// find reads the row in a real store.
func (w *world) find(ctx context.Context) tokenstore.Noted {
	row, err := w.real.FindNoted(ctx, byUser)
	if err != nil {
		row.OAuthToken.ID = err.Error() // It matches nothing.
	}
	return row
}

func (w *world) issue(family int) (r, a string) {
	r = fmt.Sprint("R", len(w.refresh)+1)
	w.refresh[r] = &refreshToken{family: family}
	return r, w.issueAccess(family)
}

func (w *world) issueAccess(family int) string {
	a := fmt.Sprint("A", len(w.access)+1)
	w.access[a] = &accessToken{family: family, end: time.Now().Add(time.Hour)}
	return a
}

// redeem is what the provider does with a request; newR is empty if the refresh token stays.
func (w *world) redeem(r string) (ok bool, newR, newA string) {
	w.asked++
	g := w.refresh[r]
	if g == nil || g.revoked || w.famDead[g.family] {
		return false, "", ""
	}
	if w.sc.class == keeps {
		w.issued++
		return true, "", w.issueAccess(g.family)
	}
	if !g.spent {
		w.issued++
		g.spent, g.at = true, time.Now()
		g.childR, g.childA = w.issue(g.family)
		return true, g.childR, g.childA
	}
	if w.inGrace(g) {
		switch w.sc.class {
		case last:
			w.refresh[g.childR].revoked, w.access[g.childA].dead = true, true
		case replay:
			return true, g.childR, g.childA
		}
		w.issued++
		g.childR, g.childA = w.issue(g.family)
		return true, g.childR, g.childA
	}
	if w.sc.class != mild {
		w.famDead[g.family] = true
	}
	return false, "", ""
}

func (w *world) inGrace(g *refreshToken) bool {
	return w.sc.class.again() && time.Since(g.at) <= w.sc.grace
}

// redeemable: the provider would give something for it now.
func (w *world) redeemable(r string) bool {
	g := w.refresh[r]
	return g != nil && !g.revoked && !w.famDead[g.family] && (!g.spent || w.inGrace(g))
}

// alive: the access token works.
func (w *world) alive(a string) bool {
	t := w.access[a]
	return t != nil && !t.dead && !w.famDead[t.family] && time.Now().Before(t.end)
}

// write replaces the row.
func (w *world) write(row tokenstore.Noted) {
	w.prev, w.prevGone, w.cur, w.written = w.cur, w.deleted, row, true
}

// matches: the row still has what was read.
func (w *world) matches(old tokenstore.Noted) bool {
	return !w.deleted && w.cur.GrantToken == old.GrantToken && w.cur.RefreshToken == old.RefreshToken && w.cur.AccessToken == old.AccessToken && w.cur.Note == old.Note
}

// swap is the store's SwapToken.
func (w *world) swap(old tokenstore.Noted, next tokenstore.OAuthToken, note string) (tokenstore.Noted, bool, error) {
	switch {
	case w.deleted:
		return tokenstore.Noted{}, false, notFound("swap")
	case !w.matches(old):
		return w.cur, false, nil
	}
	row := w.cur
	if w.real != nil {
		now, swapped, err := w.real.SwapToken(context.Background(), old, next, note)
		if swapped {
			w.write(now)
			w.writes++
		}
		return now, swapped, err
	}
	next.ID, next.UserName = "", ""
	row.OAuthToken, row.Note = tokenstore.Update(row.OAuthToken, next), note
	w.write(row)
	w.writes++
	return row, true, nil
}

// edit is what a person, or another program, does to the row.
type edit uint8

const (
	editX      edit = 1 << iota // changes another field
	editNew                     // pastes the refresh token of a new consent and removes the access token
	editDelete                  // deletes the token
	editRevoke                  // the user withdraws the consent
)

var editNames = map[edit]string{editX: "edit", editNew: "new consent", editDelete: "delete", editRevoke: "revoke"}

func (w *world) edit(e edit) {
	w.edits |= e
	row := w.cur
	switch e {
	case editX:
		row.RedirectURL = "https://edited.example"
		w.save(tokenstore.OAuthToken{ID: "1", RedirectURL: row.RedirectURL}, &row)
	case editNew:
		r, _ := w.issue(2)
		row.RefreshToken, row.AccessToken, row.Expiry = r, "", time.Time{}
	case editDelete:
		if w.real != nil {
			_ = w.real.DeleteToken(context.Background(), "1")
		}
		w.write(row)
		w.deleted = true
		return
	case editRevoke:
		w.famDead[1] = true
		return
	}
	w.write(row)
}

// save saves in a real store, and reads the row.
func (w *world) save(t tokenstore.OAuthToken, row *tokenstore.Noted) {
	if w.real != nil {
		_, _ = w.real.SaveToken(context.Background(), t)
		*row = w.find(context.Background())
	}
}
