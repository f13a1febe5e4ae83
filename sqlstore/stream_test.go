package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// withRows returns the path of a database with n tokens, whose IDs are 1 to n.
func withRows(t *testing.T, n int) (string, *sqlstore.Store) {
	t.Helper()
	path := newPath(t)
	store := open(t, path)
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		tokens[i] = full(fmt.Sprint("u", i+1), fmt.Sprint(i+1))
	}
	if _, err := store.SaveTokens(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	return path, store
}

// counted ranges over Tokens, does something after each token, and returns how often each
// ID was yielded.
func counted(t *testing.T, store *sqlstore.Store, do func(n int)) map[string]int {
	t.Helper()
	yielded := map[string]int{}
	n := 0
	for token, err := range store.Tokens(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		yielded[token.ID]++
		n++
		do(n)
	}
	return yielded
}

func once(t *testing.T, yielded map[string]int, ids ...int) {
	t.Helper()
	for _, id := range ids {
		if n := yielded[strconv.Itoa(id)]; n != 1 {
			t.Errorf("the token %d is yielded %d times", id, n)
		}
	}
	for id, n := range yielded {
		if n > 1 {
			t.Errorf("the token %s is yielded %d times", id, n)
		}
	}
}

// TestASlowReaderKeepsNoWriterWaiting has another program write between any two tokens,
// in the journal mode in which a reader's transaction would keep it from committing.
func TestASlowReaderKeepsNoWriterWaiting(t *testing.T) {
	path, store := withRows(t, 1100)
	writer := open(t, path, sqlstore.WithBusyTimeout(time.Millisecond))
	db := raw(t, path)
	if _, err := db.Exec("PRAGMA journal_mode=DELETE"); err != nil {
		t.Fatal(err)
	}
	counted(t, store, func(n int) {
		if n%100 != 0 {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := writer.SaveToken(ctx, tokenstore.OAuthToken{ID: "1", AccessToken: fmt.Sprint("access-new-", n)}); err != nil {
			t.Errorf("after %d tokens: %v", n, err)
		}
	})
}

// TestATokenThatGoesAndComesBackIsYieldedOnce deletes a token that was yielded, and saves it
// again: its row is now the last one.
func TestATokenThatGoesAndComesBackIsYieldedOnce(t *testing.T) {
	_, store := withRows(t, 1100)
	yielded := counted(t, store, func(n int) {
		if n != 300 {
			return
		}
		token := full("u7", "7")
		token.ID = "7"
		if err := store.DeleteToken(t.Context(), "7"); err != nil {
			t.Error(err)
		}
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
	once(t, yielded, 7, 8, 1099, 1100)
}

// TestRowsThatGetOtherPlacesAreYielded has somebody rebuild the table while the tokens are
// read, which gives all rows other rowids: those after the place of the reader are others
// then.
func TestRowsThatGetOtherPlacesAreYielded(t *testing.T) {
	path, store := withRows(t, 1600)
	db := raw(t, path)
	yielded := counted(t, store, func(n int) {
		if n != 700 {
			return
		}
		for _, statement := range []string{
			"DELETE FROM oauthtoken WHERE rowid <= 600",
			"CREATE TABLE rebuilt AS SELECT * FROM oauthtoken ORDER BY rowid", "DROP TABLE oauthtoken", "ALTER TABLE rebuilt RENAME TO oauthtoken",
		} {
			if _, err := db.Exec(statement); err != nil {
				t.Error(err)
			}
		}
		var first int64
		if err := db.QueryRow("SELECT min(rowid) FROM oauthtoken").Scan(&first); err != nil || first != 1 {
			t.Errorf("the first rowid is %d, %v: the test shows nothing", first, err)
		}
	})
	ids := make([]int, 0, 1000)
	for id := 601; id <= 1600; id++ {
		ids = append(ids, id)
	}
	once(t, yielded, ids...)
}

// TestTokensAroundRowsThatCannotBeRead: each yields an error, and the others follow, also
// beyond a page that has no other row.
func TestTokensAroundRowsThatCannotBeRead(t *testing.T) {
	path, store := withRows(t, 1100)
	db := raw(t, path)
	if _, err := db.Exec("UPDATE oauthtoken SET access_token = x'ff' WHERE rowid BETWEEN 401 AND 1099"); err != nil {
		t.Fatal(err)
	}
	tokens, faults := 0, 0
	for _, err := range store.Tokens(t.Context()) {
		switch {
		case err == nil:
			tokens++
		case errors.Is(err, tokenstore.ErrUnreadable):
			faults++
		default:
			t.Fatal(err)
		}
	}
	if tokens != 401 || faults != 699 {
		t.Errorf("%d tokens and %d errors, want 401 and 699", tokens, faults)
	}
}
