package sqlstore_test

import (
	"errors"
	"testing"

	"example.com/tokenstore"
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
