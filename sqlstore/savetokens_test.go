package sqlstore_test

import (
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstoretest"
)

func TestSaveTokensSavesAllOrNone(t *testing.T) {
	s := open(t, newPath(t))
	first := save(t, s, full("u1", "1"))
	changed := tokenstore.OAuthToken{UserName: "u1", AccessToken: "access-changed"}
	saved, err := s.SaveTokens(t.Context(), []tokenstore.OAuthToken{full("u2", "2"), changed, full("u2", "3")})
	if err != nil || len(saved) != 3 {
		t.Fatalf("%d tokens, %v", len(saved), err)
	}
	if saved[1].ID != first.ID || saved[2].ID != saved[0].ID {
		t.Errorf("IDs %s and %s, want those of the users' first tokens, %s and %s", saved[1].ID, saved[2].ID, first.ID, saved[0].ID)
	}
	rows := all(t, s)
	if len(rows) != 2 || rows[0] != saved[1] || rows[1] != saved[2] {
		t.Errorf("stored are %v, want %v", rows, saved[1:])
	}
	if _, err := s.SaveTokens(t.Context(), []tokenstore.OAuthToken{full("u4", "4"), {UserName: "no secrets"}}); !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("with one that cannot be saved: %v", err)
	}
	if n := len(all(t, s)); n != 2 {
		t.Errorf("%d rows after a save that failed, want 2", n)
	}
}

// TestSaveTokensIsSaveTokenManyTimes has a trigger that refuses a token after its row
// was written, as a constraint of a foreign table may.
func TestSaveTokensIsSaveTokenManyTimes(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	rowstoretest.SaveTokens(t, rounds, func(t *testing.T) rowstoretest.Batcher {
		db := raw(t, ":memory:")
		db.SetMaxOpenConns(1)
		s := over(t, db)
		run(t, db,
			"create trigger refuse_new after insert on oauthtoken when new.refresh_token = 'refused' begin select raise(abort, 'fake'); end",
			"create trigger spoil_old after update on oauthtoken when new.refresh_token = 'refused' begin update oauthtoken set user_name = 'other' where id = new.id; end")
		return s
	})
}

// TestSaveTokensEndsWithTheTransaction has a trigger that rolls the transaction back:
// what follows in the batch must not be saved by itself.
func TestSaveTokensEndsWithTheTransaction(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u1", "1"))
	run(t, raw(t, path), "create trigger refuse before insert on oauthtoken when new.user_name = 'u3' begin select raise(rollback, 'fake'); end")
	_, err := s.SaveTokens(t.Context(), []tokenstore.OAuthToken{full("u2", "2"), full("u3", "3"), full("u4", "4")})
	if !errors.Is(err, tokenstore.ErrInvalidToken) || !strings.Contains(err.Error(), "save token 2 of 3") {
		t.Errorf("%v, want ErrInvalidToken for the second", err)
	}
	if n := len(all(t, s)); n != 1 {
		t.Errorf("%d rows, want 1: %v", n, err)
	}
	save(t, s, full("u5", "5"))
}
