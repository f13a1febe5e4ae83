package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// scenario is a starting world, and what may go wrong in it.
type scenario struct {
	class   class
	grace   time.Duration // in which a rotating provider takes a refresh token again
	good    time.Duration // how long the access token is still good
	workers int
	legacy  int           // of the workers, the last ones: they redeem without a claim and save without a condition
	again   int           // how often a worker that got the first access token asks again
	dead    bool          // the refresh token was revoked before the start
	skew    time.Duration // of the last worker's clock
	perDay  int
	slow    int                        // by how much a claim lasts longer than usual, for runs in which many calls are repeated
	open    func(*testing.T) realStore // the store; nil: one in a variable
	faults  faults
	edits   edit
	ticks   int // calls during which time passes
}

// faults are how often each may happen.
type faults struct {
	crash, sleep, pause, stale, lostStore, lostProvider, late int
}

func (sc *scenario) String() string {
	s := []string{sc.class.String()}
	add := func(ok bool, f string, a ...any) {
		if ok {
			s = append(s, fmt.Sprintf(f, a...))
		}
	}
	add(sc.grace > 0, "grace %s", sc.grace)
	add(sc.good == 0, "expired")
	add(sc.good > 0, "good for %s", sc.good)
	add(true, "%d workers", sc.workers)
	add(sc.legacy > 0, "%d legacy", sc.legacy)
	add(sc.again > 0, "asks again")
	add(sc.dead, "dead")
	add(sc.skew != 0, "skew %s", sc.skew)
	f := sc.faults
	for _, x := range []struct {
		n    int
		name string
	}{{f.crash, "crash"}, {f.sleep, "sleep"}, {f.pause, "pause"}, {f.stale, "stale"}, {f.lostStore, "lost store"}, {f.lostProvider, "lost provider"}, {f.late, "late"}} {
		add(x.n > 0, "%s %d", x.name, x.n)
	}
	for e := edit(1); e <= editRevoke; e <<= 1 {
		add(sc.edits&e != 0, "%s", editNames[e])
	}
	return strings.Join(s, ", ")
}

const (
	// tick is the least that a wait takes, and how long a call may take.
	tick = 5 * time.Second
	// lasts is how long a claim lasts.
	lasts = 30 * time.Second
	// lateBound is after how long a request that its sender has given up arrives at the latest.
	lateBound = 15 * time.Second
)

// choice is what happens next: who goes on, and how.
type choice struct {
	who int // a worker, or one of the following
	how byte
}

const (
	clock    = -1
	person   = -2
	network  = -3
	normally = 0
)

// call is one call to the store or the provider, waiting at the gate.
type call struct {
	op    string // find, swap, save, redeem
	query tokenstore.OAuthToken
	old   tokenstore.Noted
	note  string
	at    time.Time
	until time.Time // it is held until then
	slept bool
	ready *reply // what has been done already
	reply chan reply
}

type reply struct {
	row     tokenstore.Noted
	swapped bool
	err     error
}

// worker is one process: a Source of its own, asked once or more.
type worker struct {
	i       int
	calls   []*call     // at the gate
	sleeps  []time.Time // when its waits end
	done    bool        // it has its answer
	crashed bool
	slept   bool
	checked bool
	token   string
	err     error
	row     tokenstore.Noted // as it last saw it
	unsaved string           // a new refresh token that is not saved yet,
	from    string           // for this one
	history uint64
}

// run is one run of a scenario.
type run struct {
	*world
	t       *testing.T
	start   time.Time
	mu      sync.Mutex // of what workers change
	workers []*worker
	sources []*tokensource.Source
	end     chan struct{}
	ticks   int
	names   map[string]string // of claims
	seed    maphash.Seed
	wrong   []string
}

var errEnded = errors.New("the run has ended")

