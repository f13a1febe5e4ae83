package gcpsm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/tokenstore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// fakeToken returns a token of a user, every value of it a fake.
func fakeToken(user string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "1000.CLIENT", ClientSecret: "fake-secret",
		RefreshToken: "1000.refresh." + user, AccessToken: "1000.access." + user, GrantToken: "1000.grant." + user,
	}
}

func ignore[T any](_ T, err error) error { return err }

// dying is a client of a process that ends after some calls: the last one is
// carried out and its reply never read, or it is never sent.
type dying struct {
	gcpsm.API
	left    int
	carried bool
}

// errDead is no answer that would be worth another try.
var errDead = status.Error(codes.Unauthenticated, "the process has ended")

func dies[In, Out any](d *dying, ctx context.Context, do func(context.Context, In, ...gax.CallOption) (Out, error), in In, options []gax.CallOption) (Out, error) { //nolint:revive // The context follows the process.
	var none Out
	d.left--
	switch {
	case d.left > 0:
		return do(ctx, in, options...)
	case d.left == 0 && d.carried:
		_, _ = do(ctx, in, options...)
	}
	return none, errDead
}

func (d *dying) AccessSecretVersion(ctx context.Context, in *secretmanagerpb.AccessSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return dies(d, ctx, d.API.AccessSecretVersion, in, options)
}

func (d *dying) AddSecretVersion(ctx context.Context, in *secretmanagerpb.AddSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return dies(d, ctx, d.API.AddSecretVersion, in, options)
}

func (d *dying) DestroySecretVersion(ctx context.Context, in *secretmanagerpb.DestroySecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return dies(d, ctx, d.API.DestroySecretVersion, in, options)
}

func (d *dying) CreateSecret(ctx context.Context, in *secretmanagerpb.CreateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return dies(d, ctx, d.API.CreateSecret, in, options)
}

func (d *dying) GetSecret(ctx context.Context, in *secretmanagerpb.GetSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return dies(d, ctx, d.API.GetSecret, in, options)
}

func (d *dying) UpdateSecret(ctx context.Context, in *secretmanagerpb.UpdateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return dies(d, ctx, d.API.UpdateSecret, in, options)
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

// TestCrash ends a process at every call of every operation. The next one
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

// crash runs one operation in a process that ends at a call, and reports
// whether it ended before the operation did.
func crash(t *testing.T, c change, at int, carried bool) bool {
	w := newWorld(t, gcpsmtest.Real())
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
	client, err := w.client()
	if err != nil {
		t.Fatal(err)
	}
	process, err := gcpsm.New(&dying{client, at, carried}, project, w.options()...)
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
		t.Fatalf("crash at call %d: no error, and nothing has happened", at)
	}
	for _, user := range []string{"ada", "bob"} {
		if !present(t, after, fakeToken(user)) && (user == "bob" || !happened) {
			t.Fatalf("crash at call %d (carried out: %v): the token of %s is not as before", at, carried, user)
		}
	}
	if err := c.do(t.Context(), after); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		t.Fatalf("crash at call %d (carried out: %v): done again: %v", at, carried, err)
	}
	if !c.done(t, after) {
		t.Fatalf("crash at call %d (carried out: %v): done again, it has not happened", at, carried)
	}
	return died
}
