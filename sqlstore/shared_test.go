package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"example.com/tokenstore"
)

// sdkWriter runs what the SDK's sample store runs on the table: a look-up that
// reads by position, an update, an insert with the next number.
type sdkWriter struct {
	t  *testing.T
	db *sql.DB
}

// row returns the first row of a user, read by position.
func (w sdkWriter) row(user string) (cells [10]sql.NullString, ok bool) {
	w.t.Helper()
	pointers := make([]any, len(cells))
	for i := range cells {
		pointers[i] = &cells[i]
	}
	err := w.db.QueryRow("select * from oauthtoken where user_name='" + user + "' limit 1").Scan(pointers...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		w.t.Error(err)
	}
	return cells, err == nil
}

func (w sdkWriter) save(id, user, tail string) {
	w.t.Helper()
	if _, ok := w.row(user); ok {
		w.run("update oauthtoken set access_token='access-" + tail + "', expiry_time='1763900000000' where user_name='" + user + "'")
		return
	}
	w.run("insert into oauthtoken(id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain) values (?,?,?,?,?,?,?,?,?,?)",
		id, user, "client-"+tail, "secret-"+tail, "refresh-"+tail, "access-"+tail, nil, "1763900000000", nil, "https://www.zohoapis.eu")
}

func (w sdkWriter) run(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(statement, args...); err != nil {
		w.t.Errorf("%s: %v", statement, err)
	}
}

// An SDK and the store use one table at the same time, and each sees what the
// other wrote.
func TestTableThatAnSDKUsesAtTheSameTime(t *testing.T) {
	path := newPath(t)
	w := sdkWriter{t, raw(t, path, "_pragma=busy_timeout(60000)")}
	run(t, w.db, sdkTable)
	s := open(t, path)
	const rounds = 20
	var group sync.WaitGroup
	group.Go(func() {
		for i := range rounds {
			w.save(fmt.Sprint("sdk", i), fmt.Sprint("sdk-", i), fmt.Sprint("sdk-", i))
			w.save("", fmt.Sprint("sdk-", i), fmt.Sprint("changed-", i))
		}
	})
	group.Go(func() {
		for i := range rounds {
			if _, err := s.SaveToken(context.Background(), full(fmt.Sprint("go-", i), fmt.Sprint("go-", i))); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	for i := range rounds {
		got := find(t, s, tokenstore.OAuthToken{UserName: fmt.Sprint("sdk-", i)})
		if want := fmt.Sprint("access-changed-", i); got.AccessToken != want || got.ID != fmt.Sprint("sdk", i) {
			t.Errorf("the store reads %v of the SDK, want access token %s", got, want)
		}
		cells, ok := w.row(fmt.Sprint("go-", i))
		if want := fmt.Sprint("go-", i); !ok || cells[1].String != want || cells[4].String != "refresh-"+want || cells[7].String != "1763900000000" || cells[9].String != "https://www.zohoapis.eu" {
			t.Errorf("the SDK reads %v", cells)
		}
	}
	// The SDK changes and deletes what the store wrote, and the other way round.
	w.save("", "go-1", "by-the-sdk")
	if got := find(t, s, tokenstore.OAuthToken{AccessToken: "access-by-the-sdk"}); got.UserName != "go-1" {
		t.Errorf("found %v", got)
	}
	save(t, s, tokenstore.OAuthToken{UserName: "sdk-1", AccessToken: "access-by-go"})
	if cells, _ := w.row("sdk-1"); cells[5].String != "access-by-go" || cells[7].Valid {
		t.Errorf("the SDK reads %v", cells)
	}
	w.run("delete from oauthtoken")
	if n := len(all(t, s)); n != 0 {
		t.Errorf("%d tokens, want none", n)
	}
}
