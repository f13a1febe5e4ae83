package storedforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

var update = flag.String("update", "", "the release whose fixtures are written, such as v2; none may be there")

// TestUpdate writes the fixtures of a new release.
func TestUpdate(t *testing.T) {
	if *update == "" {
		t.Skip("it writes fixtures, with -update")
	}
	folder := filepath.Join("testdata", *update)
	if err := os.Mkdir(folder, 0o755); err != nil { // What is there stays for ever.
		t.Fatal(err)
	}
	writeBackups(t, folder)
	for _, f := range forms {
		written := filepath.Join(folder, f.file)
		all := f.write(t, written)
		data, err := json.MarshalIndent(all, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(written+expectation, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// expectation ends the name of the file that says what is in a fixture.
const expectation = ".tokens.json"

// write makes a fixture, and returns the tokens in it.
func (f form) write(t *testing.T, path string) (all []map[string]string) {
	t.Helper()
	s, err := f.open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer close(t, s)
	if err := write(t.Context(), s); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	tokens, err := s.GetTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		all = append(all, texts(token))
	}
	return all
}

// TestRead reads what every release has written: all tokens are there, in their
// order, and are found by every key.
func TestRead(t *testing.T) {
	eachFixture(t, func(t *testing.T, f form, path string, want []map[string]string) {
		s := f.reopen(t, path)
		defer close(t, s)
		readsAll(t, s, want)
		if _, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: deleted}); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("the deleted token: %v", err)
		}
		if s, ok := s.(*secretstore.Store); ok {
			report, err := s.Check(t.Context())
			if err != nil || report.KeysAdded+report.Foreign+len(report.Unreadable) > 0 || report.Tombstones != 1 {
				t.Errorf("the repair finds %+v, %v", report, err)
			}
		}
	})
}

// TestWork goes on with what every release has written.
func TestWork(t *testing.T) {
	eachFixture(t, func(t *testing.T, f form, path string, want []map[string]string) {
		ctx, s := t.Context(), f.reopen(t, path)
		for i, token := range tokensOf(t, s) {
			changed, err := s.SaveToken(ctx, tokenstore.OAuthToken{ID: token.ID, AccessToken: "1000.fake-access-new", RefreshToken: "1000.fake-refresh-new-" + want[i]["id"]})
			if err != nil || changed.ID != token.ID || changed.UserName != token.UserName || changed.GrantToken != token.GrantToken {
				t.Errorf("update of %s: %v", token.ID, err)
			}
			want[i] = texts(changed)
		}
		// A user is where the release put it, and a deleted one may come back.
		for _, user := range []string{deleted, "new@zylker.example:9"} {
			saved, err := s.SaveToken(ctx, full(user, "after-"+user))
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(want, func(other map[string]string) bool { return other["id"] == saved.ID }) {
				t.Errorf("the ID of %s is another token's", user)
			}
			want = append(want, texts(saved))
		}
		if err := s.DeleteToken(ctx, want[0]["id"]); err != nil {
			t.Error(err)
		}
		close(t, s)

		s = f.reopen(t, path)
		defer close(t, s)
		got := tokensOf(t, s)
		if len(got) != len(want)-1 {
			t.Errorf("%d tokens instead of %d", len(got), len(want)-1)
		}
		for _, token := range want[1:] {
			found, err := s.FindTokenByID(ctx, token["id"])
			if err != nil || !maps.Equal(texts(found), token) {
				t.Errorf("token %s is not as it was saved: %v", token["id"], err)
			}
			foundByAll(t, s, found, got)
		}
	})
}