func newRun(t *testing.T, sc *scenario, seed maphash.Seed) *run {
	r := &run{world: newWorld(t, sc), t: t, start: time.Now(), end: make(chan struct{}), ticks: sc.ticks, names: map[string]string{}, seed: seed}
	for i := range sc.workers {
		r.add(i >= sc.workers-sc.legacy)
	}
	synctest.Wait()
	return r
}

// add starts a worker.
func (r *run) add(legacy bool) *worker {
	w := &worker{i: len(r.workers)}
	r.workers = append(r.workers, w)
	ctx := context.Background()
	if legacy {
		go r.legacy(ctx, w)
		return w
	}
	skew := time.Duration(0)
	if w.i == r.sc.workers-1 {
		skew = r.sc.skew
	}
	s, err := tokensource.New(gatedStore{r: r, w: w}, gatedRedeemer{r, w},
		tokensource.WithReuse(r.sc.reuse()), tokensource.WithClaim(r.sc.claim()),
		tokensource.WithRandom(func() float64 { return 0.5 }),
		tokensource.WithClock(func() time.Time { return time.Now().Add(skew) }),
		tokensource.WithSleep(func(ctx context.Context, d time.Duration) error { return r.sleep(ctx, w, d) }))
	if err != nil {
		r.t.Fatal(err)
	}
	r.sources = append(r.sources, s)
	go func() {
		for left := r.sc.again; ; left-- {
			token, err := s.Token(ctx, byUser)
			if err == nil && token.AccessToken == "A1" && left > 0 && r.sleep(ctx, w, tick) == nil {
				continue
			}
			r.mu.Lock()
			w.done, w.token, w.err = true, token.AccessToken, err
			r.mu.Unlock()
			return
		}
	}()
	return w
}

// claim is how long a claim lasts.
func (sc *scenario) claim() time.Duration { return lasts * time.Duration(1+sc.slow) }

// asleep is longer than a claim.
func (sc *scenario) asleep() time.Duration { return sc.claim() * 3 / 2 }

func (sc *scenario) reuse() time.Duration {
	switch {
	case sc.class == keeps:
		return tokensource.Forever
	case sc.class.once():
		return 0
	}
	return sc.grace
}

// legacy is a worker that coordinates with nobody.
func (r *run) legacy(ctx context.Context, w *worker) {
	finish := func(token string, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		w.done, w.checked, w.token, w.err = true, true, token, err
	}
	store, provider := gatedStore{r: r, w: w}, gatedRedeemer{r, w}
	row, err := store.FindNoted(ctx, byUser)
	if err != nil || time.Now().Before(row.Expiry) {
		finish(row.AccessToken, err)
		return
	}
	got, err := provider.Redeem(ctx, row.OAuthToken)
	if err != nil {
		finish("", err)
		return
	}
	got.ID = row.ID
	c := &call{op: "save", query: got}
	err = r.wait(w, c).err
	finish(got.AccessToken, err)
}

// sleep is how workers wait. It is coarse, so that there are few moments.
func (r *run) sleep(ctx context.Context, w *worker, d time.Duration) error {
	d = max(d, tick)
	until := time.Now().Add(d)
	r.mu.Lock()
	w.sleeps = append(w.sleeps, until)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		i := slices.Index(w.sleeps, until)
		w.sleeps = slices.Delete(w.sleeps, i, i+1)
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.end:
		return errEnded
	}
}

// wait brings a call to the gate and waits for its reply.
func (r *run) wait(w *worker, c *call) reply {
	c.at, c.reply = time.Now(), make(chan reply, 1)
	r.mu.Lock()
	w.calls = append(w.calls, c)
	r.mu.Unlock()
	select {
	case answer := <-c.reply:
		return answer
	case <-r.end:
		return reply{err: errEnded}
	}
}

// gatedStore and gatedRedeemer are what a worker's Source calls.
type gatedStore struct {
	tokenstore.Store
	r *run
	w *worker
}

func (s gatedStore) FindNoted(_ context.Context, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	a := s.r.wait(s.w, &call{op: "find", query: query})
	return a.row, a.err
}

