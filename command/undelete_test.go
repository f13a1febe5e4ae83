package command

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/secretstore"
)

// onAWS registers the scheme "aws", whose stores are on AWS's fake, and saves tokens.
func onAWS(t *testing.T, wrap func(*secretstore.Store) tokenstore.OpenStore, tokens ...tokenstore.OAuthToken) (string, *secretstore.Store) {
	t.Helper()
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	open := func() (*secretstore.Store, error) { return awssm.New(service, awssm.WithClock(clock.Now, clock.Sleep)) }
	tokenstore.Register("aws", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		s, err := open()
		if err != nil || wrap == nil {
			return s, err
		}
		return wrap(s), nil
	})
	store, err := open()
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	return "aws:", store
}

func TestUndelete(t *testing.T) {
	at, store := onAWS(t, nil, numbered("1", "2", "3")...)
	if code, out, errs := try(t, "", "delete", at, "1", "2", "--yes"); code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs := try(t, "", "undelete", at, "1", "3", "--dry-run")
	if code != exitOK || !strings.Contains(out, "1 would be tried, 1 already there (dry run: nothing was changed)") {
		t.Errorf("a dry run: exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "3")
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "9", UserName: "user2", RefreshToken: "fake-refresh-of-a-new-login"}); err != nil {
		t.Fatal(err)
	}
	code, out, errs = try(t, "", "undelete", at, "1", "2", "3", "never")
	if code != exitIncomplete || !strings.Contains(out, "4 tokens: 1 undeleted, 1 left alone, 1 already there, 1 not kept") || !strings.Contains(out, "backup") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "1", "3", "9")
	if code, out, errs := try(t, "", "find", at, "--user", "user1", "--json"); code != exitOK || !strings.Contains(out, `"id": "1"`) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := try(t, "", "undelete", at, "never", "--json"); code != exitNotFound || outcomeOf(t, out).Outcome != outcomeNotKept {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestUndeleteSaysWhyNot where nothing is kept.
func TestUndeleteSaysWhyNot(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	if err := store.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	file := "file:" + fixture(t, pythonFile)
	for _, at := range []string{at, file} {
		code, out, errs := try(t, "", "undelete", at, "nobody")
		if code != exitNotFound || !strings.Contains(out, "keeps nothing of a deleted token") {
			t.Errorf("%s: exit code %d\n%s%s", at, code, out, errs)
		}
	}
	if code, _, errs := try(t, "", "undelete", "memory:", "1"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if code, _, errs := try(t, "", "undelete", "memory:"); code != exitUsage {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// unluckyUndeletes are interrupted at the second.
type unluckyUndeletes struct {
	*secretstore.Store
	n         int
	interrupt func()
}

func (u *unluckyUndeletes) UndeleteToken(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	if u.n++; u.n == 2 {
		u.interrupt()
	}
	return u.Store.UndeleteToken(ctx, id)
}

// TestUndeleteSaysWhatWasDone before it was interrupted, and another run finishes it.
func TestUndeleteSaysWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at, store := onAWS(t, func(s *secretstore.Store) tokenstore.OpenStore { return &unluckyUndeletes{Store: s, interrupt: cancel} }, numbered("1", "2", "3")...)
	if err := errors.Join(store.DeleteToken(t.Context(), "1"), store.DeleteToken(t.Context(), "2"), store.DeleteToken(t.Context(), "3")); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(ctx, []string{"undelete", at, "1", "2", "3"}, strings.NewReader(""), &out, &errs)
	if code != exitFault || !strings.Contains(out.String(), "3 tokens: 1 undeleted, 1 failed, 1 not tried") || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	code, again, stderr := try(t, "", "undelete", at, "1", "2", "3")
	if code != exitOK || !strings.Contains(again, "1 already there, 2 undeleted") {
		t.Errorf("again: exit code %d\n%s%s", code, again, stderr)
	}
	holds(t, store, "1", "2", "3")
}
