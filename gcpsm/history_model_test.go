package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
)

// The model runs the algorithm alone, over a log in memory that behaves as the service
// does, with every fault turned on: twenty processes take turns at random, one call at a
// time; some stall for half an hour, some die, replies are lost, destructions take
// effect late, "latest" is outdated, and a person pastes versions. The log knows which
// version counts, since it sees all additions in order.

const (
	modelActors    = 20
	modelSchedules = 20_000
	bites          = 100
	// quick is the longest operation that must always learn its outcome.
	quick = keepFor - time.Minute
)

var errDead = errors.New("the process has ended")

// world is one secret, its processes and a clock.
type world struct {
	rng      *rand.Rand
	now      time.Duration // since the beginning
	log      []entry       // number 1 is log[0]
	heads    []headAt      // every current version, with the turn in which it became current
	turn     int
	pending  []destruction
	late     []arrival
	actors   []*actor
	calm     bool          // no more faults
	erased   time.Duration // when a deletion last destroyed something
	problems []string
	unsure   int // unknown outcomes
	wins     int
	pastes   int // looks that saw one
	naive    naive
}

type entry struct {
	version
	gone   bool
	counts bool
	copied int64 // the version that a person copied, with the driver's fields
}

type headAt struct {
	number int64
	turn   int
}

type destruction struct {
	number int64
	at     time.Duration
	erases bool // by a deletion
}

// arrival is an addition that its sender no longer waits for.
type arrival struct {
	version
	at time.Duration
}

// naive is a mistake to plant.
type naive int

const (
	none             naive = iota
	previousOnly           // a version loses only to one with the same base
	destroyAtOnce          // a replaced version is destroyed at once
	destroyAndForget       // the same, and an unreadable version counts as absent
)

func (w *world) head() int64 { return w.heads[len(w.heads)-1].number }

