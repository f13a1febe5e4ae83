//go:build unix

package refresh

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/tokensource"
)

// processes is the number of processes in a fleet.
const processes = 8

// member is a process from the test's point of view.
type member struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	read    sync.WaitGroup // done when all its lines are read
	reports []report
}

// fleet is a fleet with a token that has expired.
type fleet struct {
	*testing.T
	accounts *accountstest.Server
	place    place
	store    tokenstore.Store
	token    tokenstore.OAuthToken // as stored before
	reuse    time.Duration
	stopOnce string
	members  []*member
	stopping chan int
}

// provider is a kind of provider, and what a Source is told about it.
type provider struct {
	kind  accountstest.Kind
	reuse time.Duration
}

var (
	forever = provider{accountstest.Keep, tokensource.Forever}
	never   = provider{accountstest.RevokeFamily, 0}
)

// newFleet saves a token that has expired, and starts the processes, which wait for the word.
func newFleet(t *testing.T, at place, p provider, stops bool) *fleet {
	t.Helper()
	f := &fleet{T: t, place: at, reuse: p.reuse, stopping: make(chan int, processes)}
	f.accounts = accountstest.NewServer(accountstest.Config{Kind: p.kind})
	t.Cleanup(f.accounts.Close)
	store, err := at.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token := f.accounts.Login(accountstest.User{})
	token.Expiry = time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	f.store = store
	if f.token, err = store.SaveToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if stops {
		f.stopOnce = filepath.Join(t.TempDir(), "stopped")
	}
	for i := range processes {
		f.members = append(f.members, f.start(i))
	}
	return f
}

// start starts a process.
func (f *fleet) start(process int) *member {
	f.Helper()
	text, err := json.Marshal(orders{
		Place: f.place, Process: process, User: f.token.UserName, Reuse: f.reuse, StopOnce: f.stopOnce,
		TokenURL: f.accounts.TokenURL(), ClientID: f.accounts.ClientID(), ClientSecret: f.accounts.ClientSecret(),
	})
	if err != nil {
		f.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	m := &member{cmd: exec.CommandContext(f.Context(), binary)}
	m.cmd.Env = append(os.Environ(), envOrders+"="+string(text))
	m.cmd.Stderr = os.Stderr
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		f.Fatal(err)
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	ready := make(chan struct{})
	m.read.Go(func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			var r report
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				f.Errorf("process %d: %v", process, err)
				return
			}
			switch r.What {
			case "ready":
				close(ready)
			case "stopping":
				f.stopping <- process
			default:
				m.reports = append(m.reports, r)
			}
		}
	})
	<-ready
	return m
}

// begin lets all processes ask for the token at once.
func (f *fleet) begin() {
	for _, m := range f.members {
		if _, err := io.WriteString(m.stdin, "go\n"); err != nil {
			f.Fatal(err)
		}
	}
}

// signal sends a signal to a process.
func (f *fleet) signal(process int, s os.Signal) {
	if err := f.members[process].cmd.Process.Signal(s); err != nil {
		f.Errorf("process %d: %v", process, err)
	}
}

// end waits for a process that was not killed, and returns what its callers got and its writes.
func (f *fleet) end(process int) (results []report, writes int) {
	f.Helper()
	m := f.members[process]
	m.read.Wait()
	if err := m.cmd.Wait(); err != nil {
		f.Errorf("process %d: %v", process, err)
	}
	for _, r := range m.reports {
		switch r.What {
		case "wrote":
			writes += r.N
		case "got", "failed":
			results = append(results, r)
		}
	}
	if len(results) != callers {
		f.Errorf("process %d: %d callers have a result, want %d", process, len(results), callers)
	}
	return results, writes
}

// others are the processes but one.
func others(but int) (all []int) {
	for i := range processes {
		if i != but {
			all = append(all, i)
		}
	}
	return all
}

