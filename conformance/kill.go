// Killing a process in the middle of a write: only a real process shows what is left on disk.

package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Kill starts the calling test's binary again, as a process that saves, changes and
// deletes tokens without a pause, and kills it at a random moment. It does so for the given
// number of rounds, on one store. After each round the store must open, the effects of
// all calls that had returned must be there, and a call that was in progress must have
// happened completely or not at all.
//
// Call Kill first in a test function of its own: the process that is killed runs that
// function too, up to this call. Unless TOKENSTORE_LONG is set in the environment, it
// runs at most 8 rounds.
func Kill(t *testing.T, rounds int, open OpenDir) {
	t.Helper()
	for _, f := range kill(t, rounds, open) {
		t.Error(f)
	}
}

// kill returns the findings of Kill. It stops after the first round that has any.
func kill(t *testing.T, rounds int, open OpenDir) []Finding {
	t.Helper()
	asWorker(t, "kill", open, saveUntilKilled)
	if short := 8; !long() {
		rounds = min(rounds, short)
	}
	k := &killing{dir: t.TempDir(), states: map[string]*state{}}
	for round := range rounds {
		child := startWorker(t, "kill", k.dir, round, 0)
		child.begin()
		k.killSoon(child)
		check := newTrial(t.Context(), fmt.Sprintf("kill, round %d", round+1))
		check.rule = "after a crash every stored token is still there, and a save that had not returned has happened completely or not at all"
		inGoroutine(func() { k.afterKill(check, open) }, check.panicked)
		if len(check.findings) > 0 {
			return check.findings
		}
	}
	t.Logf("%d rounds: %d calls had returned; of those in progress, %d had taken effect and %d had not", rounds, k.returned, k.done, k.undone)
	return nil
}

// afterKill opens the store and checks it.
func (k *killing) afterKill(t *trial, open OpenDir) {
	defer t.closeAll()
	for _, finding := range k.complaints {
		t.fails("before the process was killed: %s", finding)
	}
	t.openDir(open, k.dir)
	k.look(t)
}

// version returns a version of a token; version 0 is the absent token.
func version(name string, v int) token {
	id := fmt.Sprintf("%s-v%d", name, v)
	tok := withoutID(row(id, name, c1, s1))
	tok.GrantToken = secret("grant-" + name)
	return tok
}

// saveUntilKilled is run by the process that is killed. It reports each call before it
// makes it and after it has returned.
func saveUntilKilled(w *worker) {
	t := w.trial
	ids := map[string]string{}
	save := func(name string, v int) {
		w.tell("try %s %d", name, v)
		saved, err := t.store.patient(t.ctx, version(name, v))
		t.must("save", err)
		ids[name] = saved.ID
		w.tell("ok %s %d", name, v)
	}
	name := func(i int) string { return fmt.Sprintf("round-%d-user-%d", w.number, i) }
	for i := 0; ; i++ {
		select {
		case <-w.gone:
			return
		default:
		}
		save(name(i), 1)
		save(name(i/2), i+2)
		const kept = 8
		if i >= kept && i%2 == 0 {
			gone := name(i / 2)
			w.tell("try %s 0", gone)
			t.must("delete", t.store.DeleteToken(t.ctx, ids[gone]))
			w.tell("ok %s 0", gone)
		}
	}
}

// state is what is known about one token: the version of the last call that returned, and
// that of the call in progress, if any.
type state struct{ last, next int }

// killing is the parent's knowledge of the store.
type killing struct {
	dir                    string
	states                 map[string]*state
	complaints             []string
	returned, done, undone int
}

// killSoon kills the process after a random number of its calls, possibly none, and
// records its reports.
func (k *killing) killSoon(c *child) {
	for range rand.IntN(40) {
		told, ok := <-c.lines
		if !ok {
			break
		}
		k.take(told)
	}
	time.Sleep(rand.N(5 * time.Millisecond)) // No check depends on the length.
	_ = c.cmd.Process.Kill()
	for told := range c.lines {
		k.take(told)
	}
	_ = c.wait()
}

// take records one line.
func (k *killing) take(told string) {
	if finding, ok := findingOf(told); ok {
		k.complaints = append(k.complaints, finding)
		return
	}
	var verb, name string
	var v int
	if n, _ := fmt.Sscanf(told, "%s %s %d", &verb, &name, &v); n != 3 {
		return // "ready", or part of a line.
	}
	s := k.states[name]
	if s == nil {
		s = &state{}
		k.states[name] = s
	}
	s.next = v
	if verb == "ok" {
		s.last = v
		k.returned++
	}
}

// look compares the store with what is known, and then uses the store.
func (k *killing) look(t *trial) {
	rows := t.list()
	for _, r := range rows {
		if k.states[r.UserName] == nil {
			t.fails("a stored token was never saved, or is incomplete: user %s", show(r.UserName, false))
		}
	}
	for name, s := range k.states {
		k.settle(t, name, s, rows)
	}
	if len(t.findings) > 0 {
		return
	}
	for _, r := range rows {
		t.foundByAll(t.store, r, rows)
	}
	asked := version("after", 1)
	saved := t.save(asked)
	t.inserted(asked, saved, rows)
	t.must("delete", t.store.DeleteToken(t.ctx, saved.ID))
	const enough = 60
	if len(rows) > enough {
		t.must("delete all", t.store.DeleteTokens(t.ctx))
		clear(k.states)
	}
}

// settle checks one token and records its version.
func (k *killing) settle(t *trial, name string, s *state, rows []token) {
	found := slices.DeleteFunc(slices.Clone(rows), func(r token) bool { return r.UserName != name })
	is := func(v int) bool {
		if v == 0 {
			return len(found) == 0
		}
		return len(found) == 1 && withoutID(found[0]) == version(name, v)
	}
	switch {
	case s.next != s.last && is(s.next):
		k.done++
		s.last = s.next
	case is(s.last):
		if s.next != s.last {
			k.undone++
		}
		s.next = s.last
	case len(found) == 0:
		t.fails("%s is lost: version %d had returned and version %d was in progress", name, s.last, s.next)
	case len(found) > 1:
		t.fails("%s is there %d times", name, len(found))
	default:
		t.fails("%s is neither version %d, which had returned, nor version %d, which was in progress: %s", name, s.last, s.next, difference(withoutID(found[0]), version(name, max(s.last, s.next))))
	}
	if s.last == 0 {
		delete(k.states, name)
	}
}
