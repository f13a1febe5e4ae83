package command

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// token returns a stored token.
func token(t *testing.T, store tokenstore.Store, id string) tokenstore.OAuthToken {
	t.Helper()
	found, err := store.FindTokenByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSetEachField(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	before := token(t, store, "2")
	for _, f := range fields {
		value := "fake-refresh-" + f.name
		if f.name == "expiry_time" {
			value = "1763900000000"
		}
		code, out, errs := try(t, value+"\r\n", "set", at, "1", f.name)
		if f.set == nil {
			if code != exitUsage || !strings.Contains(errs, "the fields are client_id,") {
				t.Errorf("%s: exit code %d\n%s%s", f.name, code, out, errs)
			}
			continue
		}
		if code != exitOK || !strings.Contains(out, "1 token: 1 set") {
			t.Errorf("%s: exit code %d\n%s%s", f.name, code, out, errs)
		}
		if got := f.get(token(t, store, "1")); got != value {
			t.Errorf("%s is %q, want %q", f.name, got, value)
		}
		if code, out, _ := try(t, value, "set", at, "1", f.name); code != exitOK || !strings.Contains(out, outcomeHas) {
			t.Errorf("%s again: exit code %d\n%s", f.name, code, out)
		}
	}
	if after := token(t, store, "2"); after != before {
		t.Error("another token has changed")
	}
	if _, err := store.FindToken(t.Context(), tokenstore.QueryFor(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "fake-refresh-refresh_token"})); err != nil {
		t.Errorf("the new refresh token does not find it: %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	at, store := kept(t, nil, numbered("1")...)
	before := token(t, store, "1")
	for _, c := range []struct {
		stdin, says string
		code        int
		args        []string
	}{
		{"", "standard input is empty; type the refresh_token", exitUsage, []string{"1", "refresh_token"}},
		{" fake-refresh", "white space", exitUsage, []string{"1", "refresh_token"}},
		{strings.Repeat("fake-refresh", 6000), "more than 65536 bytes; the refresh_token has fewer", exitUsage, []string{"1", "refresh_token"}},
		{"fake-refresh-begins\nand goes on\n", "goes on after the first line", exitUsage, []string{"1", "refresh_token"}},
		{"\n\nfake-refresh\n", "first line of standard input is empty", exitUsage, []string{"1", "refresh_token"}},
		{"\ufefffake-refresh\n", "byte order mark", exitUsage, []string{"1", "refresh_token"}},
		{"fake-refresh\x1b[D\n", "cannot be printed", exitUsage, []string{"1", "refresh_token"}},
		{"soon", "the expiry_time is not valid", exitUsage, []string{"1", "expiry_time"}},
		{"fake-refresh", "token not found", exitNotFound, []string{"7", "refresh_token"}},
		{"fake-refresh", "unknown field", exitUsage, []string{"1", "fake-refresh"}},
		{"fake-refresh", "want 3 arguments", exitUsage, []string{"1"}},
		{"fake-refresh", "want 3 arguments", exitUsage, []string{"1", "refresh_token", "fake-refresh"}},
		{"fake-refresh", "want 2 arguments with --client", exitUsage, []string{"1", "client_secret", "--client", "c"}},
		{"fake-refresh", "the fields are client_id, client_secret, redirect_url, api_domain", exitUsage, []string{"refresh_token", "--client", "CLIENTAAAA", "--yes"}},
		{"fake-refresh", "--yes", exitUsage, []string{"client_secret", "--client", "CLIENTAAAA"}},
		{"fake-refresh", "no token of the store has this client ID", exitNotFound, []string{"client_secret", "--client", "CLIENT", "--yes"}},
	} {
		code, out, errs := try(t, c.stdin, append([]string{"set", at}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", c.args, code, c.code, c.says, out, errs)
		}
	}
	if after := token(t, store, "1"); after != before {
		t.Error("the token has changed")
	}
	for _, args := range [][]string{{"1", "refresh_token"}, {"client_secret", "--client", "c", "--yes"}} {
		if code, _, errs := try(t, "x", append([]string{"set", "memory:"}, args...)...); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
	if code, out, _ := try(t, "fake-refresh-new", "set", at, "1", "refresh_token", "--dry-run"); code != exitOK || !strings.Contains(out, "1 would be set (dry run") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if after := token(t, store, "1"); after != before {
		t.Error("a dry run has changed the token")
	}
}

// TestSetInDataCenters: a client can have another secret in each data centre, so that the
// secret of one is not set in the tokens of another.
func TestSetInDataCenters(t *testing.T) {
	tokens := numbered("1", "2", "3", "4")
	domains := []string{"https://www.zohoapis.com", "https://www.zohoapis.eu", "https://sandbox.zohoapis.eu", ""}
	for i := range tokens {
		tokens[i].ClientID, tokens[i].ClientSecret, tokens[i].APIDomain = "1000.CLIENT", "fake-secret-old", domains[i]
	}
	at, store := kept(t, nil, tokens...)
	set := func(field, value string, args ...string) (int, string, string) {
		return try(t, value, append([]string{"set", at, field, "--client", "1000.CLIENT", "--yes"}, args...)...)
	}
	want := func(secrets ...string) {
		t.Helper()
		for i, want := range secrets {
			if got := token(t, store, tokens[i].ID); got.ClientSecret != "fake-secret-"+want || got.APIDomain != domains[i] {
				t.Errorf("token %s has %q and %q", tokens[i].ID, got.ClientSecret, got.APIDomain)
			}
		}
	}
	for _, field := range []string{"client_secret", "api_domain"} {
		if code, _, errs := set(field, "https://www.zohoapis.eu"); code != exitUsage || !strings.Contains(errs, "us") || !strings.Contains(errs, "--data-center eu") {
			t.Errorf("%s, of several: exit code %d\n%s", field, code, errs)
		}
	}
	want("old", "old", "old", "old")
	if code, out, errs := set("client_secret", "fake-secret-eu", "--data-center", "EU", "--dry-run"); code != exitOK || !strings.Contains(out, "2 tokens: 2 would be set") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := set("client_secret", "fake-secret-eu", "--data-center", "eu"); code != exitOK || !strings.Contains(out, "2 tokens: 2 set") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	want("old", "eu", "eu", "old")
	if code, _, errs := set("client_secret", "fake-secret-in", "--data-center", "in"); code != exitNotFound || !strings.Contains(errs, "data centre") {
		t.Errorf("of none: exit code %d\n%s", code, errs)
	}
	if code, out, errs := set("client_secret", "fake-secret-new", "--data-center", "all"); code != exitOK || !strings.Contains(out, "4 tokens: 4 set") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	want("new", "new", "new", "new")
	for _, args := range [][]string{{"--data-center", "mars"}, {"--data-center", ""}} {
		if code, _, errs := set("client_secret", "x", args...); code != exitUsage {
			t.Errorf("%q: exit code %d\n%s", args, code, errs)
		}
	}
	if code, _, errs := try(t, "x", "set", at, "1", "client_secret", "--data-center", "eu"); code != exitUsage || !strings.Contains(errs, "--client") {
		t.Errorf("of one token: exit code %d\n%s", code, errs)
	}
}

// TestSetMeetsOthers: a program that refreshes the token meanwhile loses nothing, and
// neither does a person who sets the same field.
func TestSetMeetsOthers(t *testing.T) {
	for field, want := range map[string]int{"access_token": exitOK, "refresh_token": exitIncomplete} {
		var store *secretstore.Store
		once := true
		at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
			return &meddler{Store: s, beforeSwap: func(id string) {
				if once {
					once = false
					meddled := tokenstore.OAuthToken{ID: id, AccessToken: "fake-access-of-another"}
					if field == "refresh_token" {
						meddled = tokenstore.OAuthToken{ID: id, RefreshToken: "fake-refresh-of-another"}
					}
					_, _ = store.SaveToken(t.Context(), meddled)
				}
			}}
		}, numbered("1")...)
		code, out, errs := try(t, "fake-refresh-new", "set", at, "1", "refresh_token")
		now := token(t, store, "1")
		if code != want || now.RefreshToken == "fake-refresh-new" != (want == exitOK) || (now.AccessToken == "fake-access-of-another") != (want == exitOK) {
			t.Errorf("another sets %s: exit code %d\n%s%s", field, code, out, errs)
		}
	}
}

// TestSetOfAClient sets the secret of all tokens of a client, in two runs of which the first
// is interrupted.
func TestSetOfAClient(t *testing.T) {
	var ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprint(100+i))
	}
	tokens := numbered(ids...)
	tokens[7].ClientID = "another"
	ctx, cancel := context.WithCancel(t.Context())
	var swaps atomic.Int32
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &meddler{Store: s, beforeSwap: func(string) {
			if swaps.Add(1) == 20 {
				cancel()
			}
		}}
	}, tokens...)
	args := []string{"set", at, "client_secret", "--client", "CLIENTAAAA"}
	if code, out, errs := try(t, "cs-fake-new", append(args, "--dry-run")...); code != exitOK || !strings.Contains(out, "59 tokens: 59 would be set (dry run") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	var out, errs bytes.Buffer
	code := run(ctx, append(args, "--yes"), strings.NewReader("cs-fake-new"), &out, &errs)
	if code != exitFault || !strings.Contains(out.String(), "59 tokens:") || !strings.Contains(out.String(), " not tried") || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("interrupted: exit code %d\n%s%s", code, out.String(), errs.String())
	}
	rows, _, _ := strings.Cut(out.String(), "\n59 tokens:") // The summary may end in "set", too.
	first := strings.Count(rows+"\n", " set\n")
	now := 0
	for _, id := range ids {
		if token(t, store, id).ClientSecret == "cs-fake-new" {
			now++
		}
	}
	if now != first || now == 0 || now == 59 || strings.Contains(out.String(), outcomeFailed) {
		t.Errorf("%d tokens have the new secret, and the report says %d", now, first)
	}
	code, again, stderr := try(t, "cs-fake-new", append(args, "--yes")...)
	if code != exitOK || !strings.Contains(again, fmt.Sprintf("%d has it already", now)) || !strings.Contains(again, fmt.Sprintf("%d set", 59-now)) {
		t.Errorf("again: exit code %d, %d had it\n%s%s", code, now, again, stderr)
	}
	for _, id := range ids {
		got := token(t, store, id)
		if got.ClientSecret == "cs-fake-new" != (got.ClientID == "CLIENTAAAA") || got.RefreshToken != "fake-refresh"+id {
			t.Errorf("token %s is wrong", id)
		}
	}
}

