// Crashes of a whole process over an adapter's fake service, including the adapter's own
// calls, which crashes at the driver's level do not show.

package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// Token returns a token of a user, with fake values only.
func Token(user string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "1000.CLIENT", ClientSecret: "fake-secret",
		RefreshToken: "1000.refresh." + user, AccessToken: "1000.access." + user, GrantToken: "1000.grant." + user,
	}
}

// change is one operation: the stored tokens before and after it.
type change struct {
	name string
	do   func(context.Context, *secretstore.Store) error
	// done reports whether the operation has happened; the test fails if it has happened
	// only in part.
	done func(t testing.TB, s *secretstore.Store) bool
}

// Present reports whether the user of want has a stored token that is the same, except for
// the ID. The test fails if a stored token is not found by each of its keys.
func Present(t testing.TB, s *secretstore.Store, want tokenstore.OAuthToken) bool {
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
	renewed, rotated, adopted := Token("ada"), Token("ada"), Token("owner")
	renewed.AccessToken = "1000.access.renewed"
	rotated.AccessToken, rotated.RefreshToken = "1000.access.rotated", "1000.refresh.rotated"
	adopted.RefreshToken, adopted.GrantToken = "1000.refresh.", "1000.grant."
	saving := func(token tokenstore.OAuthToken) change {
		return change{
			do:   func(ctx context.Context, s *secretstore.Store) error { return save(ctx, s, token) },
			done: func(t testing.TB, s *secretstore.Store) bool { return Present(t, s, token) },
		}
	}
	named := func(name string, c change) change { c.name = name; return c }
	return []change{
		named("insert", saving(Token("new"))),
		named("refresh", saving(renewed)),
		named("rotate", saving(rotated)),
		named("adopt", saving(adopted)),
		named("insert again", saving(Token("gone"))),
		{
			name: "delete",
			do: func(ctx context.Context, s *secretstore.Store) error {
				ada, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada"})
				if err != nil {
					return err
				}
				return s.DeleteToken(ctx, ada.ID)
			},
			done: func(t testing.TB, s *secretstore.Store) bool { return !Present(t, s, Token("ada")) },
		},
	}
}

// Crash ends a process at every call of every operation. The next process must find every
// token by each of its keys. The operation must have happened completely or not at all,
// and must succeed when it is repeated.
func Crash(t *testing.T, newWorld func(t testing.TB, clock *drivertest.Clock) World) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			points := 0
			for _, carried := range []bool{false, true} {
				for at := 1; crash(t, newWorld(t, drivertest.NewClock()), c, at, carried); at++ {
					points++
				}
			}
			t.Logf("%d crashes", points)
		})
	}
}

// crash runs one operation in a process that ends at a call, and reports whether the
// process ended before the operation did.
func crash(t *testing.T, w World, c change, at int, carried bool) bool {
	t.Helper()
	before := opened(t)(w.Store())
	for _, user := range []string{"ada", "bob", "gone", ""} {
		if err := save(t.Context(), before, Token(user)); err != nil {
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
	died := c.do(t.Context(), opened(t)(w.Dying(at, carried))) != nil
	w.Clock.Advance(time.Minute)
	after := opened(t)(w.Store())
	happened := c.done(t, after)
	if !died && !happened {
		t.Fatalf("crash at call %d: no error, but nothing has happened", at)
	}
	for _, user := range []string{"ada", "bob"} {
		if !Present(t, after, Token(user)) && (user == "bob" || !happened) {
			t.Fatalf("crash at call %d (call took effect: %v): the token of %s is not as before", at, carried, user)
		}
	}
	if err := c.do(t.Context(), after); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		t.Fatalf("crash at call %d (call took effect: %v): repeated: %v", at, carried, err)
	}
	if !c.done(t, after) {
		t.Fatalf("crash at call %d (call took effect: %v): repeated, the operation has not happened", at, carried)
	}
	return died
}

func opened(t *testing.T) func(*secretstore.Store, error) *secretstore.Store {
	return func(s *secretstore.Store, err error) *secretstore.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func save(ctx context.Context, s *secretstore.Store, token tokenstore.OAuthToken) error {
	_, err := s.SaveToken(ctx, token)
	return err
}
