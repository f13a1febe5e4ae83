// The cut-over of docs/migration.md, with an application on the real SDK that runs on
// while its tokens move.

package sdk

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/sqlstore"
)

// application is a program that runs on an SDK's file, and refreshes its users' tokens
// as it goes.
type application struct {
	sdk   *sdk
	path  string
	users int
	turn  int
}

// work does what the application does next: it refreshes the token of a user, or a new
// one signs in.
func (a *application) work(t *testing.T) {
	t.Helper()
	a.turn++
	user := a.turn % a.users
	if a.turn%7 == 0 {
		user = a.users
		a.users++
	}
	a.sdk.save(t, a.path, tokenstore.OAuthToken{
		UserName: fmt.Sprintf("user%d@zylker.example:%d", user, user), ClientID: "1000.CLIENT", ClientSecret: "cs-fake",
		RefreshToken: fmt.Sprintf("1000.fake-refresh-%d", user), AccessToken: fmt.Sprintf("1000.fake-access-%d-%d", user, a.turn),
		Expiry: time.UnixMilli(1763900000000 + int64(a.turn)*1000).UTC(), APIDomain: "https://www.zohoapis.com",
	})
}

// during runs the command, and lets the application work until it has ended.
func (a *application) during(t *testing.T, program string, arguments ...string) (code int, out string) {
	t.Helper()
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	cmd := exec.CommandContext(t.Context(), program, arguments...) // #nosec G204 -- built by the test.
	go func() {
		out, err := cmd.CombinedOutput()
		done <- result{out, err}
	}()
	for {
		select {
		case r := <-done:
			if cmd.ProcessState == nil {
				t.Fatal(r.err)
			}
			return cmd.ProcessState.ExitCode(), string(r.out)
		default:
			a.work(t)
		}
	}
}

// TestCutOver: an application refreshes tokens and gets new users all the time. Its
// tokens are imported again and again, a part of it moves to the new store, and after
// the last import the new store has every token as it was refreshed last.
func TestCutOver(t *testing.T) {
	program := need.Command(t)
	eachSDK(t, func(t *testing.T, s *sdk) {
		app := &application{sdk: s, path: filepath.Join(t.TempDir(), "sdk_tokens.txt"), users: 5}
		for range 10 {
			app.work(t)
		}
		to := filepath.Join(t.TempDir(), "tokens.db")
		source, destination := "file:"+app.path, "sqlite:"+to

		// 1. Look, 2. import, 3. import again while both run.
		for _, flags := range [][]string{{"--dry-run"}, nil, {"--update"}, {"--update"}} {
			code, out := 1, ""
			for range 20 { // The file may be in the middle of a write: exit code 1.
				if code, out = app.during(t, program, append([]string{"import", source, "--to", destination}, flags...)...); code != 1 {
					break
				}
			}
			if code != 0 {
				t.Fatalf("%v: exit code %d\n%s", flags, code, out)
			}
		}

		// A part of the application is on the new store already, and refreshes there.
		store, err := sqlstore.OpenSQLite(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		refreshed, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "user1@zylker.example:1",
			AccessToken: "1000.fake-access-new-store", Expiry: time.UnixMilli(1763999999000).UTC()})
		if err != nil {
			t.Fatal(err)
		}
		if code, out := app.during(t, program, "import", source, "--to", destination, "--update"); code > 1 {
			t.Errorf("exit code %d\n%s", code, out)
		}

		// 4. The rest of it has stopped: the last import.
		cmd := exec.CommandContext(t.Context(), program, "import", source, "--to", destination, "--update") // #nosec G204 -- built by the test.
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), ", 0 not") {
			t.Fatalf("the last import: %v\n%s", err, out)
		}
		old := s.list(t, app.path)
		if len(old) != app.users {
			t.Fatalf("%d tokens in the file, want %d", len(old), app.users)
		}
		for _, want := range old {
			checkMoved(t, store, want, refreshed)
		}
		if moved := all(t, store); len(moved) != len(old) {
			t.Errorf("%d tokens, want %d", len(moved), len(old))
		}
	})
}

// checkMoved finds a token of the old file in the new store by each of its keys. That
// which the new store has refreshed stays as it is there.
func checkMoved(t *testing.T, store tokenstore.Store, want, refreshed tokenstore.OAuthToken) {
	t.Helper()
	if want.UserName == refreshed.UserName {
		want = refreshed
	}
	for _, query := range queries(want) {
		found, err := store.FindToken(t.Context(), query)
		if err != nil {
			t.Errorf("%s: %v", encoded(t, query), err)
			continue
		}
		want.ID = found.ID
		same(t, []tokenstore.OAuthToken{found}, []tokenstore.OAuthToken{want})
	}
}