// TestSetRepeatsWhatTheServiceRefused for a moment.
func TestSetRepeatsWhatTheServiceRefused(t *testing.T) {
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore { return &busy{Store: s} }, numbered("1")...)
	if code, out, errs := try(t, "fake-refresh-new", "set", at, "1", "refresh_token"); code != exitOK || !strings.Contains(out, "1 set") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if token(t, store, "1").RefreshToken != "fake-refresh-new" {
		t.Error("it is not set")
	}
}

// busy is a store that loses the reply to the first swap.
type busy struct {
	*secretstore.Store
	told atomic.Bool
}

func (b *busy) SwapToken(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (tokenstore.Noted, bool, error) {
	now, swapped, err := b.Store.SwapToken(ctx, old, next, note)
	if !b.told.Swap(true) {
		return tokenstore.Noted{}, false, &tokenstore.Error{Op: "swap token", Kind: tokenstore.ErrUnavailable}
	}
	return now, swapped, err
}

// TestSetWorksOnEveryKindOfStore.
func TestSetWorksOnEveryKindOfStore(t *testing.T) {
	for scheme, name := range map[string]string{"sqlite:": "tokens.db", "file:": "tokens.txt"} {
		at := scheme + filepath.Join(t.TempDir(), name)
		if code, _, errs := try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", at, "--keep-ids"); code != exitOK {
			t.Fatal(errs)
		}
		if code, out, errs := try(t, "fake-refresh-new", "set", at, "1", "refresh_token"); code != exitOK {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
		}
		code, out, errs := try(t, "fake-refresh-new", "find", at, "--refresh-token-stdin")
		if code != exitOK || !strings.Contains(out, "amelia") {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
		}
	}
}

// TestSetOnAStoreThatCannotSwap saves.
func TestSetOnAStoreThatCannotSwap(t *testing.T) {
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore { return &sixMethods{s} }, numbered("1")...)
	if code, out, errs := try(t, "fake-refresh-new", "set", at, "1", "refresh_token"); code != exitOK || token(t, store, "1").RefreshToken != "fake-refresh-new" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := try(t, "", "delete", at, "1", "--yes"); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store)
}

// sixMethods is a store of somebody else's, without any ability.
type sixMethods struct{ tokenstore.OpenStore }

// TestGetRevealsToNobodyElse: without a terminal, nothing is revealed.
func TestGetRevealsToNobodyElse(t *testing.T) {
	at, _ := kept(t, nil, numbered("1")...)
	for _, flags := range [][]string{nil, {"--json"}} {
		code, out, errs := try(t, "yes\n", append([]string{"get", at, "1", "--reveal", "refresh_token"}, flags...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, "on a terminal only") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
	}
}
