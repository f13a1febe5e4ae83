package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// kept registers the scheme "kept", whose stores keep what is saved between two runs of the
// command, and saves tokens. A wrapper, which may be nil, is put around the store.
func kept(t *testing.T, wrap func(*secretstore.Store) tokenstore.OpenStore, tokens ...tokenstore.OAuthToken) (string, *secretstore.Store) {
	t.Helper()
	secrets := memory.New()
	tokenstore.Register("kept", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		s, err := secretstore.New(secrets, secretstore.WithDocument(1))
		if err != nil || wrap == nil {
			return s, err
		}
		return wrap(s), nil
	})
	store, err := secretstore.New(secrets, secretstore.WithDocument(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	return "kept:", store
}

func numbered(ids ...string) (tokens []tokenstore.OAuthToken) {
	for _, id := range ids {
		tokens = append(tokens, tokenstore.OAuthToken{ID: id, UserName: "user" + id, ClientID: "CLIENTAAAA", ClientSecret: "cs-fake", RefreshToken: "fake-refresh" + id, AccessToken: "fake-access" + id})
	}
	return tokens
}

// holds fails unless the tokens of a store are those with these IDs.
func holds(t *testing.T, store tokenstore.Store, ids ...string) {
	t.Helper()
	tokens, err := store.GetTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, token := range tokens {
		got = append(got, token.ID)
	}
	if slices.Sort(got); !slices.Equal(got, ids) {
		t.Errorf("the store holds %v, want %v", got, ids)
	}
}

func TestDeleteByIDs(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2", "3")...)
	code, out, errs := try(t, "", "delete", at, "1", "2", "1", "--dry-run")
	if code != exitOK || !strings.Contains(out, "2 tokens: 2 would be deleted (dry run: nothing was changed)") {
		t.Errorf("a dry run: exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "1", "2", "3")
	if code, out, errs = try(t, "", "delete", at, "1", "2"); code != exitUsage || out != "" || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes: exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "1", "2", "3")
	if code, out, errs = try(t, "", "delete", at, "1", "2", "--yes"); code != exitOK || !strings.Contains(out, "2 tokens: 2 deleted\n") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "3")
	var report changes
	code, out, errs = try(t, "", "delete", at, "2", "3", "--yes", "--json")
	err := json.Unmarshal([]byte(out), &report)
	if want := []change{{ID: "2", Outcome: outcomeMissing}, {ID: "3", User: "user3", Outcome: "deleted"}}; err != nil || code != exitNotFound || !slices.Equal(report.Tokens, want) {
		t.Errorf("again: exit code %d, %v\n%s%s", code, err, out, errs)
	}
	holds(t, store)
}

// TestDeleteAUser deletes all of a user's tokens, of which a table may have several.
func TestDeleteAUser(t *testing.T) {
	lines := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n" +
		"1,ana,CLIENTAAAA,cs-fake,fake-refresh1,a1,,,,\n2,ben,CLIENTAAAA,cs-fake,fake-refresh2,a2,,,,\n3,ana,CLIENTAAAA,cs-fake,fake-refresh3,a3,,,,\n"
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := try(t, "", "delete", "file:"+path, "--user", "ana", "--yes")
	if code != exitOK || !strings.Contains(out, "2 tokens: 2 deleted") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, _ := try(t, "", "list", "file:"+path); code != exitOK || strings.Contains(out, "ana") || !strings.Contains(out, "ben") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, errs = try(t, "", "delete", "file:"+path, "--user", "ana", "--yes"); code != exitNotFound || !strings.Contains(out, outcomeMissing) {
		t.Errorf("again: exit code %d\n%s%s", code, out, errs)
	}
}

// TestDeleteMakesNoFile, whatever is missing.
func TestDeleteMakesNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, at := range []string{"sqlite:none.db", "file:none.txt"} {
		if code, _, errs := try(t, "", "delete", at, "1", "--yes"); code != exitNotFound || !strings.Contains(errs, "no such file") {
			t.Errorf("%s: exit code %d\n%s", at, code, errs)
		}
	}
	if made, err := os.ReadDir("."); err != nil || len(made) > 0 {
		t.Errorf("files were made: %v, %v", made, err)
	}
	if code, _, errs := try(t, "", "delete", "memory:", "1", "--yes"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// meddler is a store in which something happens before a swap, and between two deletes.
type meddler struct {
	*secretstore.Store
	beforeSwap   func(id string)
	beforeDelete func(id string) error
}

func (m *meddler) SwapToken(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (tokenstore.Noted, bool, error) {
	if m.beforeSwap != nil {
		m.beforeSwap(old.ID)
	}
	return m.Store.SwapToken(ctx, old, next, note)
}

func (m *meddler) DeleteToken(ctx context.Context, id string) error {
	if m.beforeDelete != nil {
		if err := m.beforeDelete(id); err != nil {
			return err
		}
	}
	return m.Store.DeleteToken(ctx, id)
}

func (m *meddler) DeleteUnchanged(ctx context.Context, tokens []tokenstore.OAuthToken) []error {
	faults := make([]error, len(tokens))
	for i, token := range tokens {
		if m.beforeSwap != nil {
			m.beforeSwap(token.ID)
		}
		if m.beforeDelete != nil {
			faults[i] = m.beforeDelete(token.ID)
		}
		if faults[i] == nil {
			faults[i] = m.Store.DeleteUnchanged(ctx, []tokenstore.OAuthToken{token})[0]
		}
	}
	return faults
}

// TestDeleteLeavesWhatHasChanged: a user who logs in between the question and the answer
// keeps the new token.
func TestDeleteLeavesWhatHasChanged(t *testing.T) {
	var store *secretstore.Store
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &meddler{Store: s, beforeSwap: func(id string) {
			if id == "2" {
				_, _ = store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "2", RefreshToken: "fake-refresh-of-a-new-login"})
			}
		}}
	}, numbered("1", "2", "3")...)
	code, out, errs := try(t, "", "delete", at, "1", "2", "3", "--yes")
	if code != exitIncomplete || !strings.Contains(out, "3 tokens: 2 deleted, 1 changed meanwhile") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "2")
}