// stored returns the token as it is stored now. On a busy machine the processes may keep SQLite to
// themselves for a while.
func (f *fleet) stored() tokenstore.OAuthToken {
	f.Helper()
	for over := time.Now().Add(time.Minute); ; {
		now, err := f.store.FindToken(f.Context(), tokenstore.OAuthToken{UserName: f.token.UserName})
		if err == nil {
			return now
		}
		if !tokenstore.Retryable(err) || time.Now().After(over) {
			f.Fatal(err)
		}
	}
}

// wantToken checks that every caller of a process got the token that is stored, and that it is
// good.
func (f *fleet) wantToken(process int, results []report) {
	f.Helper()
	now := f.stored()
	if now.AccessToken == f.token.AccessToken || !f.accounts.Alive(now.AccessToken) {
		f.Error("the stored access token is not a new one that works")
	}
	if !f.accounts.Redeemable(now.RefreshToken) {
		f.Error("the stored refresh token is dead")
	}
	for _, r := range results {
		if r.What != "got" || r.Digest != digest(now.AccessToken) {
			f.Errorf("process %d: a caller got %+v, want the stored access token", process, r)
			return
		}
	}
}

// wantConsent checks that every caller of a process is told to ask the user, and since when.
func (f *fleet) wantConsent(process int, results []report, since time.Time) {
	f.Helper()
	for _, r := range results {
		if r.Kind != needsConsent || r.Since.Before(since.Add(-2*time.Second)) || r.Since.After(time.Now()) {
			f.Errorf("process %d: a caller got %+v, want that consent is needed since %s or later", process, r, since)
			return
		}
	}
}

// wantUses checks how often the refresh token was sent.
func (f *fleet) wantUses(want accountstest.Uses) {
	f.Helper()
	if got := f.accounts.Uses(f.token.RefreshToken); got != want {
		f.Errorf("the uses of the refresh token are %+v, want %+v: %+v", got, want, f.accounts.Requests())
	}
}

// wantWrites checks the versions that were written of the token.
func (f *fleet) wantWrites(writes, most int) {
	f.Helper()
	f.Logf("%d versions written", writes)
	if writes < 2 || writes > most {
		f.Errorf("%d versions written, want 2 to %d", writes, most)
	}
}

// endAll waits for processes, and checks each.
func (f *fleet) endAll(processes []int, check func(int, []report)) (writes int) {
	f.Helper()
	for _, i := range processes {
		results, n := f.end(i)
		writes += n
		check(i, results)
	}
	return writes
}

// redeemed returns a channel with the process of the first redemption. What happens in hold comes
// between that and its reply.
func (f *fleet) redeemed(hold func(process int)) {
	var once sync.Once
	f.accounts.After(func(r accountstest.Request) {
		if r.Outcome != accountstest.Redeemed {
			return
		}
		once.Do(func() {
			for i := range processes {
				if r.Agent == agent(i) {
					hold(i)
					return
				}
			}
			f.Errorf("a request of %q, which is no process", r.Agent)
		})
	})
}

// places are the stores that a fleet meets on.
func places(t *testing.T) map[string]func(*testing.T) place {
	t.Helper()
	return map[string]func(*testing.T) place{
		"sqlite": func(t *testing.T) place {
			return place{Kind: "sqlite", Path: filepath.Join(t.TempDir(), "tokens.db")}
		},
		"vault": func(t *testing.T) place { // Or OpenBao.
			address, token := need.Vault(t)
			return place{Kind: "vault", Address: address, Token: token, Prefix: need.Prefix(t)}
		},
		"localstack": func(t *testing.T) place {
			return place{Kind: "localstack", Address: need.AWS(t), Prefix: need.Prefix(t)}
		},
	}
}

// onEach runs a test on every store, for a provider whose refresh tokens stay and for one that
// revokes the family at a second use.
func onEach(t *testing.T, test func(*testing.T, place, provider)) {
	for name, at := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // They wait for claims to end.
			for use, p := range map[string]provider{"forever": forever, "never": never} {
				t.Run(use, func(t *testing.T) {
					t.Parallel()
					test(t, at(t), p)
				})
			}
		})
	}
}

