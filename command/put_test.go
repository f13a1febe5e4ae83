package command

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

const newToken = `{"user_name": "ana@zylker.com:7", "client_id": "CLIENTAAAA", "client_secret": "cs-fake",
	"refresh_token": "fake-refresh-ana", "access_token": "fake-access-ana", "expiry_time": "1763900000000"}`

// TestPutNamesCreate where nothing is: that is what makes the store.
func TestPutNamesCreate(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, at := range []string{"memory:", "file:none.txt", "sqlite:none.db"} {
		if code, _, errs := try(t, `{"access_token": "fake-access"}`, "put", at); code != exitNotFound || !strings.Contains(errs, "pass --create") {
			t.Errorf("%s: exit code %d\n%s", at, code, errs)
		}
	}
}

// outcomeOf returns the outcome and the remark of a report with one token.
func outcomeOf(t *testing.T, out string) change {
	t.Helper()
	var report changes
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Tokens) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	return report.Tokens[0]
}

// TestPut in every situation: what it says, and what the store holds afterwards.
func TestPut(t *testing.T) {
	for name, c := range map[string]struct {
		stdin   string
		flags   []string
		code    int
		outcome string
		says    string
		id      string // of the token that is looked at afterwards
		check   func(tokenstore.OAuthToken) bool
	}{
		"new":                  {newToken, nil, exitOK, outcomeStored, "", "", nil},
		"new, with an ID":      {`{"id": "9", "access_token": "fake-access9"}`, nil, exitOK, outcomeStored, "", "9", func(k tokenstore.OAuthToken) bool { return k.AccessToken == "fake-access9" }},
		"new, not refreshable": {`{"id": "9", "refresh_token": "fake-refresh9"}`, nil, exitOK, outcomeStored, "cannot be refreshed", "9", nil},
		"new, dry run":         {newToken, []string{"--dry-run"}, exitOK, outcomeWouldStore, "", "", nil},
		"the same":             {`{"id": "1", "refresh_token": "fake-refresh1"}`, nil, exitOK, outcomeThere, "", "1", nil},
		"the ID exists":        {`{"id": "1", "refresh_token": "fake-refresh-x"}`, nil, exitIncomplete, outcomeLeft, "(refresh_token)", "1", func(k tokenstore.OAuthToken) bool { return k.RefreshToken == "fake-refresh1" }},
		"the ID exists, update": {`{"id": "1", "refresh_token": "fake-refresh-x"}`, []string{"--update"}, exitOK, outcomeUpdated, "", "1", func(k tokenstore.OAuthToken) bool {
			return k.RefreshToken == "fake-refresh-x" && k.AccessToken == "fake-access1"
		}},
		"update, dry run":          {`{"id": "1", "refresh_token": "fake-refresh-x"}`, []string{"--update", "--dry-run"}, exitOK, outcomeWouldUpdate, "", "1", func(k tokenstore.OAuthToken) bool { return k.RefreshToken == "fake-refresh1" }},
		"the user exists":          {`{"user_name": "user1", "refresh_token": "fake-refresh-x"}`, nil, exitIncomplete, outcomeLeft, "--update", "1", func(k tokenstore.OAuthToken) bool { return k.RefreshToken == "fake-refresh1" }},
		"the user exists, update":  {`{"user_name": "user1", "refresh_token": "fake-refresh-x"}`, []string{"--update"}, exitOK, outcomeUpdated, "", "1", func(k tokenstore.OAuthToken) bool { return k.RefreshToken == "fake-refresh-x" }},
		"another ID":               {`{"id": "9", "user_name": "user1", "refresh_token": "fake-refresh-x"}`, []string{"--update"}, exitIncomplete, outcomeLeft, "under this ID", "1", func(k tokenstore.OAuthToken) bool { return k.RefreshToken == "fake-refresh1" }},
		"another user":             {`{"id": "1", "user_name": "ana", "refresh_token": "fake-refresh-x"}`, []string{"--update"}, exitIncomplete, outcomeLeft, "another user", "1", func(k tokenstore.OAuthToken) bool { return k.UserName == "user1" }},
		"ownerless":                {`{"client_id": "CLIENTAAAA", "client_secret": "cs-fake", "refresh_token": "fake-refresh3", "api_domain": "https://x.example"}`, nil, exitIncomplete, outcomeLeft, "(api_domain)", "3", nil},
		"adopted":                  {`{"user_name": "ana", "client_id": "CLIENTAAAA", "client_secret": "cs-fake", "refresh_token": "fake-refresh3"}`, nil, exitIncomplete, outcomeLeft, "this user's", "3", func(k tokenstore.OAuthToken) bool { return k.UserName == "" }},
		"adopted, update":          {`{"user_name": "ana", "client_id": "CLIENTAAAA", "client_secret": "cs-fake", "refresh_token": "fake-refresh3"}`, []string{"--update"}, exitOK, outcomeUpdated, "", "3", func(k tokenstore.OAuthToken) bool { return k.UserName == "ana" }},
		"not that of another user": {`{"user_name": "ana", "client_id": "CLIENTAAAA", "client_secret": "cs-fake", "refresh_token": "fake-refresh1"}`, nil, exitOK, outcomeStored, "", "1", func(k tokenstore.OAuthToken) bool { return k.UserName == "user1" }},
	} {
		t.Run(name, func(t *testing.T) {
			ownerless := numbered("3")[0]
			ownerless.UserName = ""
			at, store := kept(t, nil, append(numbered("1", "2"), ownerless)...)
			code, out, errs := try(t, c.stdin, append([]string{"put", at, "--json"}, c.flags...)...)
			if code != c.code {
				t.Fatalf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			if got := outcomeOf(t, out); got.Outcome != c.outcome || !strings.Contains(got.Reason, c.says) || c.says == "" && got.Reason != "" {
				t.Errorf("%+v", got)
			}
			if c.check != nil && !c.check(token(t, store, c.id)) {
				t.Error("the store holds something else")
			}
			tokens, err := store.GetTokens(t.Context())
			want := 3
			if c.outcome == outcomeStored {
				want++
			}
			if err != nil || len(tokens) != want {
				t.Errorf("%d tokens, want %d, %v", len(tokens), want, err)
			}
			if c.outcome == outcomeStored || c.outcome == outcomeUpdated {
				if code, out, _ := try(t, c.stdin, "put", at, "--json"); code != exitOK || outcomeOf(t, out).Outcome != outcomeThere {
					t.Errorf("again: exit code %d\n%s", code, out)
				}
			}
		})
	}
}

// TestPutSaysWhichField is wrong, and shows nothing of what was given.
func TestPutSaysWhichField(t *testing.T) {
	at, store := kept(t, nil, numbered("1")...)
	for stdin, says := range map[string]string{
		"":                                "not one JSON object",
		"fake-refresh":                    "not one JSON object",
		"[]":                              "not one JSON object",
		"{}":                              "not one JSON object",
		`{"id": "1"`:                      "not one JSON object",
		`{"id": "1"} {}`:                  "goes on after the token",
		`{"id": 17}`:                      "id must be a string",
		`{"id": null}`:                    "id must be a string",
		`{"user_name": ["fake-refresh"]}`: "user_name must be a string",
		`{"id": "1", "fake-refresh": "fake-access"}`:                     "field 2 is not a field of a token; the fields are id, user_name, client_id",
		`{"id": "1", "id": "2"}`:                                         "id is given twice",
		`{"refresh_token": "fake-refresh "}`:                             "refresh_token begins or ends with white space",
		`{"refresh_token": ""}`:                                          "refresh_token is empty",
		`{"access_token": "a", "expiry_time": "fake-refresh"}`:           "expiry_time is not valid: not a time in epoch milliseconds",
		`{"access_token": "a", "expiry_time": 3600}`:                     "expiry_time is not valid",
		`{"access_token": "a", "expiry_time": {}}`:                       "expiry_time must be a string or a number",
		"{\"access_token\": \"fake-access\xff\"}":                        "not valid UTF-8",
		`{"access_token": "fake-access\u001b"}`:                          "cannot be printed",
		`{"user_name": "ana"}`:                                           "a new token needs a refresh, grant or access token",
		`{"access_token": "` + strings.Repeat("x", maxCredential) + `"}`: "more than",
	} {
		code, out, errs := try(t, stdin, "put", at)
		if code != exitUsage || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%.60q: exit code %d, want %q\n%s%s", stdin, code, says, out, errs)
		}
	}
	holds(t, store, "1")
	if code, out, errs := try(t, `{"id": "9", "access_token": "fake-access9", "expiry_time": 1763900000000}`, "put", at); code != exitOK {
		t.Errorf("a number: exit code %d\n%s%s", code, out, errs)
	}
}

