// One store used by several processes at the same time, for stores whose locks must hold
// across processes.

package conformance

import (
	"fmt"
	"testing"

	"example.com/tokenstore"
)

// Processes uses one store from several processes concurrently: it starts the calling
// test's binary again, as workers, and checks the store when they are done. Each worker
// saves users of its own, the same new users and ownerless refresh tokens as the others,
// and one field of a token whose other fields the other workers save. It reads what it
// saved, and deletes some of it.
//
// Call Processes first in a test function of its own: the workers run that function too,
// up to this call. If TOKENSTORE_LONG is set in the environment, the workers save ten
// times as much.
func Processes(t *testing.T, workers int, open OpenDir) {
	t.Helper()
	count := 20
	if long() {
		count *= 10
	}
	for _, f := range processes(t, workers, count, open) {
		t.Error(f)
	}
}

// processes returns the findings of Processes; each worker saves count tokens of each
// kind.
func processes(t *testing.T, workers, count int, open OpenDir) []Finding {
	t.Helper()
	asWorker(t, "processes", open, hammer)
	dir := t.TempDir()
	check := newTrial(t.Context(), "processes")
	inGoroutine(func() {
		defer check.closeAll()
		check.openDir(open, dir)
		check.seed(shared(nil))
		runWorkers(t, check, workers, dir, count)
		check.rule = "concurrent saves of several processes have the same result as one after the other"
		check.afterHammer(workers, count)
	}, check.panicked)
	return check.findings
}

// runWorkers starts the workers, has them begin together, and waits for them.
func runWorkers(t *testing.T, check *trial, workers int, dir string, count int) {
	children := make([]*child, workers)
	for i := range children {
		children[i] = startWorker(t, "processes", dir, i, count)
	}
	for _, c := range children {
		told := <-c.lines
		if finding, ok := findingOf(told); ok {
			told = finding
		}
		if told != "ready" {
			check.fails("a worker did not open the store: %s", told)
		}
	}
	for _, c := range children {
		c.begin()
	}
	for i, c := range children {
		done := false
		for told := range c.lines {
			done = done || told == "done"
			if finding, ok := findingOf(told); ok {
				check.fails("worker %d: %s", i, finding)
			}
		}
		if err := c.wait(); err != nil || !done {
			check.fails("worker %d failed: %v", i, err)
		}
	}
}

// shared returns the token of which each worker saves one field. last returns the value
// of each field; nil means the initial values.
func shared(last func(field int) string) token {
	tok := row("7", "shared", c1, s1)
	for f := range texts {
		if last != nil {
			*texts[f].of(&tok) = last(f)
		}
	}
	return tok
}

// sharedValue is the value that a worker saves in its field in a round.
func sharedValue(field, round int) string {
	return fmt.Sprintf("%s-%s-round-%d", mark, texts[field].name, round)
}

// The tokens of the workers.
func workersOwn(w, i int) token {
	return withoutID(row(fmt.Sprintf("own-%d-%d", w, i), fmt.Sprintf("own-%d-%d", w, i), c1, s1))
}

func sameUser(i int) token {
	return withoutID(row(fmt.Sprintf("same-%d", i), fmt.Sprintf("same-%d", i), c1, s1))
}

func sameOwnerless(i int) token {
	return token{ClientID: c1, ClientSecret: s1, RefreshToken: secret(fmt.Sprintf("ownerless-%d", i)), AccessToken: secret(fmt.Sprintf("access-ownerless-%d", i)), Expiry: at(i)}
}

// hammer is run by each worker of Processes.
func hammer(w *worker) {
	t := w.trial
	t.store.crowded = true
	save := func(tok token) token {
		saved, err := t.store.patient(t.ctx, tok)
		t.must("save", err)
		return saved
	}
	for i := range w.count {
		own := save(workersOwn(w.number, i))
		t.finds(token{UserName: own.UserName}, own)

		same := save(sameUser(i))
		t.finds(token{UserName: same.UserName}, same)

		ownerless := save(sameOwnerless(i))
		t.finds(token{RefreshToken: ownerless.RefreshToken, ClientID: c1, ClientSecret: s1}, ownerless)

		if w.number < len(texts) {
			part := token{ID: "7"}
			*texts[w.number].of(&part) = sharedValue(w.number, i)
			save(part)
			got, err := t.store.FindTokenByID(t.ctx, "7")
			t.must("find by ID", err)
			if *texts[w.number].of(&got) != *texts[w.number].of(&part) {
				t.breaks(ruleNoLostField, "the field %s, which this worker has just saved, is gone", texts[w.number].name)
			}
		}

		gone := save(workersOwn(w.number, w.count+i))
		t.must("delete", t.store.DeleteToken(t.ctx, gone.ID))
		t.findsNone(token{UserName: gone.UserName})
	}
}

// afterHammer checks the tokens that the workers have left.
func (t *trial) afterHammer(workers, count int) {
	want := map[token]bool{}
	for i := range count {
		for w := range workers {
			want[workersOwn(w, i)] = true
		}
		want[sameUser(i)] = true
		want[sameOwnerless(i)] = true
	}
	first := shared(nil)
	last := shared(func(f int) string {
		if f < workers {
			return sharedValue(f, count-1)
		}
		return *texts[f].of(&first)
	})
	// An access token that is saved without an expiry drops the old one.
	if last.AccessToken != first.AccessToken {
		last.Expiry = token{}.Expiry
	}
	want[withoutID(last)] = true

	rows := t.list()
	ids := map[string]bool{}
	for _, r := range rows {
		if ids[r.ID] {
			t.breaks(ruleDistinct, "two tokens have the ID %s", show(r.ID, false))
		}
		ids[r.ID] = true
		if !want[withoutID(r)] {
			t.fails("a token is stored twice, or was never saved: %s; difference from the shared token: %s", show(r.UserName, false), difference(r, last))
		}
		delete(want, withoutID(r))
	}
	for missed := range want {
		t.fails("a saved token is not stored: %s", show(missed.UserName, false))
	}
	t.found("find by ID", last)(t.store.FindTokenByID(t.ctx, "7"))
	for _, r := range rows {
		for _, k := range tokenstore.KeysOf(r) {
			t.finds(tokenstore.QueryFor(k), r)
		}
	}
}
