package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// tokens are the tokens that are exchanged: every field, few fields, Unicode, and
// values that CSV quotes if the SDK reads that.
func tokens(quotes bool) []tokenstore.OAuthToken {
	list := []tokenstore.OAuthToken{
		whole("amelia@zylker.example:1", "a"),
		whole("大橋 Åsa ümläut 🙂@zylker.example:2", "b"),
		{ClientID: "1000.CLIENT", ClientSecret: "cs-fake", RefreshToken: "1000.fake-refresh-c"},
		{AccessToken: "1000.fake-access-d"},
		{UserName: "o'brien@zylker.example:5", ClientID: "1000.CLIENT", ClientSecret: `cs-"fake"`, GrantToken: "1000.fake-grant-e"},
		{UserName: strings.Repeat("long", 1000), AccessToken: "1000.fake-access-f; x=1\ty=2"},
	}
	if quotes {
		for i, text := range []string{`a,b`, `"a"`, `,"",`, "two\nlines", `"`, " space ", "null", "\ufeffmark"} {
			t := whole(fmt.Sprintf("%s@zylker.example:%d", text, i+10), text)
			list = append(list, t)
		}
	}
	return list
}

func whole(user, text string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "1000.CLIENT" + text, ClientSecret: "cs-fake" + text,
		RefreshToken: "1000.fake-refresh" + text, AccessToken: "1000.fake-access" + text, GrantToken: "1000.fake-grant" + text,
		RedirectURL: "https://zylker.example/cb?" + text, APIDomain: "https://www.zohoapis.com/" + text,
		Expiry: time.UnixMilli(1763900000123).UTC(),
	}
}

// queries are the ways to find a token.
func queries(t tokenstore.OAuthToken) []tokenstore.OAuthToken {
	var list []tokenstore.OAuthToken
	if t.UserName != "" {
		list = append(list, tokenstore.OAuthToken{UserName: t.UserName})
	}
	if t.AccessToken != "" {
		list = append(list, tokenstore.OAuthToken{AccessToken: t.AccessToken})
	}
	if t.RefreshToken != "" && t.ClientID != "" {
		list = append(list, tokenstore.OAuthToken{RefreshToken: t.RefreshToken, ClientID: t.ClientID, ClientSecret: t.ClientSecret})
	}
	if t.GrantToken != "" && t.ClientID != "" {
		list = append(list, tokenstore.OAuthToken{GrantToken: t.GrantToken, ClientID: t.ClientID, ClientSecret: t.ClientSecret})
	}
	return list
}

func open(t *testing.T, path string, options ...filestore.Option) *filestore.Store {
	t.Helper()
	store, err := filestore.Open(path, options...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func save(t *testing.T, store tokenstore.Store, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := store.SaveToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func all(t *testing.T, store tokenstore.Store) []tokenstore.OAuthToken {
	t.Helper()
	list, err := store.GetTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func same(t *testing.T, got, want []tokenstore.OAuthToken) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d tokens, want %d", len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] { // All values here are fakes.
			t.Errorf("token %d: %s\nwant %s", i+1, encoded(t, got[i]), encoded(t, want[i]))
		}
	}
}

// TestFileStore runs each SDK's FileStore and ours on the same files.
func TestFileStore(t *testing.T) {
	eachSDK(t, func(t *testing.T, s *sdk) {
		tests := map[string]func(*testing.T, *sdk){
			"the SDK reads ours": sdkReadsOurs,
			"we read theirs":     weReadTheirs,
			"in turns":           turns,
			"fixtures":           fixtures,
			"second generation":  secondGeneration,
		}
		if !s.quotes {
			tests["no quotes"] = noQuotes
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, s) })
		}
	})
}

// sdkReadsOurs: the SDK lists what we wrote, and finds it by each key.
func sdkReadsOurs(t *testing.T, s *sdk) {
	path := filepath.Join(t.TempDir(), "sdk_tokens.txt")
	store := open(t, path, filestore.WithQuotes(s.quotes))
	list := tokens(s.quotes)
	if s.quotes {
		list = append(list, tokenstore.OAuthToken{UserName: "null", AccessToken: "null"})
	}
	for _, token := range list {
		save(t, store, token)
	}
	stored := all(t, store)
	same(t, s.list(t, path), stored)
	for _, token := range stored {
		same(t, []tokenstore.OAuthToken{s.byID(t, path, token.ID)}, []tokenstore.OAuthToken{token})
		for _, q := range queries(token) {
			same(t, []tokenstore.OAuthToken{s.find(t, path, q)}, []tokenstore.OAuthToken{token})
		}
	}
}

// weReadTheirs: we list what the SDK wrote, and find it by each key.
func weReadTheirs(t *testing.T, s *sdk) {
	path := filepath.Join(t.TempDir(), "sdk_tokens.txt")
	var saved []tokenstore.OAuthToken
	for _, token := range tokens(s.quotes) {
		got := s.save(t, path, token)
		token.ID = got.ID
		same(t, []tokenstore.OAuthToken{got}, []tokenstore.OAuthToken{token})
		saved = append(saved, token)
	}
	store := open(t, path)
	same(t, all(t, store), saved)
	for _, token := range saved {
		for _, q := range queries(token) {
			found, err := store.FindToken(t.Context(), q)
			if err != nil {
				t.Errorf("%s: %v", encoded(t, q), err)
				continue
			}
			same(t, []tokenstore.OAuthToken{found}, []tokenstore.OAuthToken{token})
		}
	}
}