// TestPutMakesNoStore where nothing of one is, unless it is told to.
func TestPutMakesNoStore(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, at := range []string{"sqlite:new.db", "file:new.txt"} {
		for _, flags := range [][]string{nil, {"--create", "--dry-run"}} {
			if code, _, errs := try(t, newToken, append([]string{"put", at}, flags...)...); (code == exitOK) != (flags != nil) {
				t.Errorf("%s %v: exit code %d\n%s", at, flags, code, errs)
			}
		}
		if made, err := os.ReadDir("."); err != nil || len(made) > 0 {
			t.Fatalf("files were made: %v, %v", made, err)
		}
	}
	if code, _, errs := try(t, newToken, "put", "memory:"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	for _, at := range []string{"sqlite:new.db", "file:new.txt"} {
		if code, out, errs := try(t, newToken, "put", at, "--create"); code != exitOK || !strings.Contains(out, "1 stored") {
			t.Errorf("%s: exit code %d\n%s%s", at, code, out, errs)
		}
		if code, out, _ := try(t, newToken, "put", at, "--create"); code != exitOK || !strings.Contains(out, "1 already there") {
			t.Errorf("%s: exit code %d\n%s", at, code, out)
		}
	}
}

// TestPutNeverOverwritesUnseen: somebody changes the token between the read and the swap.
func TestPutNeverOverwritesUnseen(t *testing.T) {
	for field, want := range map[string]string{"refresh_token": outcomeChanged, "access_token": outcomeUpdated} {
		var store *secretstore.Store
		meddled := false
		at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
			return &meddler{Store: s, beforeSwap: func(id string) {
				if meddled {
					return
				}
				meddled = true
				other := tokenstore.OAuthToken{ID: id, AccessToken: "fake-access-of-a-program"}
				if field == "refresh_token" {
					other = tokenstore.OAuthToken{ID: id, RefreshToken: "fake-refresh-of-a-new-login"}
				}
				if _, err := store.SaveToken(t.Context(), other); err != nil {
					t.Error(err)
				}
			}}
		}, numbered("1")...)
		_, out, errs := try(t, `{"id": "1", "refresh_token": "fake-refresh-put"}`, "put", at, "--update", "--json")
		if got := outcomeOf(t, out); got.Outcome != want || !meddled {
			t.Errorf("%s: %+v\n%s", field, got, errs)
		}
		if now := token(t, store, "1"); (now.RefreshToken == "fake-refresh-put") != (want == outcomeUpdated) ||
			field == "access_token" && now.AccessToken != "fake-access-of-a-program" {
			t.Errorf("%s: the store holds something else", field)
		}
	}
}

