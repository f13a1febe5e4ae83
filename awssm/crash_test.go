package awssm_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
)

// dying is a process that ends after some requests: the last one is carried out
// and its reply never read, or it is never sent.
type dying struct {
	inner   *awssmtest.Service
	left    int
	carried bool
}

var errDead = errors.New("the process has ended")

func (d *dying) Do(r *http.Request) (*http.Response, error) {
	d.left--
	switch {
	case d.left > 0:
		return d.inner.Do(r)
	case d.left == 0 && d.carried:
		if reply, err := d.inner.Do(r); err == nil {
			_ = reply.Body.Close()
		}
	}
	return nil, errDead
}

// change is one operation, from what is stored before to what is stored after.
type change struct {
	name string
	do   func(context.Context, *tokenstore.SecretStore) error
	// done reports whether the operation has happened; it fails if it has
	// happened in part.
	done func(t *testing.T, s *tokenstore.SecretStore) bool
}

func present(t *testing.T, s *tokenstore.SecretStore, want tokenstore.OAuthToken) bool {
	t.Helper()
	got, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: want.UserName})
	if errors.Is(err, tokenstore.ErrNotFound) {
		return false
	} else if err != nil {
		t.Fatal(err)
	}
	byRefresh := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: got.RefreshToken}
	byGrant := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", GrantToken: got.GrantToken}
	for _, query := range []tokenstore.OAuthToken{byRefresh, byGrant, {AccessToken: got.AccessToken}} {
		if found, err := s.FindToken(t.Context(), query); err != nil || found != got {
			t.Errorf("a stored token is not found by each of its keys: %v", err)
		}
	}
	want.ID = got.ID
	return got == want
}

func changes() []change {
	renewed, rotated, adopted := fakeToken("ada"), fakeToken("ada"), fakeToken("owner")
	renewed.AccessToken = "1000.access.renewed"
	rotated.AccessToken, rotated.RefreshToken = "1000.access.rotated", "1000.refresh.rotated"
	adopted.RefreshToken, adopted.GrantToken = "1000.refresh.", "1000.grant."
	save := func(token tokenstore.OAuthToken) change {
		return change{
			do:   func(ctx context.Context, s *tokenstore.SecretStore) error { return ignore(s.SaveToken(ctx, token)) },
			done: func(t *testing.T, s *tokenstore.SecretStore) bool { return present(t, s, token) },
		}
	}
	named := func(name string, c change) change { c.name = name; return c }
	return []change{
		named("insert", save(fakeToken("new"))),
		named("refresh", save(renewed)),
		named("rotate", save(rotated)),
		named("adopt", save(adopted)),
		named("insert again", save(fakeToken("gone"))),
		{
			name: "delete",
			do: func(ctx context.Context, s *tokenstore.SecretStore) error {
				ada, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada"})
				if err != nil {
					return err
				}
				return s.DeleteToken(ctx, ada.ID)
			},
			done: func(t *testing.T, s *tokenstore.SecretStore) bool { return !present(t, s, fakeToken("ada")) },
		},
	}
}

// TestCrash ends a process at every request of every operation. The next one
// finds every token by each of its keys, and the operation has happened wholly
// or not at all; done again, it succeeds.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			points := 0
			for _, carried := range []bool{false, true} {
				for at := 1; crash(t, c, at, carried); at++ {
					points++
				}
			}
			t.Logf("%d crashes", points)
		})
	}
}

// crash runs one operation in a process that ends at a request, and reports
// whether it ended before the operation did.
func crash(t *testing.T, c change, at int, carried bool) bool {
	w := newWorld(awssmtest.Real())
	before, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ada", "bob", "gone", ""} {
		if err := ignore(before.SaveToken(t.Context(), fakeToken(user))); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := before.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "gone"})
	if err == nil {
		err = before.DeleteToken(t.Context(), gone.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	client := w.service.Client(func(o *secretsmanager.Options) {
		o.HTTPClient, o.Retryer = &dying{w.service, at, carried}, aws.NopRetryer{}
	})
	process, err := awssm.New(client, w.options()...)
	if err != nil {
		t.Fatal(err)
	}
	died := c.do(t.Context(), process) != nil
	w.clock.Advance(time.Minute)
	after, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	happened := c.done(t, after)
	if !died && !happened {
		t.Fatalf("crash at request %d: no error, and nothing has happened", at)
	}
	for _, user := range []string{"ada", "bob"} {
		if !present(t, after, fakeToken(user)) && (user == "bob" || !happened) {
			t.Fatalf("crash at request %d (carried out: %v): the token of %s is not as before", at, carried, user)
		}
	}
	if err := c.do(t.Context(), after); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		t.Fatalf("crash at request %d (carried out: %v): done again: %v", at, carried, err)
	}
	if !c.done(t, after) {
		t.Fatalf("crash at request %d (carried out: %v): done again, it has not happened", at, carried)
	}
	return died
}
