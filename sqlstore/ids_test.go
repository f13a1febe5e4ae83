package sqlstore_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

func TestIDsAreCountedAsNumbers(t *testing.T) {
	s := open(t, newPath(t))
	for i := 1; i <= 12; i++ {
		got := save(t, s, full(fmt.Sprintf("user-%d", i), fmt.Sprint(i)))
		if want := fmt.Sprint(i); got.ID != want {
			t.Fatalf("insert %d: ID %q, want %q", i, got.ID, want)
		}
	}
}

// An ID that comes again would let an old reference find a stranger's token.
func TestIDsAreNeverUsedAgain(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	s := open(t, path)
	next := func(want string) {
		t.Helper()
		if got := save(t, s, full("user-"+want, want)); got.ID != want {
			t.Fatalf("ID %q, want %q", got.ID, want)
		}
	}
	remove := func(id string) {
		t.Helper()
		if err := s.DeleteToken(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	next("1")
	next("2")
	remove("2")
	next("3")

	// After a restart.
	remove("3")
	_ = s.Close()
	s = open(t, path)
	next("4")

	// After the table was emptied, by this store and by another program.
	if err := s.DeleteTokens(ctx); err != nil {
		t.Fatal(err)
	}
	next("5")
	run(t, raw(t, path), "delete from oauthtoken")
	next("6")

	// What another program inserted, and this store deleted.
	run(t, raw(t, path), "insert into oauthtoken (id, access_token) values ('40', 'a40')")
	remove("40")
	next("41")

	run(t, raw(t, path), "insert into oauthtoken (id, access_token) values ('45', 'a45')")
	if err := s.DeleteTokens(ctx); err != nil {
		t.Fatal(err)
	}
	next("46")

	// What a caller chose.
	save(t, s, tokenstore.OAuthToken{ID: "0050", AccessToken: "a50"})
	run(t, raw(t, path), "delete from oauthtoken")
	next("51")
}

func TestIDsThatAreNoNumbersAreLeftAlone(t *testing.T) {
	s := open(t, newPath(t))
	foreign := []string{"abc", "python_x_eu_1f2e", "-7", "+8", "9a", "1.5", "9e5", " 9", "٩", "99999999999999999999", "9223372036854775807"}
	for _, id := range foreign {
		save(t, s, tokenstore.OAuthToken{ID: id, AccessToken: "access-" + id})
	}
	if got := save(t, s, full("u", "u")).ID; got != "1" {
		t.Errorf("ID %q, want 1", got)
	}
	for _, id := range foreign {
		if got, err := s.FindTokenByID(context.Background(), id); err != nil || got.AccessToken != "access-"+id {
			t.Errorf("ID %q: %v, %v", id, got, err)
		}
	}
}

func TestIDsOfTwoTablesAreCountedApart(t *testing.T) {
	path := newPath(t)
	a, b := open(t, path), open(t, path, sqlstore.WithTable("other"))
	save(t, a, full("u1", "1"))
	if got := save(t, b, full("u1", "1")).ID; got != "1" {
		t.Errorf("ID %q, want 1", got)
	}
	if n := len(all(t, a)); n != 1 {
		t.Errorf("%d tokens in the first table, want 1", n)
	}
}