func (w *world) fails(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// append adds a version and decides whether it counts.
func (w *world) append(v version, person bool) int64 {
	v.number, v.state = int64(len(w.log)+1), stored
	head := w.head()
	counts := person || v.generation == head && (head == 0 || w.log[head-1].identity() == v.base)
	w.log = append(w.log, entry{version: v, counts: counts})
	if counts {
		w.heads = append(w.heads, headAt{v.number, w.turn})
	}
	return v.number
}

// was reports whether a version was the current one at any time since a turn.
func (w *world) was(number int64, since int) bool {
	for i := len(w.heads) - 1; i >= 0; i-- {
		if w.heads[i].number == number {
			return true
		}
		if w.heads[i].turn < since {
			return false
		}
	}
	return false
}

// settle applies the changes that are due.
func (w *world) settle() {
	w.late = slices.DeleteFunc(w.late, func(l arrival) bool {
		if l.at <= w.now {
			w.append(l.version, false)
		}
		return l.at <= w.now
	})
	w.pending = slices.DeleteFunc(w.pending, func(d destruction) bool {
		if d.at > w.now {
			return false
		}
		if d.number == w.head() {
			w.fails("version %d was destroyed while it was the current one", d.number)
		}
		w.log[d.number-1].gone = true
		if d.erases {
			w.erased = w.now
		}
		return true
	})
}

// actor is one process. It is a versionLog: each of its calls is one turn.
type actor struct {
	*world
	yield  func(struct{}) bool
	resume func() (struct{}, bool)
	stop   func()
	done   bool
	dead   bool
	wake   time.Duration
	began  time.Duration // when its present operation began
	looked time.Duration // when known was the current version
	shaky  bool          // a reply was lost, or a person took part
	known  *position
	erases bool // it destroys the versions that a deletion leaves
}

// step ends the turn and reports whether the process goes on.
func (a *actor) step() error {
	if !a.calm {
		switch n := a.rng.IntN(1000); {
		case n < 4:
			a.dead = true
		case n < 24:
			a.wake = a.now + time.Duration(a.rng.IntN(30*60))*time.Second
		case n < 60:
			a.wake = a.now + time.Duration(a.rng.IntN(20))*time.Second
		}
	}
	if a.dead || !a.yield(struct{}{}) {
		a.dead = true
		return errDead
	}
	return nil
}

// loses reports whether a reply is lost.
func (a *actor) loses() bool { return !a.calm && a.rng.IntN(100) < 3 }

func (a *actor) add(_ context.Context, v version) (version, error) {
	if err := a.step(); err != nil {
		return version{}, err
	}
	if a.loses() {
		a.shaky = true
		if a.rng.IntN(2) == 0 { // It still arrives.
			a.late = append(a.late, arrival{v, a.now + time.Duration(a.rng.IntN(60))*time.Second})
		}
		return version{}, driver.ErrUnavailable
	}
	// The writer read its clock earlier.
	v.written = 1 + int64(max(0, a.now-time.Duration(a.rng.IntN(60))*time.Second)/time.Millisecond)
	v.number, v.state = a.append(v, false), stored
	if a.loses() {
		a.shaky = true
		return version{}, driver.ErrUnavailable
	}
	return v, nil
}

func (a *actor) access(_ context.Context, number int64) (version, error) {
	if err := a.step(); err != nil {
		return version{}, err
	}
	if number < 1 || number > int64(len(a.log)) {
		return version{number: number}, nil
	}
	if e := a.log[number-1]; !e.gone {
		return e.version, nil
	}
	return version{number: number, state: gone}, nil
}

func (a *actor) latest(ctx context.Context) (version, error) {
	n := len(a.log)
	if n > 0 && a.rng.IntN(2) == 0 {
		n = a.rng.IntN(n + 1) // As it was some time ago.
	}
	if n == 0 {
		return version{}, a.step()
	}
	v, err := a.access(ctx, int64(n))
	if v.state == gone {
		v.number = 0
	}
	return v, err
}

func (a *actor) destroy(_ context.Context, v version) error {
	if err := a.step(); err != nil {
		return err
	}
	if v.number >= 1 && v.number <= int64(len(a.log)) {
		after := time.Duration(0)
		if !a.calm && a.rng.IntN(3) == 0 {
			after = time.Duration(a.rng.IntN(300)) * time.Second
		}
		a.pending = append(a.pending, destruction{v.number, a.now + after, a.erases})
		a.settle()
	}
	return nil
}

func (a *actor) pause(_ context.Context, d time.Duration) error {
	a.wake = a.now + d
	return a.step()
}

// look finds the current version, and checks that it was current at some time during the
// look.
func (a *actor) look(ctx context.Context) (*history, version, error) {
	since, started := a.turn, a.now
	h := newHistory(a)
	if a.known != nil && a.rng.IntN(4) > 0 {
		h = resume(a, *a.known)
	} else if err := h.begin(ctx); err != nil {
		return nil, version{}, err
	}
	v, err := h.head(ctx)
	if err != nil {
		return nil, version{}, err
	}
	if !a.was(v.number, since) {
		a.fails("a reader took version %d for the current one, which was %d all the time", v.number, a.head())
	}
	if a.known != nil && v.number < a.known.head.number {
		a.fails("a reader went back from version %d to %d", a.known.head.number, v.number)
	}
	if v.state == stored {
		a.known, a.looked = &position{v, h.end, h.floor}, started
		a.checkPasted(v)
	}
	return h, v, nil
}

// checkPasted compares the pasted flag with the truth. Once the copied version is
// destroyed, only processes that saw it can know.
func (a *actor) checkPasted(v version) {
	from := a.log[v.number-1].copied
	switch {
	case v.pasted && from == 0:
		a.fails("version %d is taken for a paste", v.number)
	case !v.pasted && from != 0 && !a.log[from-1].gone:
		a.fails("version %d was not recognized as a paste of %d", v.number, from)
	case v.pasted:
		a.pastes++
	}
}

// onto returns the version to replace: sometimes one that was the current one a moment
// ago, without a look.
func (a *actor) onto(ctx context.Context) (*history, version, error) {
	if a.known != nil && a.now-a.looked < freshFor && a.rng.IntN(2) == 0 {
		return resume(a, *a.known), a.known.head, nil
	}
	return a.look(ctx)
}

// save replaces the current version, or deletes the secret.
func (a *actor) save(ctx context.Context, deletes bool) error {
	a.began, a.shaky = a.now, false
	h, head, err := a.onto(ctx)
	if err != nil {
		return err
	}
	if a.rng.IntN(3) == 0 { // Some time passes between the read and the write.
		if err := a.pause(ctx, time.Duration(a.rng.IntN(60))*time.Second); err != nil {
			return err
		}
	}
	s := &swap{history: h, base: head.ref(), pause: a.pause, fresh: func() bool { return false }}
	s.nonce = func() string { return fmt.Sprint(a.rng.Uint64()) }
	if head.number == 0 {
		s.base = ref{}
	}
	if err := h.prune(ctx, head, time.UnixMilli(int64(a.now/time.Millisecond))); err != nil {
		return err
	}
	own, err := a.run(ctx, s, version{deleted: deletes})
	a.judge(s.given, own, err)
	if err != nil {
		return err
	}
	a.wins++
	a.known, a.looked = &position{own, own.number, h.floor}, a.now
	switch {
	case deletes:
		a.erases = true
		err = h.destroyBefore(ctx, own.number, 1000)
		a.erases = false
	case a.naive == destroyAtOnce || a.naive == destroyAndForget:
		err = h.destroyBefore(ctx, own.number, 1000)
	}
	a.known.floor = h.floor
	return err
}

// run swaps, with the planted mistake.
func (a *actor) run(ctx context.Context, s *swap, v version) (version, error) {
	if a.naive != previousOnly && a.naive != destroyAndForget {
		return s.run(ctx, v)
	}
	v.generation, v.base, v.oldest, v.nonce = s.base.number, s.base.identity, s.floor, s.nonce()
	s.given = append(s.given, v.nonce)
	own, err := a.add(ctx, v)
	if err != nil {
		return own, err
	}
	for n := s.base.number + 1; n < own.number; n++ {
		u, err := a.access(ctx, n)
		if err != nil {
			return version{}, err
		}
		beats := u.generation == s.base.number || u.person()
		if a.naive == destroyAndForget {
			beats = u.generation >= s.base.number || u.person()
		}
		if u.state == stored && beats {
			_ = a.destroy(ctx, own)
			return version{}, conflict()
		}
	}
	s.keep(own)
	return own, nil
}

// judge compares the result that a writer got with the truth.
func (a *actor) judge(given []string, own version, err error) {
	if a.dead {
		return
	}
	i := slices.IndexFunc(a.log, func(e entry) bool { return e.counts && slices.Contains(given, e.nonce) })
	counts := i >= 0
	switch {
	case err == nil && (!counts || own.number != int64(i+1) && a.log[own.number-1].copied == 0):
		a.fails("lost update: version %d was reported as stored, but version %d counts", own.number, a.head())
	case errors.Is(err, driver.ErrConflict) && counts:
		a.fails("a conflict was reported, but version %d counts", i+1)
	case errors.Is(err, driver.ErrUnavailable):
		a.unsure++
		if !a.shaky && a.now-a.began < quick && !a.disturbed() {
			a.fails("a writer was not told what became of version %d, although it was quick", i+1)
		}
	}
}

// disturbed reports whether a deletion, which does not wait for keepFor, has destroyed a
// version since the current operation began.
func (a *actor) disturbed() bool { return a.erased > a.began }

// paste stores a version as a person does: typed in, or copied from the current one with
// the driver's fields.
func (a *actor) paste() error {
	if err := a.step(); err != nil {
		return err
	}
	v, from := version{data: []byte(fmt.Sprint(a.rng.Uint64()))}, int64(0)
	if n := a.head(); n > 0 && a.rng.IntN(2) == 0 {
		v = a.log[n-1].version
		if from = n; v.person() {
			from = 0
		}
	}
	a.log[a.append(v, true)-1].copied = from
	for _, other := range a.actors {
		other.shaky = true
	}
	return nil
}

// live runs one process.
func (a *actor) live(role int) error {
	ctx := context.Background()
	for range 3 {
		var err error
		switch {
		case role == 0:
			err = a.paste()
		case role < 4:
			_, _, err = a.look(ctx)
		default:
			err = a.save(ctx, a.rng.IntN(8) == 0)
		}
		if a.dead {
			return errDead
		}
		if err != nil && !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrUnavailable) {
			return err
		}
	}
	return nil
}

