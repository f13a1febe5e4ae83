// Doctor: faults are planted, each is found, its repair is named, and the repair mends it.

package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/secretstore"
)

// patient is a store over a fake service, of which every command opens another process.
type patient struct {
	*testing.T
	url     string // sick, if empty
	clock   *drivertest.Clock
	process func() driver.Secrets
	vault   *fakeVault // nil elsewhere
	// schedule deletes a token's secret as a person does in the console of AWS; nil elsewhere.
	schedule func(name string) error
	// around is what stands between the command and the service, and options are the
	// command's own.
	around  func(driver.Secrets) driver.Secrets
	options []secretstore.Option
}

const sick = "sick:"

// clinics are the kinds of services.
var clinics = map[string]func(*testing.T) *patient{
	"memory": func(t *testing.T) *patient {
		secrets := memory.New()
		return &patient{T: t, clock: drivertest.NewClock(), process: func() driver.Secrets { return secrets }}
	},
	"aws": func(t *testing.T) *patient {
		p := &patient{T: t, clock: drivertest.NewClock()}
		service := awssmtest.New(awssmtest.Real(), p.clock)
		p.schedule = func(name string) error {
			secret, err := awssm.SecretName(name)
			return errors.Join(err, service.Remove(secret))
		}
		p.process = func() driver.Secrets {
			return p.must(awssm.NewSecrets(service, awssm.WithClock(p.clock.Now, p.clock.Sleep)))
		}
		return p
	},
	"gcp": func(t *testing.T) *patient {
		p := &patient{T: t, clock: drivertest.NewClock()}
		client, err := gcpsmtest.New(gcpsmtest.Real(), p.clock).Client(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		p.process = func() driver.Secrets {
			return p.must(gcpsm.NewSecrets(client, "test-project", gcpsm.WithClock(p.clock.Now, p.clock.Sleep)))
		}
		return p
	},
	"vault": func(t *testing.T) *patient {
		p := &patient{T: t, clock: drivertest.NewClock()}
		p.vault = newFakeVault(t, p.clock.Now)
		p.process = func() driver.Secrets { return p.must(p.vault.secrets()) }
		return p
	},
}

func (p *patient) must(secrets driver.Secrets, err error) driver.Secrets {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	return secrets
}

// store opens the store as a program does.
func (p *patient) store(secrets driver.Secrets, options ...secretstore.Option) *secretstore.Store {
	p.Helper()
	all := []secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithClock(p.clock.Now), secretstore.WithSleep(p.clock.Sleep)}
	s, err := secretstore.New(secrets, append(all, options...)...)
	if err != nil {
		p.Fatal(err)
	}
	return s
}

// admitted returns a patient with three tokens, which the command opens by the URL sick.
func admitted(t *testing.T, clinic string) *patient {
	t.Helper()
	p := clinics[clinic](t)
	tokenstore.Register("sick", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		secrets := p.process()
		if p.around != nil {
			secrets = p.around(secrets)
		}
		return p.store(secrets, p.options...), nil
	})
	store := p.store(p.process())
	for _, id := range []string{"1", "2"} {
		p.save(store, numbered(id)[0])
	}
	p.save(store, tokenstore.OAuthToken{ID: "3", ClientID: "CLIENTAAAA", ClientSecret: "cs-fake", RefreshToken: "fake-refresh3"})
	return p
}

func (p *patient) save(store tokenstore.Store, token tokenstore.OAuthToken) {
	p.Helper()
	if _, err := store.SaveToken(p.Context(), token); err != nil {
		p.Fatal(err)
	}
}

// edit replaces a part of a secret's content, as another program does, or all of it.
func (p *patient) edit(name, old, replacement string) {
	p.Helper()
	secrets := p.process()
	s, err := secrets.Get(p.Context(), name)
	if err != nil {
		p.Fatal(err)
	}
	data := []byte(replacement)
	if old != "" {
		if data = bytes.Replace(s.Data, []byte(old), data, 1); bytes.Equal(data, s.Data) {
			p.Fatalf("%s has no %s", name, old)
		}
	}
	s.Data = data
	if _, err := secrets.Put(p.Context(), s); err != nil {
		p.Fatal(err)
	}
}