// TestDeleteSaysWhatWasDone: one token fails, and the rest is done; an interruption leaves
// the rest, and says so.
func TestDeleteSaysWhatWasDone(t *testing.T) {
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &meddler{Store: s, beforeDelete: func(id string) error {
			if id == "2" {
				return &tokenstore.Error{Op: "delete token", Kind: tokenstore.ErrDenied}
			}
			return nil
		}}
	}, numbered("1", "2", "3")...)
	code, out, errs := try(t, "", "delete", at, "1", "2", "3", "--yes")
	if code != exitFault || !strings.Contains(out, "3 tokens: 2 deleted, 1 failed") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "2")

	ctx, cancel := context.WithCancel(t.Context())
	at, store = kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &meddler{Store: s, beforeDelete: func(id string) error {
			if id == "2" {
				cancel()
				return context.Canceled
			}
			return nil
		}}
	}, numbered("1", "2", "3")...)
	var stdout, stderr bytes.Buffer
	code = run(ctx, []string{"delete", at, "1", "2", "3", "--yes"}, strings.NewReader(""), &stdout, &stderr)
	if code != exitFault || !strings.Contains(stdout.String(), "3 tokens: 1 deleted, 2 not tried") || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("interrupted: exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	holds(t, store, "2", "3")
}

// TestDeleteLooksWhatItHasDone when it is interrupted before the reply to a deletion came.
func TestDeleteLooksWhatItHasDone(t *testing.T) {
	for verb, says := range map[string]string{"delete": "2 tokens: 1 deleted, 1 not tried", "revoke": "2 tokens: 1 revoked and deleted, 1 not tried"} {
		ctx, cancel := context.WithCancel(t.Context())
		var store *secretstore.Store
		at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
			return &meddler{Store: s, beforeDelete: func(id string) error {
				cancel()
				return errors.Join(store.DeleteToken(t.Context(), id), context.Canceled)
			}}
		}, numbered("1", "2")...)
		var out, errs bytes.Buffer
		c := Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Revoke: func(context.Context, tokenstore.OAuthToken) error { return nil }}
		if code := c.Run(ctx, []string{verb, at, "1", "2", "--yes"}); code != exitFault || !strings.Contains(out.String(), says) || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("%s: exit code %d\n%s%s", verb, code, out.String(), errs.String())
		}
		holds(t, store, "2")
	}
}

// TestRevokeSaysWhatIsRevoked: that the provider has ended a token which is still stored, and
// that nobody knows whether it has.
func TestRevokeSaysWhatIsRevoked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &meddler{Store: s, beforeDelete: func(string) error { return &tokenstore.Error{Op: "delete token", Kind: tokenstore.ErrDenied} }}
	}, numbered("1", "2")...)
	var out, errs bytes.Buffer
	c := Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Revoke: func(_ context.Context, token tokenstore.OAuthToken) error {
		if token.ID == "2" {
			cancel()
		}
		return ctx.Err()
	}}
	code := c.Run(ctx, []string{"revoke", at, "1", "2", "--yes"})
	for _, says := range []string{"revoked; delete token: denied", "interrupted, and whether it was revoked is not known"} {
		if code != exitFault || !strings.Contains(out.String(), says) {
			t.Errorf("exit code %d, want %q\n%s%s", code, says, out.String(), errs.String())
		}
	}
	holds(t, store, "1", "2")
}

// TestDeleteOfADamagedToken: what cannot be read is named with its fault, and can be deleted.
func TestDeleteOfADamagedToken(t *testing.T) {
	t.Parallel() // A store reads a damaged secret again for seconds.
	secrets := memory.New()
	tokenstore.Register("damaged", func(context.Context, *url.URL) (tokenstore.OpenStore, error) { return secretstore.New(secrets) })
	store, err := secretstore.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), numbered("1")[0]); err != nil {
		t.Fatal(err)
	}
	secrets.Edit("tokenstore/tokens/1", []byte(`{"id":"1","generation":"9"`))
	if _, err := store.FindTokenByID(t.Context(), "1"); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Fatalf("the token is not damaged: %v", err)
	}
	code, out, errs := try(t, "", "delete", "damaged:", "1", "--yes")
	if code != exitOK || !strings.Contains(out, "1 token: 1 deleted") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store)
}

func TestDeleteWantsToKnowWhat(t *testing.T) {
	for _, args := range [][]string{{"delete"}, {"delete", "memory:"}, {"delete", "memory:", "1", "--user", "u"}, {"delete", "memory:", "--user", ""}} {
		if code, _, errs := try(t, "", append(args, "--yes")...); code != exitUsage {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
	if code, out, _ := try(t, "", "__complete", "delete", "memory:", ""); code != exitOK || strings.Contains(out, "sqlite") {
		t.Errorf("an ID is completed as %q", out)
	}
}
