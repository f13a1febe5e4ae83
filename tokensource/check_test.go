package tokensource_test

import (
	"errors"
	"fmt"
	"strings"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// violate records what is wrong.
func (r *run) violate(format string, a ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, a...))
}

// checkRevoked judges what a step has done at the provider.
func (r *run) checkRevoked(before [3]bool, c choice) {
	if before[1] || !r.famDead[1] || c.who == person || r.excuse&xPause != 0 || r.sc.legacy > 0 {
		return
	}
	if time.Now().Before(r.access["A1"].end) {
		r.violate("the family was revoked while the access token was good")
	} else if r.excuse&(xCrash|xLostReply|xUnknown|xLate) == 0 {
		r.violate("the family was revoked without a crash, a lost reply or a pause that nobody can notice")
	}
}

// checkResults judges the results of the workers at the moment of their return.
func (r *run) checkResults() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		if w.done && !w.checked && !w.crashed {
			w.checked = true
			r.checkResult(w)
		}
	}
}

func (r *run) checkResult(w *worker) {
	sc := r.sc
	switch {
	case w.err == nil || errors.Is(w.err, tokensource.ErrNotSaved):
		if r.alive(w.token) {
			return
		}
		if a := r.access[w.token]; a != nil && r.famDead[a.family] && (r.edits&editRevoke != 0 || r.excuse&xPause != 0) {
			return // revoked behind everybody's back
		}
		if sc.class == last && r.excuse&xPause != 0 || sc.legacy > 0 && sc.class != keeps {
			return // a second redemption has killed it
		}
		r.violate("a dead access token was handed out")
	case errors.Is(w.err, tokensource.ErrNeedsConsent):
		r.checkConsent(w)
	case errors.Is(w.err, tokenstore.ErrNotFound):
		if r.edits&editDelete == 0 {
			r.violate("not found, and nobody deleted it")
		}
	case errors.Is(w.err, tokenstore.ErrUnavailable):
		if r.excuse == 0 {
			r.violate("unavailable without a fault: %v", w.err)
		}
	default:
		r.violate("an error of no kind: %v", w.err)
	}
}

func (r *run) checkConsent(w *worker) {
	asked := w.row.RefreshToken
	if r.redeemable(asked) {
		r.violate("consent was asked for although the refresh token is good")
	}
	if r.cur.RefreshToken != asked && !r.deleted && r.excuse&xStale == 0 {
		r.violate("consent was asked for although another refresh token is stored")
	}
	for _, q := range r.workers {
		if !q.slept && !q.crashed && !(r.sc.legacy > 0 && r.sc.class != keeps) && q.unsaved != "" && q.from == asked && r.redeemable(q.unsaved) {
			r.violate("consent was asked for while somebody was about to save a good refresh token")
		}
	}
}

// lossExcused: a fault has happened that no protocol can mend.
func (r *run) lossExcused() bool {
	sc := r.sc
	x := xCrashSave | xLostReply | xLate
	switch {
	case sc.class == keeps: // nothing can be lost
		x = 0
	case sc.class.again() && !sc.class.once() && sc.grace > sc.claim()+2*tick && sc.faults.pause == 0 && sc.good == 0 && sc.slow == 0:
		// Nothing is lost while somebody comes within the grace. (A claim that has doubled may
		// outlast it, which only the slow runs meet.)
		if g := r.refresh[r.cur.RefreshToken]; r.famDead[g.family] {
			x = xPause
		} else if !g.spent || time.Since(g.at)+sc.claim()+2*tick <= sc.grace {
			x = 0
		} else {
			x |= xPause
		}
	case sc.class != mild: // where nothing is revoked, who slept still saves what it got
		x |= xPause
	}
	return r.excuse&x != 0 || r.edits&editRevoke != 0 || sc.dead || sc.legacy > 0 && sc.class != keeps
}

// checkEnd judges the end of a run, and lets two later workers ask.
func (r *run) checkEnd() {
	sc := r.sc
	for _, w := range r.workers {
		if r.isBusy(w) {
			r.violate("a worker never ends")
			return
		}
	}
	news := 0
	if r.edits&editNew != 0 {
		news = 1
	}
	if r.excuse&^xStale == 0 && sc.legacy == 0 && !(sc.class == keeps && sc.good > 0) {
		if r.issued > 1+news {
			r.violate("%d redemptions for one expiry", r.issued)
		}
		if (sc.class != keeps || sc.dead) && r.asked > 1+news {
			r.violate("%d requests for one expiry", r.asked)
		}
		if r.writes > 2*(1+news) {
			r.violate("%d writes for one expiry", r.writes)
		}
	}
	if r.edits&editDelete != 0 {
		if !r.deleted {
			r.violate("a deleted token came back")
		}
		return
	}
	if r.edits&editX != 0 && r.cur.RedirectURL == "" {
		r.violate("a person's edit of another field was lost")
	}
	if g := r.refresh[r.cur.RefreshToken]; r.edits&editNew != 0 && !(sc.legacy > 0 && sc.class != keeps) && (g == nil || g.family != 2) {
		r.violate("a person's new refresh token was lost")
	}
	if r.refresh[r.cur.RefreshToken] == nil {
		r.violate("the refresh token was wiped")
		return
	}
	if !r.redeemable(r.cur.RefreshToken) && !r.lossExcused() {
		r.violate("the stored refresh token is dead: a rotated one was dropped")
	}
	for round := range 2 {
		r.checkLater(round)
	}
}

// checkLater lets a later worker ask when the stored access token has ended, without faults.
func (r *run) checkLater(round int) {
	excused := r.lossExcused()
	r.left, r.late, r.ticks = faults{}, nil, 0
	if d := time.Until(r.access["A1"].end); d > 0 {
		time.Sleep(d)
	}
	if a := r.access[r.cur.AccessToken]; a != nil && a.end.After(time.Now()) {
		a.end = time.Now().Add(-time.Millisecond)
		r.cur.Expiry = a.end
		r.cur.OAuthToken = r.cur.Normal()
		r.save(tokenstore.OAuthToken{ID: "1", Expiry: a.end}, &r.cur)
	}
	fields := strings.Fields(r.cur.Note)
	waits := len(fields) > 0 && fields[0] == "claimed" && strings.Contains(r.names[r.cur.Note], fmt.Sprintf(" for %s %s,", r.cur.RefreshToken, r.cur.AccessToken))
	asked, began := r.asked, time.Now()
	w := r.add(false)
	synctest.Wait()
	for range 200 {
		if !r.isBusy(w) {
			break
		}
		cs := r.choices()
		if len(cs) == 0 {
			break
		}
		r.take(cs[0])
	}
	switch {
	case r.isBusy(w):
		r.violate("a later worker never ends")
	case time.Since(began) > 0 && !waits:
		r.violate("a later worker waits for a claim that is over")
	case w.err == nil:
		if !r.alive(w.token) {
			r.violate("a later worker gets a dead token")
		}
	case errors.Is(w.err, tokensource.ErrNeedsConsent):
		switch {
		case r.redeemable(r.cur.RefreshToken):
			r.violate("a later worker asks for consent although the refresh token is good")
		case !excused:
			r.violate("a later worker asks for consent")
		case round == 1 && r.asked > asked:
			r.violate("a dead refresh token is asked about again")
		}
	default:
		r.violate("a later worker gets no token: %v", w.err)
	}
}
