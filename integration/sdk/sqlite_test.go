package sdk

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/sqlstore"
)

//go:embed testdata/sqlite.py
var sqliteScript string

// pythonSQLite is Python's own sqlite3; any Python has it.
func pythonSQLite(t *testing.T) *sdk {
	program := os.Getenv(need.EnvZohoPython)
	if program == "" {
		var err error
		if program, err = exec.LookPath("python3"); err != nil {
			program = need.ZohoPython(t)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "-c", sqliteScript)
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	cmd.Dir = t.TempDir()
	return start(t, "python sqlite3", cmd)
}

func sqliteToken(user, tail string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "client-" + tail, ClientSecret: "secret-" + tail, RefreshToken: "refresh-" + tail,
		AccessToken: "access-" + tail, GrantToken: "grant-" + tail, RedirectURL: "https://zylker.example/" + tail + "?a=1,2&b=%20",
		APIDomain: "https://www.zohoapis.eu", Expiry: time.UnixMilli(1763900000000).UTC(),
	}
}

func openTable(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestSQLiteTable takes turns: each reads what the other wrote, field by field, whoever
// made the table.
func TestSQLiteTable(t *testing.T) {
	for _, maker := range []string{"python", "go"} {
		t.Run("made by "+maker, func(t *testing.T) {
			ctx := context.Background()
			p := pythonSQLite(t)
			path := filepath.Join(t.TempDir(), "zohooauth.db")
			if maker == "python" {
				p.list(t, path)
			}
			s := openTable(t, path)

			theirs := p.save(t, path, sqliteToken("学院@zylker.example:7", "python"))
			if got, err := s.FindTokenByID(ctx, "1"); err != nil || got != theirs {
				t.Errorf("Go reads %v, %v, want %v", got, err, theirs)
			}
			ours, err := s.SaveToken(ctx, sqliteToken("amelia@zylker.example:6", "go"))
			if err != nil || ours.ID != "2" {
				t.Fatalf("saved %v, %v", ours, err)
			}
			bare, err := s.SaveToken(ctx, tokenstore.OAuthToken{AccessToken: "bare-access"})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.list(t, path); len(got) != 3 || got[0] != theirs || got[1] != ours || got[2] != bare {
				t.Errorf("Python lists %v", got)
			}
			for _, query := range []tokenstore.OAuthToken{
				{UserName: ours.UserName}, {AccessToken: ours.AccessToken},
				{GrantToken: ours.GrantToken, ClientID: "c", ClientSecret: "s"}, {RefreshToken: ours.RefreshToken, ClientID: "c", ClientSecret: "s"},
			} {
				if got := p.find(t, path, query); got != ours {
					t.Errorf("Python finds %v by %v", got, query)
				}
			}

			fresh := tokenstore.OAuthToken{UserName: ours.UserName, AccessToken: "fresh-python", Expiry: time.UnixMilli(1763907200000).UTC()}
			changed := p.save(t, path, fresh)
			if got, err := s.FindToken(ctx, tokenstore.OAuthToken{AccessToken: "fresh-python"}); err != nil || got != changed || got.ID != "2" {
				t.Errorf("Go reads %v, %v, want %v", got, err, changed)
			}
			if again := p.save(t, path, sqliteToken("third", "third")); again.ID != "4" {
				t.Errorf("Python inserted the ID %q, want 4", again.ID)
			}
			p.delete(t, path, "4")
			if err := s.DeleteToken(ctx, "1"); err != nil {
				t.Fatal(err)
			}
			if got := p.list(t, path); len(got) != 2 || got[0] != changed {
				t.Errorf("Python lists %v", got)
			}
		})
	}
}

// TestSQLiteTableAtTheSameTime has both write concurrently.
func TestSQLiteTableAtTheSameTime(t *testing.T) {
	const rounds = 40
	ctx := context.Background()
	p := pythonSQLite(t)
	path := filepath.Join(t.TempDir(), "zohooauth.db")
	p.list(t, path)
	s := openTable(t, path)

	failed := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < rounds && err == nil; i++ {
			if _, err = s.SaveToken(ctx, sqliteToken(fmt.Sprint("go-", i), fmt.Sprint("go-", i))); err == nil {
				_, err = s.SaveToken(ctx, tokenstore.OAuthToken{UserName: "shared", APIDomain: "domain", AccessToken: "shared-access", GrantToken: fmt.Sprint("go-", i)})
			}
		}
		failed <- err
	}()
	p.save(t, path, tokenstore.OAuthToken{ID: "py", UserName: "shared", AccessToken: "shared-access"})
	for i := range rounds {
		token := sqliteToken(fmt.Sprint("python-", i), fmt.Sprint("python-", i))
		token.ID = fmt.Sprint("py", i) // Its own numbering reuses IDs, as it compares them as strings.
		p.save(t, path, token)
		p.save(t, path, tokenstore.OAuthToken{UserName: "shared", AccessToken: "shared-access", RefreshToken: fmt.Sprint("python-", i)})
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}

	mine, err := s.GetTokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	theirs := p.list(t, path)
	if len(mine) != len(theirs) {
		t.Fatalf("Go lists %d tokens, Python %d", len(mine), len(theirs))
	}
	for i := range mine {
		if mine[i] != theirs[i] {
			t.Errorf("token %d: Go reads %v, Python %v", i, mine[i], theirs[i])
		}
	}
	for i := range rounds {
		for _, by := range []string{"go-", "python-"} {
			user := fmt.Sprint(by, i)
			got, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: user})
			want := sqliteToken(user, user)
			want.ID = got.ID
			if err != nil || got != want {
				t.Errorf("%s: %v, %v", user, got, err)
			}
		}
	}
	last := fmt.Sprint("go-", rounds-1)
	if got, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: "shared"}); err != nil || got.GrantToken != last || got.RefreshToken != fmt.Sprint("python-", rounds-1) {
		t.Errorf("the shared token lost a field: %v, %v", got, err)
	}
}