// turns: the SDK and we take turns to save, change and delete, and agree on every token
// after each turn. Each continues the other's IDs.
func turns(t *testing.T, s *sdk) {
	for _, first := range []string{"ours", "theirs"} {
		path := filepath.Join(t.TempDir(), "sdk_tokens.txt")
		if first == "theirs" {
			s.call(t, request{Op: "open", Path: path})
		}
		store := open(t, path)
		agree := func() {
			t.Helper()
			same(t, s.list(t, path), all(t, store))
		}
		for i, token := range tokens(false) {
			if i%2 == 0 {
				token.ID = save(t, store, token).ID
			} else {
				token.ID = s.save(t, path, token).ID
			}
			if want := fmt.Sprint(i + 1); token.ID != want {
				t.Errorf("ID %q, want %q", token.ID, want)
			}
			agree()
		}
		s.save(t, path, tokenstore.OAuthToken{ID: "1", AccessToken: "1000.fake-new-theirs"})
		agree()
		save(t, store, tokenstore.OAuthToken{ID: "2", AccessToken: "1000.fake-new-ours", Expiry: time.UnixMilli(1763900009999)})
		agree()
		s.delete(t, path, "3")
		agree()
		if err := store.DeleteToken(t.Context(), "6"); err != nil {
			t.Fatal(err)
		}
		agree()
		save(t, store, tokenstore.OAuthToken{AccessToken: "1000.fake-after"})
		agree()
		s.call(t, request{Op: "delete all", Path: path})
		agree()
		if saved := save(t, store, whole("last", "z")); saved.ID != "8" {
			t.Errorf("ID %q after all were deleted, want 8", saved.ID)
		}
		agree()
	}
}

// fixtures: a file that the SDK wrote, rewritten without a change by the SDK and by us,
// is the same byte for byte.
func fixtures(t *testing.T, s *sdk) {
	fixture := content(t, filepath.Join("testdata", s.name+"-sdk-8.0-filestore.txt"))
	path := filepath.Join(t.TempDir(), "sdk_tokens.txt")
	if err := os.WriteFile(path, fixture, 0o600); err != nil {
		t.Fatal(err)
	}
	store := open(t, path)
	same(t, s.list(t, path), all(t, store))

	s.save(t, path, s.byID(t, path, "2"))
	if !bytes.Equal(content(t, path), fixture) {
		t.Errorf("the SDK wrote %q", content(t, path))
	}
	token, err := store.FindTokenByID(t.Context(), "2")
	if err != nil {
		t.Fatal(err)
	}
	save(t, store, tokenstore.OAuthToken{ID: "2", APIDomain: "https://www.zohoapis.jp"})
	save(t, store, token)
	if !bytes.Equal(content(t, path), fixture) {
		t.Errorf("we wrote %q", content(t, path))
	}

	// A new row is identical to one of the SDK's.
	theirs := filepath.Join(t.TempDir(), "theirs.txt")
	if err := os.WriteFile(theirs, fixture, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens(s.quotes) {
		if slices.Contains([]string{"null", "\ufeffmark"}, strings.Split(token.UserName, "@")[0]) {
			continue // Here we quote more than the SDK needs.
		}
		save(t, store, token)
		s.save(t, theirs, token)
	}
	if got, want := content(t, path), content(t, theirs); !bytes.Equal(got, want) {
		t.Errorf("we wrote\n%q\nthe SDK\n%q", got, want)
	}
}

// noQuotes: values that an SDK without quotes would misread are not written into its
// file, and those that it has misread already are reported.
func noQuotes(t *testing.T, s *sdk) {
	path := filepath.Join(t.TempDir(), "sdk_tokens.txt")
	s.save(t, path, whole("amelia@zylker.example:1", "a"))
	before := content(t, path)
	store := open(t, path)
	for _, text := range []string{"a,b", `"a"`, "two\nlines"} {
		_, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", ClientSecret: text})
		if !errors.Is(err, tokenstore.ErrInvalidToken) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if !bytes.Equal(content(t, path), before) {
		t.Error("the file was changed")
	}
	s.save(t, path, tokenstore.OAuthToken{UserName: "bruno@zylker.example:2", AccessToken: "1000.fake,comma"})
	_, err := store.GetTokens(t.Context())
	var unreadable *filestore.UnreadableError
	if !errors.As(err, &unreadable) || len(unreadable.Lines) != 1 || unreadable.Lines[0].Line != 3 {
		t.Errorf("error: %v", err)
	}
}

// secondGeneration: the tenth column that we add is the SDK's own, and both read the
// result.
func secondGeneration(t *testing.T, s *sdk) {
	const old = "id,user_mail,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url\n" +
		"node_amelia_prd_sh-1,amelia@zylker.example,1000.CLIENT,cs-fake,1000.fake-refresh-1,1000.fake-access-1,,1763900000000,https://zylker.example/cb\n"
	ours, theirs := filepath.Join(t.TempDir(), "ours.txt"), filepath.Join(t.TempDir(), "theirs.txt")
	for _, path := range []string{ours, theirs} {
		if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := all(t, open(t, ours))
	save(t, open(t, ours), tokenstore.OAuthToken{ID: before[0].ID, AccessToken: "1000.fake-access-2"})
	after := all(t, open(t, ours))
	same(t, s.list(t, ours), after)
	s.call(t, request{Op: "open", Path: theirs})
	same(t, all(t, open(t, theirs)), before)
}