func (s gatedStore) SwapToken(_ context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (tokenstore.Noted, bool, error) {
	a := s.r.wait(s.w, &call{op: "swap", old: old, query: next, note: note})
	return a.row, a.swapped, a.err
}

// SaveToken is called by nobody: a Source that did would insert what was deleted.
func (s gatedStore) SaveToken(_ context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	a := s.r.wait(s.w, &call{op: "insert", query: t})
	return a.row.OAuthToken, a.err
}

func (s gatedStore) WritesPerDay() int { return s.r.sc.perDay }

type gatedRedeemer struct {
	r *run
	w *worker
}

func (g gatedRedeemer) Redeem(_ context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	a := g.r.wait(g.w, &call{op: "redeem", query: t})
	return a.row.OAuthToken, a.err
}

// close ends the run: every goroutine ends.
func (r *run) close() {
	close(r.end)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range r.sources {
		_ = s.Close(ctx)
	}
	synctest.Wait()
}

// open returns the worker's call that may go on, or nil.
func (w *worker) open() *call {
	if w.crashed || len(w.calls) == 0 || time.Now().Before(w.calls[0].until) {
		return nil
	}
	return w.calls[0]
}

// isBusy: the worker is not at rest.
func (r *run) isBusy(w *worker) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return w.busy()
}

func (w *worker) busy() bool {
	return !w.crashed && (!w.done || len(w.calls) > 0 || len(w.sleeps) > 0)
}

// choices are what may happen next; none: the run is over.
func (r *run) choices() []choice {
	r.mu.Lock()
	defer r.mu.Unlock()
	var cs []choice
	var wake time.Time
	sooner := func(t time.Time) {
		if wake.IsZero() || t.Before(wake) {
			wake = t
		}
	}
	busy, slow := false, r.ticks > 0
	for _, w := range r.workers {
		busy = busy || w.busy()
		if w.crashed {
			continue
		}
		for _, t := range w.sleeps {
			sooner(t)
		}
		c := w.open()
		if c == nil {
			if len(w.calls) > 0 {
				sooner(w.calls[0].until)
			}
			continue
		}
		if time.Since(c.at) >= tick && !c.slept {
			slow = false
		}
		cs = append(cs, r.hows(w, c)...)
	}
	for _, l := range r.late {
		cs = append(cs, choice{network, normally})
		if time.Since(l.at) >= lateBound {
			slow, wake = false, time.Time{}
		} else {
			sooner(l.at.Add(lateBound))
		}
	}
	switch {
	case len(cs) > 0 && slow && busy:
		cs = append(cs, choice{clock, 't'})
	case (len(cs) == 0 || len(r.late) == len(cs)) && !wake.IsZero():
		cs = append(cs, choice{clock, 'w'})
	}
	if busy && len(cs) > 0 {
		for e := edit(1); e <= editRevoke; e <<= 1 {
			if r.sc.edits&e != 0 && r.edits&e == 0 && !(r.deleted && e != editRevoke) {
				cs = append(cs, choice{person, byte(e)})
			}
		}
	}
	return cs
}

// hows are the ways in which a call may go.
func (r *run) hows(w *worker, c *call) []choice {
	cs := []choice{{w.i, normally}}
	add := func(ok bool, how byte) {
		if ok {
			cs = append(cs, choice{w.i, how})
		}
	}
	if c.ready != nil {
		return cs
	}
	swap := c.op == "swap"
	add(c.op == "find" && r.left.stale > 0 && r.written && (r.show(r.prev) != r.show(r.cur) || r.prevGone != r.deleted), 's')
	add(swap && r.left.lostStore > 0, 'n')
	add(swap && r.left.lostStore > 0 && r.matches(c.old), 'l')
	add(c.op == "redeem" && r.left.lostProvider > 0, 'n')
	add(c.op == "redeem" && r.left.lostProvider > 0, 'l')
	add(c.op == "redeem" && r.left.late > 0, 'z')
	add(r.left.crash > 0, 'c')
	claim := swap && c.query.AccessToken == "" && strings.HasPrefix(c.note, "claimed")
	add(r.left.sleep > 0 && claim, 'p')
	add(r.left.sleep > 0 && claim, 'q')
	add(r.left.pause > 0 && !claim && !c.slept, 'p')
	return cs
}