// TestPutMakesADamagedTokenWhole, if it is asked to.
func TestPutMakesADamagedTokenWhole(t *testing.T) {
	t.Parallel() // A store reads a damaged secret again for seconds.
	secrets := memory.New()
	tokenstore.Register("broken", func(context.Context, *url.URL) (tokenstore.OpenStore, error) { return secretstore.New(secrets) })
	store, err := secretstore.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), numbered("1")[0]); err != nil {
		t.Fatal(err)
	}
	secrets.Edit("tokenstore/tokens/1", []byte(`not JSON`))
	whole := `{"id": "1", "user_name": "user1", "refresh_token": "fake-refresh1"}`
	if code, out, errs := try(t, whole, "put", "broken:"); code != exitIncomplete || !strings.Contains(out, "--update makes it whole") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := try(t, whole, "put", "broken:", "--update"); code != exitOK || !strings.Contains(out, "1 updated") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if token(t, store, "1").RefreshToken != "fake-refresh1" {
		t.Error("it is not whole")
	}
}

// TestPutThatIsInterrupted says so, and that running it again tells.
func TestPutThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at, _ := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &meddler{Store: s, beforeSwap: func(string) { cancel() }}
	}, numbered("1")...)
	var out, errs bytes.Buffer
	code := run(ctx, []string{"put", at, "--update"}, strings.NewReader(`{"id": "1", "refresh_token": "fake-refresh-put"}`), &out, &errs)
	if code != exitFault || !strings.Contains(out.String(), "run the command again") || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
}

func TestPutOfAFile(t *testing.T) {
	at := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	if code, _, errs := try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", at); code != exitOK {
		t.Fatal(errs)
	}
	code, out, errs := try(t, `{"user_name": "amelia.burrows@zylker.com:60001234567", "refresh_token": "fake-refresh-put"}`, "put", at, "--update")
	if code != exitOK || !strings.Contains(out, "1 token: 1 updated") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