func (p *patient) remove(name string) {
	p.Helper()
	if p.vault != nil { // The driver's own deletion keeps the name for an hour.
		p.vault.remove(name)
		return
	}
	secrets := p.process()
	s, err := secrets.Get(p.Context(), name)
	if err == nil {
		err = secrets.Delete(p.Context(), name, s.Revision)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// names returns the names of the secrets that can be read.
func (p *patient) names() []string {
	p.Helper()
	var all []string
	secrets := p.process()
	for name, err := range secrets.List(p.Context(), "tokenstore/") {
		if err == nil {
			_, err = secrets.Get(p.Context(), name)
		}
		switch {
		case errors.Is(err, driver.ErrNotFound):
		case err != nil:
			p.Fatal(err)
		default:
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// interfere makes calls of the command's fail.
func (p *patient) interfere(outcome error, hit func(drivertest.Call) bool) {
	p.around = func(s driver.Secrets) driver.Secrets {
		return drivertest.Inject(s, func(c drivertest.Call) drivertest.Outcome {
			if hit(c) {
				return drivertest.Outcome{Err: outcome}
			}
			return drivertest.Outcome{}
		})
	}
}

// listsTokens reports whether a call lists the tokens.
func listsTokens(c drivertest.Call) bool {
	return c.Method == drivertest.List && strings.Contains(c.Name, "tokens")
}

func probes(method drivertest.Method, replaces bool) func(drivertest.Call) bool {
	return func(c drivertest.Call) bool {
		return c.Method == method && strings.HasPrefix(c.Name, "tokenstore/doctor/") && (c.Revision != "") == replaces
	}
}

// doctor runs the command and returns its findings.
func (p *patient) doctor(code int, flags ...string) []finding {
	p.Helper()
	got, out, errs := try(p.T, "", append([]string{"doctor", cmp.Or(p.url, sick), "--json"}, flags...)...)
	var report doctorReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || got != code {
		p.Fatalf("doctor %v: exit code %d, want %d, %v\n%s%s", flags, got, code, err, out, errs)
	}
	return report.Findings
}

const (
	token1 = "tokenstore/tokens/1"
	root   = "tokenstore/index/root"
)

// fault is one planted fault.
type fault struct {
	clinics string // where it can be planted; everywhere if empty
	plant   func(*patient)
	code    string
	flags   []string
	exit    int // exitIncomplete if zero; note for exitOK
	// repair is in the repair that is named.
	repair string
	// mend does that repair. If it is nil, --repair does.
	mend func(*patient)
}

const note = -1 // the exit code of a fault that is only a note

var faults = map[string]fault{
	"a token with the ID of another": {
		plant: func(p *patient) { p.edit(token1, "", `{"id":"2","refresh_token":"fake-refresh2"}`) },
		code:  secretstore.CodeTokenDamaged, repair: "tokenstore delete sick: 1",
		mend: func(p *patient) {
			p.command("delete", sick, "1", "--yes")
			if p.schedule != nil { // The keys that it once had are in the index, and its secret is in AWS's recovery window.
				_ = p.clock.Sleep(p.Context(), 48*time.Hour)
				p.command("reindex", sick)
			}
		},
	},
	"a token of a later release": {
		plant: func(p *patient) { p.edit(token1, `"id":"1"`, `"id":"1","form":"9"`) },
		code:  secretstore.CodeTokenUnreadable, repair: "release",
		mend: func(p *patient) { p.edit(token1, `,"form":"9"`, "") },
	},
	"a secret that is not the store's": {
		plant: func(p *patient) {
			p.put("tokenstore/tokens/readme", `{"hello":"world"}`)
		},
		code: secretstore.CodeTokenForeign, exit: note, repair: "another prefix",
		mend: func(p *patient) { p.remove("tokenstore/tokens/readme") },
	},
	"an index that was removed": {
		plant: func(p *patient) { p.remove(root) },
		code:  secretstore.CodeKeyMissing, repair: "tokenstore reindex sick:",
	},
	"a key typed in the console": {
		plant: func(p *patient) { p.edit(token1, `"fake-refresh1"`, `"fake-refresh9"`) },
		code:  secretstore.CodeKeyMissing, repair: "tokenstore reindex sick:",
	},
	"an index that cannot be parsed": {
		plant: func(p *patient) { p.edit(root, "", `{"x":"y"}`) },
		code:  secretstore.CodeIndexBroken, repair: "delete this secret",
		mend: func(p *patient) { p.remove(root); p.command("reindex", sick) },
	},
	"the remains of a save that crashed": {
		plant: func(p *patient) {
			dying := drivertest.Inject(p.process(), func(c drivertest.Call) drivertest.Outcome {
				if c.Method == drivertest.Put && strings.Contains(c.Name, "/tokens/") {
					return drivertest.Outcome{Err: driver.ErrDenied}
				}
				return drivertest.Outcome{}
			})
			if _, err := p.store(dying).SaveToken(p.Context(), numbered("4")[0]); err == nil {
				p.Fatal("the save did not crash")
			}
			p.clock.Advance(25 * time.Hour)
		},
		code: secretstore.CodeHintLeft, repair: "tokenstore reindex sick:",
	},
	"a deleted token that is still remembered": {
		clinics: "memory gcp vault", // AWS itself remembers it.
		plant: func(p *patient) {
			if err := p.store(p.process()).DeleteToken(p.Context(), "2"); err != nil {
				p.Fatal(err)
			}
			p.clock.Advance(25 * time.Hour)
		},
		code: secretstore.CodeTombstoneLeft, repair: "tokenstore reindex sick:",
	},
	"an index of the other form": {
		plant: func(p *patient) {
			p.put("tokenstore/index/aaaaaaaaaaaaaaaaaaaaaaaaaa", `{"about":"a token","hints":"[]"}`)
		},
		code: secretstore.CodeIndexOtherForm, repair: "same form",
		mend: func(p *patient) { p.remove("tokenstore/index/aaaaaaaaaaaaaaaaaaaaaaaaaa") },
	},
	"a token under another pepper": {
		plant: func(p *patient) {
			p.save(p.store(p.process(), secretstore.WithPepper([]byte("fake-pepper"))), numbered("5")[0])
		},
		code: secretstore.CodeTokenPepper, repair: "tokenstore reindex sick: --change-pepper",
		mend: func(p *patient) { p.command("reindex", sick, "--change-pepper") },
	},
	"a document that is nearly full": {
		clinics: "memory",
		plant: func(p *patient) {
			secrets := p.process()
			s, err := secrets.Get(p.Context(), root)
			if err != nil {
				p.Fatal(err)
			}
			p.process = func() driver.Secrets { return limited{secrets, driver.Limits{MaxSize: len(s.Data) * 10 / 8}} }
		},
		code: secretstore.CodeIndexFull, repair: "tokenstore reindex sick: --fanout 2",
		mend: func(p *patient) { p.command("reindex", sick, "--fanout", "4") },
	},
	"a client secret pasted with its line break": {
		plant: func(p *patient) { p.edit(token1, `"cs-fake"`, `"cs-fake\n"`) },
		code:  tokenstore.CodeWhiteSpace, repair: "tokenstore doctor sick: --repair",
	},
	"a refresh token pasted with blanks": {
		plant: func(p *patient) { p.edit(token1, `"fake-refresh1"`, `"  fake-refresh1 "`) },
		code:  tokenstore.CodeWhiteSpace, repair: "tokenstore doctor sick: --repair",
	},
	"a user typed in the console who has a token": {
		plant: func(p *patient) { p.edit(token1, `"user1"`, `"user2"`) },
		code:  tokenstore.CodeUserTwice, repair: "tokenstore delete sick:",
		mend: func(p *patient) { p.command("delete", sick, "2", "--yes"); p.command("reindex", sick) },
	},
	"an index of which an older version was put back": {
		clinics: "memory",
		plant: func(p *patient) {
			p.save(p.store(p.process()), numbered("6")[0])
			if secrets, ok := p.process().(*memory.Secrets); !ok || !secrets.Restore(root) {
				p.Fatal("nothing was put back")
			}
		},
		code: secretstore.CodeKeyMissing, repair: "tokenstore reindex sick:",
	},
	"an expiry that cannot be understood": {
		plant: func(p *patient) { p.edit(token1, `"id":"1"`, `"id":"1","expiry_time":"soon"`) },
		code:  tokenstore.CodeExpiryUnknown, repair: "tokenstore refresh sick: 1",
		mend: func(p *patient) { p.command("refresh", sick, "1") },
	},
	"a token that somebody has deleted in the console": {
		clinics: "aws",
		plant: func(p *patient) {
			if err := p.schedule(token1); err != nil {
				p.Fatal(err)
			}
		},
		code: secretstore.CodeTokenScheduled, exit: note, repair: "tokenstore undelete sick: 1",
		mend: func(p *patient) { p.command("undelete", sick, "1") },
	},
	"a mount that deletes secrets": {
		clinics: "vault",
		plant:   func(p *patient) { p.vault.deleteAfter = "720h" },
		code:    secretstore.CodeServiceSetting, repair: "console",
		mend: func(p *patient) { p.vault.deleteAfter = "" },
	},
	"a role that may not read": {
		plant: func(p *patient) {
			p.interfere(driver.ErrDenied, func(c drivertest.Call) bool { return c.Name == "tokenstore/doctor/probe" && c.Method == drivertest.Get })
		},
		code: "denied-read", repair: "policy", mend: (*patient).restore,
	},
	"a role that may not list": {
		plant: func(p *patient) { p.interfere(driver.ErrDenied, probes(drivertest.List, false)) },
		code:  "denied-list", repair: "tokenstore policy sick: --role operator", mend: (*patient).restore,
	},
	"a role that may not create": {
		plant: func(p *patient) { p.interfere(driver.ErrDenied, probes(drivertest.Put, false)) },
		code:  "denied-create", flags: []string{"--role", "writer"}, repair: "--role writer", mend: (*patient).restore,
	},
	"a role that may not replace": {
		plant: func(p *patient) { p.interfere(driver.ErrDenied, probes(drivertest.Put, true)) },
		code:  "denied-update", repair: "policy", mend: (*patient).restore,
	},
	"a role that may not delete": {
		plant: func(p *patient) { p.interfere(driver.ErrDenied, probes(drivertest.Delete, true)) },
		code:  "denied-delete", repair: "policy", mend: (*patient).restore,
	},
	"what a probe could not delete": {
		plant: func(p *patient) { p.interfere(driver.ErrDenied, probes(drivertest.Delete, true)) },
		code:  secretstore.CodeProbeLeft, repair: "delete it in the service's console", mend: (*patient).restore,
	},
	"a fault that nobody thought of": {
		plant: func(p *patient) { p.interfere(driver.ErrInvalid, probes(drivertest.Put, true)) },
		code:  secretstore.CodeProbeFailed, exit: exitFault, repair: "doctor sick: again", mend: (*patient).restore,
	},
	"a service that does not answer a write": {
		plant: func(p *patient) { p.interfere(driver.ErrUnavailable, probes(drivertest.Put, false)) },
		code:  secretstore.CodeProbeFailed, exit: exitFault, repair: "doctor sick: again", mend: (*patient).restore,
	},
	"a service that does not list": {
		plant: func(p *patient) { p.interfere(driver.ErrUnavailable, listsTokens) },
		code:  secretstore.CodeCheckFailed, exit: exitFault, repair: "can be reached", mend: (*patient).restore,
	},
	"a service that refuses the login": {
		plant: func(p *patient) { p.interfere(driver.ErrDenied, listsTokens) },
		code:  secretstore.CodeCheckFailed, repair: "tokenstore policy sick: --role operator", mend: (*patient).restore,
	},
	"a mount that is not there": {
		plant: func(p *patient) { p.interfere(driver.ErrNoContainer, listsTokens) },
		code:  secretstore.CodeCheckFailed, exit: exitFault, repair: "correct the URL", mend: (*patient).restore,
	},
	"another doctor at the same time": {
		plant: func(p *patient) { p.interfere(driver.ErrConflict, probes(drivertest.Put, false)) },
		code:  secretstore.CodeProbeUntried, exit: note, repair: "again later", mend: (*patient).restore,
	},
	"a limit of writes": {
		plant: func(p *patient) { p.interfere(driver.ErrQuota, probes(drivertest.Put, true)) },
		code:  secretstore.CodeProbeUntried, exit: note, repair: "again later", mend: (*patient).restore,
	},
	"a clock that is ahead": {
		clinics: "aws gcp vault",
		plant:   func(p *patient) { p.wrongClock(10 * time.Minute) },
		code:    secretstore.CodeClockSkew, repair: "synchronise", mend: (*patient).restore,
	},
	"a clock that is behind": {
		clinics: "aws gcp vault",
		plant:   func(p *patient) { p.wrongClock(-3 * time.Minute) },
		code:    secretstore.CodeClockSkew, repair: "synchronise", mend: (*patient).restore,
	},
	"a token that the role may not read": {
		clinics: "memory vault",
		plant: func(p *patient) {
			p.interfere(driver.ErrDenied, func(c drivertest.Call) bool { return c.Name == token1 })
		},
		code: secretstore.CodeTokenDenied, repair: "grant", mend: (*patient).restore,
	},
	"a reader that may not list": {
		plant: func(p *patient) {
			p.interfere(driver.ErrDenied, func(c drivertest.Call) bool { return c.Method == drivertest.List })
		},
		flags: []string{"--role", "reader"}, exit: note, code: secretstore.CodeIndexUnchecked, repair: "--role operator", mend: (*patient).restore,
	},
}

func (p *patient) restore() { p.around, p.options = nil, nil }

func (p *patient) wrongClock(by time.Duration) {
	p.options = []secretstore.Option{secretstore.WithClock(func() time.Time { return p.clock.Now().Add(by) })}
}

func (p *patient) put(name, data string) {
	p.Helper()
	if _, err := p.process().Put(p.Context(), driver.Secret{Name: name, Data: []byte(data)}); err != nil {
		p.Fatal(err)
	}
}

// command runs another verb, as a person who follows the repair does.
func (p *patient) command(args ...string) {
	p.Helper()
	var out, errs strings.Builder
	c := Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Redeemer: renewing{}}
	if code := c.Run(p.Context(), args); code != exitOK {
		p.Fatalf("%v: exit code %d\n%s%s", args, code, out.String(), errs.String())
	}
}

// limited is a driver with limits.
type limited struct {
	driver.Secrets
	limits driver.Limits
}

func (l limited) Limits() driver.Limits { return l.limits }

func TestDoctorFindsPlantedFaults(t *testing.T) {
	for clinic := range clinics {
		t.Run(clinic, func(t *testing.T) {
			for name, f := range faults {
				if f.clinics == "" || strings.Contains(f.clinics, clinic) {
					t.Run(name, func(t *testing.T) { f.test(admitted(t, clinic)) })
				}
			}
		})
	}
}

func (f fault) test(p *patient) {
	code := f.exit
	switch f.exit {
	case 0:
		code = exitIncomplete
	case note:
		code = exitOK
	}
	f.plant(p)
	found := p.doctor(code, f.flags...)
	has := func(all []finding) *finding {
		i := slices.IndexFunc(all, func(g finding) bool { return g.Code == f.code })
		if i < 0 {
			p.Fatalf("%s is not among %+v", f.code, all)
		}
		return &all[i]
	}
	if got := has(found); !strings.Contains(got.Repair, f.repair) || strings.ContainsAny(got.Repair, "{}") || got.Mends != (f.mend == nil) || got.What == "" {
		p.Errorf("the repair is %q, done: %v; want %q, done: %v\n%+v", got.Repair, got.Mends, f.repair, f.mend == nil, got)
	}
	if f.mend == nil {
		if got := has(p.doctor(exitIncomplete, "--repair", "--dry-run")); got.Outcome != outcomeWouldMend {
			p.Errorf("a dry run: %+v", got)
		}
		if got := has(p.doctor(exitOK, "--repair", "--yes")); got.Outcome != outcomeMended {
			p.Errorf("--repair: %+v", got)
		}
	} else {
		f.mend(p)
	}
	p.silent(f.flags...)
	p.silent(append(f.flags, "--repair", "--yes")...)
	if names := p.names(); slices.Contains(names, "tokenstore/doctor/probe") {
		p.Errorf("the probe is left: %v", names)
	}
}

// silent fails unless doctor finds nothing and prints nothing.
func (p *patient) silent(flags ...string) {
	p.Helper()
	if code, out, errs := try(p.T, "", append([]string{"doctor", cmp.Or(p.url, sick)}, flags...)...); code != exitOK || out+errs != "" {
		p.Errorf("doctor %v: exit code %d\n%s%s", flags, code, out, errs)
	}
}

// TestDoctorOfAHealthyStore: it says nothing, and leaves nothing behind, whatever the role.
func TestDoctorOfAHealthyStore(t *testing.T) {
	for clinic := range clinics {
		t.Run(clinic, func(t *testing.T) {
			p := admitted(t, clinic)
			before := p.names()
			for _, role := range []string{"reader", "writer", "operator"} {
				p.silent("--role", role)
			}
			if after := p.names(); !slices.Equal(after, before) {
				t.Errorf("it left %v, and there was %v", after, before)
			}
			if found := p.doctor(exitOK); len(found) != 0 {
				t.Errorf("as JSON: %+v", found)
			}
		})
	}
}

// TestDoctorDoesNotMergeTokens: of two tokens of which one would become the other, none is
// changed, and it says why.
func TestDoctorDoesNotMergeTokens(t *testing.T) {
	p := admitted(t, "memory")
	p.edit(token1, `"fake-refresh1"`, `"fake-refresh2 "`)
	found := p.doctor(exitIncomplete, "--repair", "--yes")
	i := slices.IndexFunc(found, func(f finding) bool { return f.Code == tokenstore.CodeWhiteSpace })
	if i < 0 || found[i].Outcome != outcomeStays || !strings.Contains(found[i].Reason, "token 2 holds") {
		t.Errorf("findings %+v", found)
	}
}

// TestDoctorAsksAndTakesARole: nothing is repaired unasked, and a wrong place is no store.
func TestDoctorAsksAndTakesARole(t *testing.T) {
	p := admitted(t, "memory")
	p.remove(root)
	for _, c := range []struct {
		flags []string
		code  int
		says  string
	}{
		{[]string{"--repair"}, exitUsage, "--yes"},
		{[]string{"--yes"}, exitUsage, "are for --repair"},
		{[]string{"--role", "owner"}, exitUsage, "reader, writer or operator"},
		{nil, exitIncomplete, "1 finding; --repair mends 1"},
		{[]string{"--repair", "--dry-run"}, exitIncomplete, "dry run"},
		{[]string{"--repair", "--yes"}, exitOK, "1 mended, 0 stay"},
	} {
		code, out, errs := try(t, "", append([]string{"doctor", sick}, c.flags...)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", c.flags, code, c.code, c.says, out, errs)
		}
	}
	used(t)
	if code, _, errs := try(t, "", "doctor", "used:wrong"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// TestDoctorSaysWhetherItRepairs: a diagnosis alone is no dry run of anything.
func TestDoctorSaysWhetherItRepairs(t *testing.T) {
	at, _ := kept(t, nil, numbered("1")...)
	for flags, want := range map[string]doctorReport{
		"":                   {},
		"--repair --yes":     {Repair: true},
		"--repair --dry-run": {Repair: true, DryRun: true},
	} {
		var got doctorReport
		code, out, errs := try(t, "", append([]string{"doctor", at, "--json"}, strings.Fields(flags)...)...)
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || got.Repair != want.Repair || got.DryRun != want.DryRun {
			t.Errorf("%s: exit code %d, %v\n%s%s", flags, code, err, out, errs)
		}
	}
}

// TestDoctorThatIsInterrupted says what was mended, and can be run again.
func TestDoctorThatIsInterrupted(t *testing.T) {
	p := admitted(t, "memory")
	for _, id := range []string{"1", "2"} {
		p.edit("tokenstore/tokens/"+id, `"cs-fake"`, `"cs-fake "`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.around = func(s driver.Secrets) driver.Secrets {
		return drivertest.Intercept(s, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
			err := do(ctx)
			if c.Method == drivertest.Put && c.Name == token1 {
				cancel()
			}
			return err
		})
	}
	var out, errs strings.Builder
	code := run(ctx, []string{"doctor", sick, "--repair", "--yes"}, strings.NewReader(""), &out, &errs)
	if code != exitFault || strings.Count(out.String(), "\n  mended") != 1 || strings.Count(out.String(), "not mended: interrupted") != 1 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	p.restore()
	if found := p.doctor(exitOK, "--repair", "--yes"); len(found) != 1 || found[0].Outcome != outcomeMended {
		t.Errorf("run again: %+v", found)
	}
	p.silent()
}