// take does what was chosen, and lets every goroutine go on until it waits.
func (r *run) take(c choice) {
	switch c.who {
	case clock:
		d := tick
		if c.how == 't' {
			r.ticks--
		} else {
			d = r.untilWake()
		}
		time.Sleep(d)
	case person:
		r.edit(edit(c.how))
	case network:
		l := r.late[0]
		r.late = r.late[1:]
		r.excuse |= xLate
		r.redeem(l.r)
	default:
		r.let(r.workers[c.who], c.how)
	}
	synctest.Wait()
	r.checkResults()
}

// untilWake is how long it is until somebody wakes up.
func (r *run) untilWake() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first time.Time
	sooner := func(t time.Time) {
		if t.After(time.Now()) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, w := range r.workers {
		if w.crashed {
			continue
		}
		for _, t := range w.sleeps {
			sooner(t)
		}
		if len(w.calls) > 0 {
			sooner(w.calls[0].until)
		}
	}
	for _, l := range r.late {
		sooner(l.at.Add(lateBound))
	}
	return time.Until(first)
}

// let lets a worker's call go on.
func (r *run) let(w *worker, how byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := w.calls[0]
	switch how {
	case 'c':
		r.left.crash--
		r.excuse |= xCrash
		if w.unsaved != "" {
			r.excuse |= xCrashSave
		}
		w.crashed, w.done = true, true
		return
	case 'p':
		c.until, c.slept, w.slept = time.Now().Add(r.sc.asleep()), true, true
		r.tired(c)
		return
	case 'q':
		r.tired(c)
		a := r.do(w, c, normally)
		c.ready, c.until, c.slept, w.slept = &a, time.Now().Add(r.sc.asleep()), true, true
		return
	}
	var a reply
	if c.ready != nil {
		a = *c.ready
	} else {
		a = r.do(w, c, how)
	}
	w.calls = w.calls[1:]
	if a.err == nil {
		w.row = a.row
	}
	w.history = maphash.Comparable(r.seed, [6]any{w.history, c.op, how, r.describe(a), time.Since(r.start), a.swapped})
	c.reply <- a
}

func (r *run) tired(c *call) {
	if c.op == "swap" && strings.HasPrefix(c.note, "claimed") && r.left.sleep > 0 {
		r.left.sleep--
		r.excuse |= xSlept
		return
	}
	r.left.pause--
	r.excuse |= xPause
}

var errUnknown = &tokenstore.Error{Store: "fake", Op: "swap", Kind: tokenstore.ErrUnavailable}

// do is what the store or the provider does with a call.
func (r *run) do(w *worker, c *call, how byte) reply {
	switch c.op {
	case "find":
		row, gone := r.cur, r.deleted
		if r.real != nil && !gone {
			row = r.find(context.Background())
		}
		if how == 's' {
			r.left.stale--
			r.excuse |= xStale
			row, gone = r.prev, r.prevGone
		}
		if gone {
			return reply{err: notFound("find")}
		}
		return reply{row: row}
	case "swap":
		return r.doSwap(w, c, how)
	case "save":
		w.unsaved = ""
		if r.deleted {
			return reply{err: notFound("save")}
		}
		row := r.cur
		row.OAuthToken = tokenstore.Update(row.OAuthToken, c.query)
		r.save(c.query, &row)
		r.write(row)
		return reply{row: row}
	case "insert":
		r.deleted = false
		r.write(tokenstore.Noted{OAuthToken: c.query})
		return reply{row: r.cur}
	}
	return r.doRedeem(w, c, how)
}

