package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/plainfile"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// expiring are four tokens: expired, expiring in half an hour and in two, and unknown.
func expiring() []tokenstore.OAuthToken {
	tokens := numbered("1", "2", "3", "4")
	for i, after := range []time.Duration{-time.Minute, 30 * time.Minute, 2 * time.Hour} {
		tokens[i].Expiry = noon.Add(after)
	}
	tokens[2].RefreshToken = ""
	tokens[3].ClientID = "another"
	return tokens
}

// atNoon runs the command at a time of a test.
func atNoon(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: func() time.Time { return noon }}.Run(t.Context(), args)
	if shown := out.String() + errs.String(); strings.Contains(shown, "fake-") || strings.Contains(shown, "CLIENTAAAA") {
		t.Errorf("%v shows a credential:\n%s", args, shown)
	}
	return code, out.String(), errs.String()
}

func TestStatusCounts(t *testing.T) {
	at, _ := kept(t, nil, expiring()...)
	for _, c := range []struct {
		flags []string
		want  statusReport
	}{
		{nil, statusReport{Tokens: 4, Expired: 1, Expiring: 1, Within: "1h0m0s", Unknown: 1, Dead: 1}},
		{[]string{"--within", "3h"}, statusReport{Tokens: 4, Expired: 1, Expiring: 2, Within: "3h0m0s", Unknown: 1, Dead: 1}},
	} {
		code, out, errs := atNoon(t, append([]string{"status", at, "--json"}, c.flags...)...)
		var got statusReport
		err := json.Unmarshal([]byte(out), &got)
		if c.want.Refused, got.Refused = nil, nil; err != nil || code != exitOK || !equalStatus(got, c.want) {
			t.Errorf("%v: exit code %d, %v\n%s%s", c.flags, code, err, out, errs)
		}
	}
	if code, out, _ := atNoon(t, "status", at); code != exitOK || !strings.Contains(out, "expiring within 1h0m0s  1") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, errs := atNoon(t, "status", at, "--quiet"); code != exitOK || out+errs != "" {
		t.Errorf("quiet: exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := atNoon(t, "status", at, "--within", "soon"); code != exitUsage || !strings.Contains(errs, "--within takes a duration") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func equalStatus(a, b statusReport) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// TestStatusIsAHealthCheck tells a store that answers from a wrong place and from a service
// that does not.
func TestStatusIsAHealthCheck(t *testing.T) {
	here := used(t)
	tokenstore.Register("down", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		return &down{secretstore.NewMemory()}, nil
	})
	for at, want := range map[string]int{here: exitOK, "used:wrong": exitNotFound, "down:": exitFault, "sqlite:none.db": exitNotFound} {
		for _, flags := range [][]string{{"--quiet"}, nil, {"--deep"}, {"--json"}} {
			code, out, errs := try(t, "", append([]string{"status", at}, flags...)...)
			if code != want || (code != exitOK) != (errs != "") || code != exitOK && out != "" {
				t.Errorf("%s %v: exit code %d, want %d\n%s%s", at, flags, code, want, out, errs)
			}
		}
	}
}

// TestStatusWithinATimeThatIsPast is a slip: it would count nothing.
func TestStatusWithinATimeThatIsPast(t *testing.T) {
	if code, _, errs := try(t, "", "status", used(t), "--within", "-1h"); code != exitUsage || !strings.Contains(errs, "--within") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// down is a store that does not answer.
type down struct{ *secretstore.Store }

func (*down) Ping(context.Context) error { return tokenstore.ErrUnavailable }

// TestStatusNamesWhoIsRefused: a token that the provider refuses is named until another
// refresh token is stored.
func TestStatusNamesWhoIsRefused(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	source, err := tokensource.New(store, refusing{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Renew(t.Context(), tokenstore.OAuthToken{ID: "2", AccessToken: "fake-access2"}); !errors.Is(err, tokensource.ErrNeedsConsent) {
		t.Fatal(err)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	code, out, errs := try(t, "", "status", at, "--deep")
	if code != exitIncomplete || !strings.Contains(out, "refused by the provider  1") || !strings.Contains(out, "2        user2  20") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, _ = try(t, "", "status", at); code != exitOK || strings.Contains(out, "refused") {
		t.Errorf("not deep: exit code %d\n%s", code, out)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "2", RefreshToken: "fake-refresh-new"}); err != nil {
		t.Fatal(err)
	}
	if code, out, _ = try(t, "", "status", at, "--deep"); code != exitOK || !strings.Contains(out, "refused by the provider  0") {
		t.Errorf("after a new login: exit code %d\n%s", code, out)
	}
}

// refusing is a provider that refuses every refresh token.
type refusing struct{}

func (refusing) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{}, tokensource.ErrNeedsConsent
}

// TestStatusCountsWhatCannotBeRead, and looks at the limits of the fullest secrets.
func TestStatusCountsWhatCannotBeRead(t *testing.T) {
	t.Parallel() // A store reads a damaged secret again for seconds.
	secrets := memory.New()
	tokenstore.Register("torn", func(context.Context, *url.URL) (tokenstore.OpenStore, error) { return secretstore.New(secrets) })
	store, err := secretstore.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range numbered("1", "2") {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	secrets.Edit("tokenstore/tokens/1", []byte(`{"id":"1","generation":"9"`))
	code, out, errs := try(t, "", "status", "torn:", "--json")
	if code != exitIncomplete || !strings.Contains(out, `"unreadable": 1`) || !strings.Contains(out, `"tokens": 1`) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestHeadroomIsOfTheFullest(t *testing.T) {
	got := *headroom([]index.Stat{{Size: 10, MaxSize: 100, WritesToday: 45, MaxWrites: 90}, {Size: 76, MaxSize: 100, MaxWrites: 90}, {Size: 1 << 20}})
	if got.Size == nil || got.Writes == nil || *got.Size != 76 || *got.Writes != 50 {
		t.Errorf("%+v, want 76 and 50", got)
	}
	s := status{report: statusReport{Limits: &got}}
	if exitCode(s.end()) != exitIncomplete {
		t.Error("three quarters of a limit are nothing to look at")
	}
	*got.Size = 74
	if exitCode(s.end()) != exitOK {
		t.Error("less than three quarters of a limit are something to look at")
	}
}

// TestNoShareOfWhatHasNoLimit: Vault does not limit how often a secret is written.
func TestNoShareOfWhatHasNoLimit(t *testing.T) {
	admitted(t, "vault")
	code, out, errs := try(t, "", "status", sick, "--deep")
	if code != exitOK || !strings.Contains(out, "refused by the provider") || strings.Contains(out, "writes") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := try(t, "", "status", sick, "--deep", "--json"); code != exitOK || strings.Contains(out, "index_writes_percent") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	admitted(t, "aws")
	code, out, errs = try(t, "", "status", sick, "--deep")
	if code != exitOK || !strings.Contains(out, "index, of its size") || !strings.Contains(out, "index, of its writes in a day") || !strings.Contains(out, "writes of a token in a day") {
		t.Errorf("on AWS: exit code %d\n%s%s", code, out, errs)
	}
}

func TestListSelects(t *testing.T) {
	at, _ := kept(t, nil, expiring()...)
	for _, c := range []struct {
		flags string
		want  string
	}{
		{"", "1 2 3 4"},
		{"--user user2", "2"},
		{"--user user?", "1 2 3 4"},
		{"--user *2", "2"},
		{"--user USER2", ""},
		{"--client another", "4"},
		{"--client anoth", ""},
		{"--expired", "1"},
		{"--expires-before 1h", "1 2"},
		{"--expires-before 2026-11-28T14:00:01Z", "1 2 3"},
		{"--expires-before 3h --user *3", "3"},
		{"--expired --oldest-first", "1"},
	} {
		code, out, errs := atNoon(t, append([]string{"list", at, "--json"}, strings.Fields(c.flags)...)...)
		var tokens []struct{ ID string }
		if err := json.Unmarshal([]byte(out), &tokens); err != nil || code != exitOK {
			t.Fatalf("%s: exit code %d, %v\n%s%s", c.flags, code, err, out, errs)
		}
		got := map[string]bool{}
		for _, token := range tokens {
			got[token.ID] = true
		}
		for _, id := range []string{"1", "2", "3", "4"} {
			if got[id] != strings.Contains(c.want, id) {
				t.Errorf("%s: %v, want %s", c.flags, got, c.want)
			}
		}
	}
	for _, flags := range []string{"--expires-before soon", "--expired --expires-before 1h"} {
		if code, _, errs := atNoon(t, append([]string{"list", at}, strings.Fields(flags)...)...); code != exitUsage || !strings.Contains(errs, "--expires-before") {
			t.Errorf("%s: exit code %d\n%s", flags, code, errs)
		}
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "学院@zylker.jp:7", true}, {"??@*", "学院@zylker.jp:7", true}, {"?", "", false},
		{"*@zylker.com:*", "ana@zylker.com:60001", true}, {"*@zylker.com:*", "ana@zylker.eu:60001", false}, {"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false}, {"a**", "a", true}, {"*a", "aab", false}, {"[a]", "a", false}, {"[a]", "[a]", true},
	} {
		if got := like(c.pattern, c.text); got != c.want {
			t.Errorf("like(%q, %q) is %v", c.pattern, c.text, got)
		}
	}
}

// TestStatusSaysAsWhom it reads a file, if it is asked to look deeply.
func TestStatusSaysAsWhom(t *testing.T) {
	me := plainfile.User()
	for _, at := range []string{"file:" + fixture(t, pythonFile), "sqlite:" + fixture(t, pythonDatabase)} {
		if code, out, errs := try(t, "", "status", at, "--deep", "--json"); code != exitOK || !strings.Contains(out, fmt.Sprintf(`"acts_as": %q`, me)) {
			t.Errorf("%s: exit code %d\n%s%s", at, code, out, errs)
		}
		if code, out, errs := try(t, "", "status", at, "--deep"); code != exitOK || !strings.Contains(out, "acts as") {
			t.Errorf("%s: exit code %d\n%s%s", at, code, out, errs)
		}
		if _, out, _ := try(t, "", "status", at); strings.Contains(out, "acts as") {
			t.Errorf("%s: it says so without being asked\n%s", at, out)
		}
	}
}
