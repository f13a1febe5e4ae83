package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/faultproxy"
	"example.com/tokenstore/secretstore"
)

// processes is the number of processes in a fleet.
const processes = 4

// plan is what a fleet has to withstand, and for how long.
type plan struct {
	time    time.Duration
	weather [processes]faultproxy.Weather // of each process's own link
	// outages is the mean time between short outages of the server; zero: none.
	outages time.Duration
	// kills is the mean time between kills, of a process among the last ones.
	kills  time.Duration
	mortal int
	period time.Duration // between the times at which all save the same new tokens
	memory bool          // measure the processes that are not killed
}

// fleet is a running fleet.
type fleet struct {
	plan
	*ledger
	site  *site
	links []*faultproxy.Proxy
	begun time.Time
	lives [processes]int
	cmds  [processes]*member
}

// member is a process from the test's point of view.
type member struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	read  sync.WaitGroup // done when all its lines are read
	died  bool           // because it was killed
}

// run lets a fleet work on a server, and judges the result.
func (p plan) run(t *testing.T, s *site) {
	if _, err := s.inspect(t, 0).SaveToken(t.Context(), sharedToken()); err != nil {
		t.Fatal(err)
	}
	f := &fleet{plan: p, ledger: newLedger(), site: s, begun: time.Now()}
	for i := range processes {
		f.links = append(f.links, faultproxy.New(t, s.Address, p.weather[i]))
	}
	for i := range processes {
		f.start(t, i)
	}
	f.disturb(t)
	f.stop(t)
	f.report(t)
	f.inspect(t)
}

// start starts a process, or the successor of one that died.
func (f *fleet) start(t *testing.T, i int) {
	t.Helper()
	text, err := json.Marshal(orders{Access: f.site.through(f.links[i]), Process: i, Life: f.lives[i], Races: f.begun, Period: f.period})
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := &member{cmd: exec.CommandContext(t.Context(), binary)}
	m.cmd.Env = append(os.Environ(), envOrders+"="+string(text))
	m.cmd.Stderr = os.Stderr
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name := lifeOf(i, f.lives[i])
	m.read.Go(func() { f.listen(name, stdout) })
	f.cmds[i] = m
	f.lives[i]++
}

// lifeOf names a process, by its number and how many had that number before.
func lifeOf(process, life int) string { return fmt.Sprintf("%d-%d", process, life) }

// listen records all complete lines.
func (f *fleet) listen(process string, stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		f.take(process, strings.TrimSuffix(line, "\n"))
	}
}

// disturb kills processes and stops the server now and then, until the time is over.
func (f *fleet) disturb(t *testing.T) {
	over := time.After(f.time)
	var kill, away <-chan time.Time
	for {
		if f.kills > 0 && kill == nil {
			kill = time.After(around(f.kills))
		}
		if f.outages > 0 && away == nil {
			away = time.After(around(f.outages))
		}
		select {
		case <-over:
			return
		case <-kill:
			kill = nil
			f.kill(t, processes-1-rand.IntN(f.mortal))
		case <-away:
			away = nil
			f.site.outage(t, f.links)
			f.count(outages)
		}
	}
}

// around returns a random time with mean d.
func around(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// kill kills a process and starts its successor.
func (f *fleet) kill(t *testing.T, i int) {
	t.Helper()
	m := f.cmds[i]
	m.died = true
	_ = m.cmd.Process.Kill()
	m.read.Wait()
	_ = m.cmd.Wait()
	f.count(killed)
	f.start(t, i)
}

func (l *ledger) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
}

// stop lets every client finish its current call.
func (f *fleet) stop(t *testing.T) {
	for _, m := range f.cmds {
		_ = m.stdin.Close()
	}
	for i, m := range f.cmds {
		m.read.Wait()
		if err := m.cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
}

// The events that a fleet counts.
const (
	changed = "changes had returned"
	outages = "outages of the server"
	killed  = "processes killed"
)

// changesEachSecond is how many changes must return, of all clients together: far fewer
// than even a busy machine reaches.
const changesEachSecond = 1

// missed returns the events of the plan that did not happen: a run in which hardly anything
// returned, or that was never disturbed, proves nothing.
func (p plan) missed(counts map[string]int, measures map[string][]usage) (missed []string) {
	misses := func(format string, args ...any) { missed = append(missed, fmt.Sprintf(format, args...)) }
	if least := max(1, int(p.time.Seconds())*changesEachSecond); counts[changed] < least {
		misses("only %d changes had returned after %v, want at least %d", counts[changed], p.time, least)
	}
	// The first comes after one and a half times the mean at the latest; see around.
	if p.outages > 0 && p.time >= 2*p.outages && counts[outages] == 0 {
		misses("the server was never away")
	}
	if p.kills > 0 && p.time >= 2*p.kills && counts[killed] == 0 {
		misses("no process was killed")
	}
	for i := range processes - p.mortal {
		if n := len(measures[lifeOf(i, 0)]); p.memory && n < enoughMeasures {
			misses("the memory of process %d was measured %d times, want at least %d: let it go on for longer", i, n, enoughMeasures)
		}
	}
	return missed
}

// report fails the test with the processes' findings, and shows the counts.
func (f *fleet) report(t *testing.T) {
	const most = 20
	for i, finding := range f.findings {
		if i == most {
			t.Errorf("and %d more", len(f.findings)-most)
			break
		}
		t.Error(finding)
	}
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(f.counts)) {
		fmt.Fprintf(&b, "\n%8d %s", f.counts[what], what)
	}
	for _, missed := range f.missed(f.counts, f.measures) {
		t.Error(missed)
	}
	t.Logf("%d processes with %d clients each for %v:%s", processes, clientsEach, f.time, b.String())
	f.reportMemory(t)
}

// inspect compares the stored tokens with the recorded calls, over a direct connection.
func (f *fleet) inspect(t *testing.T) {
	t.Helper()
	ctx, store := t.Context(), f.site.inspect(t, 0)
	rows, err := store.GetTokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range f.judge(rows) {
		t.Error(finding)
	}
	for _, row := range rows {
		for _, key := range tokenstore.KeysOf(row) {
			if found, err := store.FindToken(ctx, queryOf(row, key)); err != nil || found != row {
				t.Errorf("%s is not found by its %v: %v", nameOf(row), key.Kind, err)
			}
		}
	}
	report, err := store.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if report.KeysAdded+len(report.Unreadable)+report.Foreign > 0 {
		t.Errorf("the repair finds more than hints that lead nowhere: %+v", report)
	}
	t.Logf("%d tokens and %d tombstones are stored; %d hints lead nowhere", len(rows), report.Tombstones, report.HintsYoung+report.HintsRemoved)
	f.repair(t, rows)
}

// repair runs a repair two days later, and checks that it changes no token and leaves no
// leftovers.
func (f *fleet) repair(t *testing.T, rows []tokenstore.OAuthToken) {
	t.Helper()
	const day = 24 * time.Hour
	ctx, later := t.Context(), f.site.inspect(t, 2*day)
	for range 2 {
		if _, err := later.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	report, err := later.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if report.KeysAdded+report.HintsRemoved+report.HintsYoung > 0 {
		t.Errorf("the repair has left something behind: %+v", report)
	}
	after, err := f.site.inspect(t, 0).GetTokens(ctx)
	if err != nil || !slices.Equal(after, rows) {
		t.Errorf("the repair has changed the tokens: %d before, %d after, %v", len(rows), len(after), err)
	}
}