func (r *run) doSwap(w *worker, c *call, how byte) reply {
	if strings.HasPrefix(c.note, "claimed") && r.names[c.note] == "" {
		r.names[c.note] = fmt.Sprintf("claim %d of %d for %s %s, %s", len(r.names), w.i, c.old.RefreshToken, c.old.AccessToken, strings.Join(strings.Fields(c.note)[3:], " "))
	}
	if how == 'n' || how == 'l' {
		r.left.lostStore--
		r.excuse |= xUnknown
	}
	if how == 'n' {
		return reply{err: errUnknown}
	}
	row, swapped, err := r.swap(c.old, c.query, c.note)
	if c.query.AccessToken != "" && (swapped || err != nil || row.AccessToken != c.old.AccessToken || row.RefreshToken != c.old.RefreshToken) {
		w.unsaved = ""
	}
	if how == 'l' {
		return reply{err: errUnknown}
	}
	return reply{row: row, swapped: swapped, err: err}
}

func (r *run) doRedeem(w *worker, c *call, how byte) reply {
	unknown := reply{err: errors.New("no answer")}
	switch how {
	case 'n':
		r.left.lostProvider--
		r.excuse |= xUnknown
		return unknown
	case 'z':
		r.left.late--
		r.excuse |= xUnknown | xLate
		r.late = append(r.late, lateRequest{c.query.RefreshToken, time.Now()})
		return unknown
	}
	ok, newR, newA := r.redeem(c.query.RefreshToken)
	if how == 'l' {
		r.left.lostProvider--
		r.excuse |= xUnknown | xLostReply
		return unknown
	}
	if !ok {
		return reply{err: tokensource.ErrNeedsConsent}
	}
	w.unsaved, w.from = newR, c.query.RefreshToken
	return reply{row: tokenstore.Noted{OAuthToken: tokenstore.OAuthToken{RefreshToken: newR, AccessToken: newA, Expiry: r.access[newA].end}}}
}

func (r *run) describe(a reply) string {
	if a.err != nil {
		return a.err.Error()
	}
	return r.show(a.row)
}

func (r *run) show(row tokenstore.Noted) string {
	note := row.Note
	if name := r.names[note]; name != "" {
		note = name
	}
	return fmt.Sprint(row.RefreshToken, row.AccessToken, row.RedirectURL, note)
}

// key is the state of the run: two runs with the same key go on alike.
func (r *run) key() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprint(&b, time.Since(r.start), r.show(r.cur), r.deleted, r.left, r.edits, r.excuse, r.ticks, r.famDead, r.issued, r.asked, r.writes)
	if r.left.stale > 0 {
		fmt.Fprint(&b, r.show(r.prev), r.prevGone)
	}
	for i := range len(r.refresh) {
		g := r.refresh[fmt.Sprint("R", i+1)]
		fmt.Fprint(&b, g.spent, g.revoked, g.childR, g.childA)
		if g.spent {
			fmt.Fprint(&b, g.at.Sub(r.start))
		}
	}
	for i := range len(r.access) {
		fmt.Fprint(&b, r.access[fmt.Sprint("A", i+1)].dead)
	}
	for _, l := range r.late {
		fmt.Fprint(&b, l.r, l.at.Sub(r.start))
	}
	for _, w := range r.workers {
		fmt.Fprint(&b, "|", w.history, w.done, w.crashed, w.slept)
		if w.crashed {
			continue
		}
		for _, c := range w.calls {
			fmt.Fprint(&b, c.op, c.slept, c.ready != nil, c.at.Sub(r.start))
			if c.slept {
				fmt.Fprint(&b, c.until.Sub(r.start))
			}
		}
		for _, t := range w.sleeps {
			fmt.Fprint(&b, t.Sub(r.start))
		}
	}
	return maphash.String(r.seed, b.String())
}