// start makes a process that waits for its first turn.
func (w *world) start(live func(*actor) error) *actor {
	a := &actor{world: w}
	a.resume, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		if err := live(a); err != nil && !a.dead {
			w.fails("a process ended with %v", err)
		}
		a.done = true
	})
	w.actors = append(w.actors, a)
	return a
}

// run lets the processes take turns until all have ended.
func (w *world) run() {
	defer func() {
		for _, a := range w.actors {
			a.stop()
		}
	}()
	for {
		var ready []*actor
		next := time.Duration(-1)
		for _, a := range w.actors {
			switch {
			case a.done || a.dead:
			case a.wake <= w.now:
				ready = append(ready, a)
			case next < 0 || a.wake < next:
				next = a.wake
			}
		}
		switch {
		case len(ready) > 0:
			w.turn++
			w.now += time.Duration(w.rng.IntN(200)) * time.Millisecond
			w.settle()
			ready[w.rng.IntN(len(ready))].resume()
		case next >= 0:
			w.now = next
		default:
			return
		}
	}
}

// schedule runs one schedule to its end and returns the violations.
func schedule(seed uint64, planted naive) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), heads: []headAt{{}}, naive: planted}
	for range modelActors {
		role := w.rng.IntN(40) // Half of them only write.
		w.start(func(a *actor) error {
			a.wake = time.Duration(w.rng.IntN(120)) * time.Second
			if err := a.step(); err != nil {
				return err
			}
			return a.live(role)
		})
	}
	w.run()
	if planted == none {
		w.aftermath()
	}
	return w
}