// TestOneRedemption: 8 processes with 32 callers each meet an expired token at once. One
// request is made, and everybody gets the new token.
func TestOneRedemption(t *testing.T) {
	onEach(t, func(t *testing.T, at place, p provider) {
		f := newFleet(t, at, p, false)
		f.begin()
		writes := f.endAll(others(-1), f.wantToken)
		f.wantUses(accountstest.Uses{Requests: 1, Redemptions: 1})
		f.wantWrites(writes, 3)
	})
}

// TestKilledWinner: the process that redeems is killed before it gets the reply, so that nobody
// has what the redemption gave. When its claim has ended another takes over. If the refresh
// token stays the same, everybody gets a token. If it was for one use, it is asked about once
// more, and then everybody is told that consent is needed, and since when; nobody asks about it
// again.
func TestKilledWinner(t *testing.T) {
	onEach(t, func(t *testing.T, at place, p provider) {
		f := newFleet(t, at, p, false)
		killed := make(chan int, 1)
		f.redeemed(func(process int) {
			f.signal(process, os.Kill)
			killed <- process
		})
		begun := time.Now()
		f.begin()
		dead := <-killed
		f.members[dead].read.Wait()
		_ = f.members[dead].cmd.Wait()
		check := f.wantToken
		want := accountstest.Uses{Requests: 2, Redemptions: 2}
		if p == never {
			check = func(i int, results []report) { f.wantConsent(i, results, begun) }
			want = accountstest.Uses{Requests: 2, Redemptions: 1, Second: 1}
		}
		writes := f.endAll(others(dead), check)
		f.wantUses(want)
		f.wantWrites(writes+1, 3) // One by the dead.

		// Who comes later gets the same answer, and asks nobody.
		f.members[dead] = f.start(dead)
		if _, err := io.WriteString(f.members[dead].stdin, "go\n"); err != nil {
			t.Fatal(err)
		}
		results, _ := f.end(dead)
		check(dead, results)
		f.wantUses(want)
	})
}

// TestStoppedWinner: the process that has claimed is stopped before it sends anything, for
// longer than its claim. Another takes over and redeems. The one that was stopped sees how late
// it is, sends nothing, and gets the new token.
func TestStoppedWinner(t *testing.T) {
	onEach(t, func(t *testing.T, at place, p provider) {
		f := newFleet(t, at, p, true)
		f.begin()
		stopped := <-f.stopping
		f.settle(stopped)
		writes := f.endAll(others(stopped), f.wantToken)
		f.wantUses(accountstest.Uses{Requests: 1, Redemptions: 1})
		f.signal(stopped, syscall.SIGCONT)
		results, n := f.end(stopped)
		f.wantToken(stopped, results)
		f.wantUses(accountstest.Uses{Requests: 1, Redemptions: 1})
		f.wantWrites(writes+n, 3)
	})
}

// TestStoppedBeforeSave: the process that has redeemed is stopped before it gets the reply, for
// longer than its claim. If the refresh token stays the same, another redeems it again, and
// everybody gets what that saved. If it is for one use, the page promises nothing but that
// everybody ends with an answer: a second use ends as it always does.
func TestStoppedBeforeSave(t *testing.T) {
	onEach(t, func(t *testing.T, at place, p provider) {
		f := newFleet(t, at, p, false)
		stopped := make(chan int, 1)
		f.redeemed(func(process int) {
			f.signal(process, syscall.SIGSTOP)
			f.settle(process)
			stopped <- process
		})
		begun := time.Now()
		f.begin()
		slow := <-stopped
		if p == never {
			f.endAll(others(slow), func(i int, results []report) { f.wantConsent(i, results, begun) })
			f.wantUses(accountstest.Uses{Requests: 2, Redemptions: 1, Second: 1})
			f.signal(slow, syscall.SIGCONT)
			f.end(slow) // It has an answer, whichever.
			return
		}
		writes := f.endAll(others(slow), f.wantToken)
		f.signal(slow, syscall.SIGCONT)
		results, n := f.end(slow)
		f.wantToken(slow, results)
		f.wantUses(accountstest.Uses{Requests: 2, Redemptions: 2})
		f.wantWrites(writes+n, 3)
	})
}
