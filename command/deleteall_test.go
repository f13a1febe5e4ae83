package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

func TestDeleteAll(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2", "3")...)
	if code, out, errs := try(t, "", "delete-all", at); code != exitUsage || out != "" || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes: exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := try(t, "", "delete-all", at, "--dry-run"); code != exitOK || !strings.Contains(out, "3 tokens: 3 would be deleted (dry run: nothing was changed)") {
		t.Errorf("a dry run: exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "1", "2", "3")
	var report changes
	code, out, errs := try(t, "", "delete-all", at, "--yes", "--json")
	err := json.Unmarshal([]byte(out), &report)
	slices.SortFunc(report.Tokens, func(a, b change) int { return strings.Compare(a.ID, b.ID) })
	want := []change{{ID: "1", User: "user1", Outcome: "deleted"}, {ID: "2", User: "user2", Outcome: "deleted"}, {ID: "3", User: "user3", Outcome: "deleted"}}
	if err != nil || code != exitOK || !slices.Equal(report.Tokens, want) {
		t.Errorf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	holds(t, store)
	if code, out, errs := try(t, "", "delete-all", at, "--yes"); code != exitOK || out != "the store has no tokens\n" {
		t.Errorf("again: exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := try(t, "", "delete-all", at, "--yes", "--json"); code != exitOK || !strings.Contains(out, `"tokens": []`) {
		t.Errorf("again: exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := try(t, "", "delete-all", "memory:", "--yes"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("of nothing: exit code %d\n%s", code, errs)
	}
}

// TestDeleteAllOfFiles deletes more tokens than are deleted together, while it reads them.
func TestDeleteAllOfFiles(t *testing.T) {
	n := 2*deleteTogether + 7
	var lines strings.Builder
	lines.WriteString("id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n")
	for i := range n {
		fmt.Fprintf(&lines, "%d,u%d,CLIENTAAAA,cs-fake,fake-refresh%d,fake-access%d,,,,\n", i+1, i+1, i+1, i+1)
	}
	from := source(t, "tokens.txt", lines.String())
	db := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	if code, _, errs := try(t, "", "import", from, "--to", db); code != exitOK {
		t.Fatal(errs)
	}
	for _, at := range []string{from, db} {
		code, out, errs := try(t, "", "delete-all", at, "--yes")
		if code != exitOK || !strings.Contains(out, fmt.Sprintf("\n%d tokens: %d deleted\n", n, n)) {
			t.Errorf("%s: exit code %d\n%.300s%s", at, code, out, errs)
		}
		if code, out, errs := try(t, "", "delete-all", at, "--yes"); code != exitOK || out != "the store has no tokens\n" {
			t.Errorf("%s again: exit code %d\n%.300s%s", at, code, out, errs)
		}
	}
}

// stages is a store in which something happens before each reading of all tokens, and before
// each deletion.
type stages struct {
	*secretstore.Store
	readings     int
	secondly     func()
	beforeDelete func()
}

func (s *stages) Tokens(ctx context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	if s.readings++; s.readings == 2 && s.secondly != nil {
		s.secondly()
	}
	return s.Store.Tokens(ctx)
}

func (s *stages) DeleteUnchanged(ctx context.Context, tokens []tokenstore.OAuthToken) []error {
	if s.beforeDelete != nil {
		s.beforeDelete()
	}
	return s.Store.DeleteUnchanged(ctx, tokens)
}

// TestDeleteAllLeavesWhatWasNotCounted: what is changed, saved or deleted after the count.
func TestDeleteAllLeavesWhatWasNotCounted(t *testing.T) {
	var store *secretstore.Store
	busy := true
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		if !busy {
			return s
		}
		return &stages{Store: s, secondly: func() {
			_, err1 := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "2", AccessToken: "fake-access-of-a-program"})
			_, err2 := store.SaveToken(t.Context(), numbered("9")[0])
			err3 := store.DeleteToken(t.Context(), "3")
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Error(err)
			}
		}, beforeDelete: func() {
			if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "4", RefreshToken: "fake-refresh-of-a-new-login"}); err != nil {
				t.Error(err)
			}
		}}
	}, numbered("1", "2", "3", "4")...)
	code, out, errs := try(t, "", "delete-all", at, "--yes")
	if code != exitIncomplete {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	for _, says := range []string{"1   user1  deleted\n", "2   user2  changed meanwhile  after the count\n", "3   user3  not there\n", "4   user4  changed meanwhile  look at it", "9   user9  left alone         it was saved after the count\n"} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	holds(t, store, "2", "4", "9")
	busy = false
	if code, out, errs := try(t, "", "delete-all", at, "--yes"); code != exitOK || !strings.Contains(out, "3 tokens: 3 deleted") {
		t.Errorf("again: exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store)
}

// TestDeleteAllSaysWhatWasDone before it was interrupted.
func TestDeleteAllSaysWhatWasDone(t *testing.T) {
	for what, c := range map[string]struct {
		delete int // how many of the first three are deleted when the interruption comes
		says   string
	}{
		"before anything": {0, "4 tokens: 4 not tried"},
		"after two":       {2, "4 tokens: 2 deleted, 2 not tried"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var store *secretstore.Store
		at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
			return &stages{Store: s, beforeDelete: func() {
				for _, id := range []string{"1", "2", "3"}[:c.delete] {
					if err := store.DeleteToken(t.Context(), id); err != nil {
						t.Error(err)
					}
				}
				cancel() // As if the reply to these deletions had been lost.
			}}
		}, numbered("1", "2", "3", "4")...)
		var out, errs bytes.Buffer
		code := run(ctx, []string{"delete-all", at, "--yes"}, strings.NewReader(""), &out, &errs)
		if code != exitFault || !strings.Contains(out.String(), c.says) || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("%s: exit code %d\n%s%s", what, code, out.String(), errs.String())
		}
	}
}

// TestAFaultIsToldBesideWhatIsToDecide: that a token was left alone does not hide that the verb
// was interrupted, or failed.
func TestAFaultIsToldBesideWhatIsToDecide(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var store *secretstore.Store
	at, store := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
		return &stages{Store: s, secondly: func() {
			if _, err := store.SaveToken(t.Context(), numbered("9")[0]); err != nil {
				t.Error(err)
			}
		}, beforeDelete: cancel}
	}, numbered("1", "2")...)
	var out, errs bytes.Buffer
	code := run(ctx, []string{"delete-all", at, "--yes"}, strings.NewReader(""), &out, &errs)
	if code != exitFault || !strings.Contains(out.String(), "left alone") || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	fault := errors.New("the store failed")
	for _, c := range []struct {
		err  error
		rest error
	}{
		{&incompleteError{}, nil},
		{errors.Join(&incompleteError{}, nil), nil},
		{errors.Join(errors.Join(&incompleteError{}, fault), nil), fault},
		{fault, fault},
	} {
		if rest := beyondIncomplete(c.err); (rest == nil) != (c.rest == nil) || !errors.Is(rest, c.rest) {
			t.Errorf("beyond %v there is %v", c.err, rest)
		}
	}
}