// TestWrite compares what this release writes with the fixtures of the newest
// one, byte for byte: a change there needs fixtures of its own.
func TestWrite(t *testing.T) {
	newest := slices.Max(releases(t))
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			written := filepath.Join(t.TempDir(), f.file)
			all := f.write(t, written)
			if want := expected(t, filepath.Join("testdata", newest, f.file)); !slices.EqualFunc(all, want, maps.Equal) {
				t.Error("the store gives back other tokens than in", newest)
			}
			if f.name == "sqlite" {
				return // Its pages are SQLite's own; sqlstore's tests compare the table.
			}
			got, err := os.ReadFile(written)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", newest, f.file))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("this release writes another form than %s. If it is meant to, write its fixtures with -update and a new name.\n%s", newest, got)
			}
		})
	}
}

// eachFixture calls test with a copy of each fixture and with what is in it.
func eachFixture(t *testing.T, test func(t *testing.T, f form, path string, want []map[string]string)) {
	for _, release := range releases(t) {
		for _, f := range forms {
			t.Run(release+"/"+f.name, func(t *testing.T) {
				original := filepath.Join("testdata", release, f.file)
				data, err := os.ReadFile(original)
				if errors.Is(err, os.ErrNotExist) {
					t.Skip("this release did not have it")
				}
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), f.file)
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				test(t, f, path, expected(t, original))
			})
		}
	}
}

func releases(t *testing.T) (names []string) {
	t.Helper()
	folders, err := os.ReadDir("testdata")
	if err != nil || len(folders) == 0 {
		t.Fatal("no fixtures:", err)
	}
	for _, folder := range folders {
		names = append(names, folder.Name())
	}
	return names
}

func expected(t *testing.T, path string) (want []map[string]string) {
	t.Helper()
	data, err := os.ReadFile(path + expectation)
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func (f form) reopen(t *testing.T, path string) tokenstore.OpenStore {
	t.Helper()
	s, err := f.open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tokensOf(t *testing.T, s tokenstore.Store) []tokenstore.OAuthToken {
	t.Helper()
	tokens, err := s.GetTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// readsAll compares all tokens, and finds each by its keys.
func readsAll(t *testing.T, s tokenstore.Store, want []map[string]string) {
	t.Helper()
	all := tokensOf(t, s)
	if len(all) != len(want) {
		t.Fatalf("%d tokens instead of %d", len(all), len(want))
	}
	for i, token := range all {
		if !maps.Equal(texts(token), want[i]) {
			t.Errorf("token %d: %v instead of %v", i, texts(token), want[i]) // Made up, all of it.
		}
		if found, err := s.FindTokenByID(t.Context(), token.ID); err != nil || found != token {
			t.Errorf("by ID %s: %v", token.ID, err)
		}
		foundByAll(t, s, token, all)
	}
}

// foundByAll finds a token by each of its keys that no other token has.
func foundByAll(t *testing.T, s tokenstore.Store, token tokenstore.OAuthToken, all []tokenstore.OAuthToken) {
	t.Helper()
	for name, query := range queriesOf(token) {
		shared := 0
		for _, other := range all {
			if query, ok := queriesOf(other)[name]; ok && query == queriesOf(token)[name] {
				shared++
			}
		}
		if shared > 1 {
			continue
		}
		if found, err := s.FindToken(t.Context(), query); err != nil || found != token {
			t.Errorf("%s by its %s: %v", token.ID, name, err)
		}
	}
}

// queriesOf are the finds that a token answers, but for that by ID.
func queriesOf(t tokenstore.OAuthToken) map[string]tokenstore.OAuthToken {
	all := map[string]tokenstore.OAuthToken{}
	add := func(name, value string, query tokenstore.OAuthToken) {
		if value != "" {
			all[name] = query
		}
	}
	add("user", t.UserName, tokenstore.OAuthToken{UserName: t.UserName})
	add("access token", t.AccessToken, tokenstore.OAuthToken{AccessToken: t.AccessToken})
	if t.ClientID != "" && t.ClientSecret != "" {
		add("refresh token", t.RefreshToken, tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: t.RefreshToken})
		add("grant token", t.GrantToken, tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", GrantToken: t.GrantToken})
	}
	return all
}