// aftermath lets one more process save a few times when all others have ended: it finds
// the version that counts, and in the end at most two versions are left.
func (w *world) aftermath() {
	w.calm, w.actors = true, nil
	w.now += time.Hour
	w.settle()
	w.start(func(a *actor) error {
		for range 4 + len(w.log)/maxPrune {
			if err := a.save(context.Background(), false); err != nil {
				return err
			}
			a.wake = a.now + time.Hour
			if err := a.step(); err != nil {
				return err
			}
		}
		return nil
	})
	w.run()
	left := 0
	for _, e := range w.log {
		if !e.gone {
			left++
		}
	}
	if left > 2 {
		w.fails("%d versions are left", left)
	}
}

func schedules() int {
	if os.Getenv("TOKENSTORE_LONG") != "" {
		return modelSchedules
	}
	return modelSchedules / 10
}

func TestModelOfVersions(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	var versions, wins, unsure, pastes int
	for seed := range schedules() {
		w := schedule(uint64(seed), none)
		versions, wins, unsure = versions+len(w.log), wins+w.wins, unsure+w.unsure
		pastes += w.pastes
		for _, p := range w.problems {
			t.Errorf("schedule %d: %s", seed, p)
		}
		if t.Failed() {
			return
		}
	}
	if pastes == 0 {
		t.Error("nobody has seen a paste")
	}
	t.Logf("%d schedules, %d versions, %d committed writes, %d writers that were told that nobody knows", schedules(), versions, wins, unsure)
}

// TestModelBites plants likely mistakes, and expects the model to find them.
func TestModelBites(t *testing.T) {
	t.Parallel()
	for name, planted := range map[string]struct {
		naive
		says string
	}{
		"compare the previous number only":    {previousOnly, "lost update"},
		"destroy at once":                     {destroyAtOnce, "not told what became"},
		"destroy at once and take for absent": {destroyAndForget, "lost update"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := 0
			for seed := range bites {
				w := schedule(uint64(seed), planted.naive)
				if slices.ContainsFunc(w.problems, func(p string) bool { return strings.Contains(p, planted.says) }) {
					bad++
				}
			}
			t.Logf("%d of %d schedules go wrong", bad, bites)
			if bad == 0 {
				t.Error("the model does not notice")
			}
		})
	}
}
