package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// maybe is how an error says that a change may have happened.
const maybe = "may or may not have happened"

// A writer saves a new token of one user again and again, and knows what must be stored.
type writer struct {
	user        string
	calls, lost int
	// stored is what the last save that returned has stored, and perhaps what those
	// since may have stored.
	stored  string
	perhaps []string
	fault   error
}

// write saves until the context ends.
func (w *writer) write(ctx context.Context, s tokenstore.Store) {
	for n := 0; ctx.Err() == nil && w.fault == nil; n++ {
		tail := fmt.Sprintf("%s-%d", w.user, n)
		saved, err := s.SaveToken(context.WithoutCancel(ctx), full(w.user, tail))
		w.calls++
		switch {
		case err == nil:
			w.stored, w.perhaps = tail, nil
			if saved.AccessToken != "access-"+tail {
				w.fault = fmt.Errorf("the save of %s returned %v", tail, saved)
			}
		case !errors.Is(err, tokenstore.ErrUnavailable) || !tokenstore.Retryable(err):
			w.fault = err
		case strings.Contains(err.Error(), maybe):
			w.lost++
			w.perhaps = append(w.perhaps, tail)
		}
	}
}

// check finds the writer's token: the last one that returned, or a later one that may have
// happened, whole.
func (w *writer) check(t *testing.T, s tokenstore.Store) {
	t.Helper()
	if w.fault != nil {
		t.Errorf("%s: %v", w.user, w.fault)
		return
	}
	got, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: w.user})
	if w.stored == "" && errors.Is(err, tokenstore.ErrNotFound) {
		return
	}
	must(t, err)
	tail := strings.TrimPrefix(got.AccessToken, "access-")
	want := full(w.user, tail)
	want.ID = got.ID
	possible := tail == w.stored
	for _, p := range w.perhaps {
		possible = possible || tail == p
	}
	if got != want || !possible {
		t.Errorf("%s: found %v with %s; stored was %q, perhaps %q", w.user, got, tail, w.stored, w.perhaps)
	}
}

// TestKilledConnections ends the connections of two stores at random moments.
func TestKilledConnections(t *testing.T) {
	t.Parallel()
	const kills = 150
	d := newDatabase(t)
	stores := []*sqlstore.Store{d.open(t), d.open(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	var writers []*writer
	for i := range 6 {
		w := &writer{user: fmt.Sprint("u", i)}
		writers = append(writers, w)
		all.Go(func() { w.write(ctx, stores[i%2]) })
	}
	killer := d.connect(t, "")
	killed := 0
	for end := time.Now().Add(time.Minute); killed < kills && time.Now().Before(end); {
		time.Sleep(time.Duration(mathrand.IntN(int(15 * time.Millisecond)))) // #nosec G404 -- no secret.
		var id int64
		err := killer.QueryRowContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID() ORDER BY command = 'Sleep', RAND() LIMIT 1", d.name).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		must(t, err)
		if _, err := killer.ExecContext(ctx, fmt.Sprint("KILL CONNECTION ", id)); err == nil { // It may have ended.
			killed++
		}
	}
	cancel()
	all.Wait()
	calls, lost := 0, 0
	for _, w := range writers {
		w.check(t, stores[0])
		calls, lost = calls+w.calls, lost+w.lost
	}
	if killed < kills/2 || calls == 0 {
		t.Errorf("only %d connections were ended, in %d calls", killed, calls)
	}
	t.Logf("%d connections ended; %d calls, of which %d may or may not have happened", killed, calls, lost)
}

// TestKilledServer kills the server while a store writes, and starts it again.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	d := server.database(t)
	s := d.open(t)
	var writers []*writer
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 4 {
			w := &writer{user: fmt.Sprint("u", round, "-", i)}
			writers = append(writers, w)
			all.Go(func() { w.write(ctx, s) })
		}
		time.Sleep(300*time.Millisecond + time.Duration(mathrand.IntN(int(200*time.Millisecond)))) // #nosec G404 -- no secret.
		server.kill(t)
		time.Sleep(100 * time.Millisecond)
		server.start(t)
		time.Sleep(300 * time.Millisecond)
		cancel()
		all.Wait()
		for _, w := range writers {
			w.check(t, s)
		}
	}
	calls, lost := 0, 0
	for _, w := range writers {
		calls, lost = calls+w.calls, lost+w.lost
	}
	if calls < 12 {
		t.Errorf("only %d calls", calls)
	}
	t.Logf("%d calls, of which %d may or may not have happened", calls, lost)
}

// TestDeadlocks has two stores and writers that lock rows as the SDKs do, a statement a
// transaction, or several in the opposite order: no save of the stores fails, and no field
// that somebody set is lost.
func TestDeadlocks(t *testing.T) {
	t.Parallel()
	const rounds = 40
	d := older(t, sdkTable)
	stores := []*sqlstore.Store{d.open(t), d.open(t)}
	for i := range 4 {
		save(t, stores[0], full(fmt.Sprint("u", i), fmt.Sprint(i)))
	}
	var all sync.WaitGroup
	fail := make(chan error, 16)
	for i, s := range stores {
		all.Go(func() {
			for n := range rounds {
				var batch []tokenstore.OAuthToken
				for u := range 4 {
					batch = append(batch, tokenstore.OAuthToken{UserName: fmt.Sprint("u", (u+n+i)%4), AccessToken: fmt.Sprint("access-", i, "-", n)})
				}
				if _, err := s.SaveTokens(t.Context(), append(batch, full(fmt.Sprint("new-", i, "-", n), fmt.Sprint(i, "-", n)))); err != nil {
					fail <- err
					return
				}
			}
		})
	}
	raw := d.raw(t)
	refused := 0
	all.Go(func() { // an SDK
		for n := range rounds * 4 {
			if _, err := raw.ExecContext(t.Context(), "update oauthtoken set grant_token = ? where user_name = ? limit 1", fmt.Sprint("grant-", n/4), fmt.Sprint("u", n%4)); err != nil {
				refused++ // A deadlock may choose the SDK's statement, which fails as it would with another SDK.
			}
			if _, err := raw.ExecContext(t.Context(), "insert into oauthtoken (id, user_name) values (?, ?)", fmt.Sprint("py", n), fmt.Sprint("py", n)); err != nil {
				refused++
			}
		}
	})
	all.Go(func() { // a program that locks many rows
		for range rounds {
			tx, err := raw.BeginTx(t.Context(), nil)
			if err != nil {
				fail <- err
				return
			}
			for _, u := range []string{"u3", "u1", "u2", "u0"} {
				if _, err = tx.ExecContext(t.Context(), "update oauthtoken set redirect_url = 'r' where user_name = ?", u); err != nil {
					refused++
					break
				}
			}
			_ = tx.Commit()
		}
	})
	all.Wait()
	close(fail)
	for err := range fail {
		t.Error(err)
	}
	seen := map[string]bool{}
	tokens, err := stores[0].GetTokens(t.Context())
	must(t, err)
	for _, token := range tokens {
		if seen[token.UserName] || seen["id "+token.ID] {
			t.Errorf("twice: %v", token)
		}
		seen[token.UserName], seen["id "+token.ID] = true, true
	}
	for i := range stores {
		for n := range rounds {
			if !seen[fmt.Sprint("new-", i, "-", n)] {
				t.Errorf("new-%d-%d is lost", i, n)
			}
		}
	}
	for u := range 4 {
		if got := find(t, stores[1], tokenstore.OAuthToken{UserName: fmt.Sprint("u", u)}); got.RefreshToken != fmt.Sprint("refresh-", u) || !strings.HasSuffix(got.AccessToken, fmt.Sprint("-", rounds-1)) {
			t.Errorf("found %v", got)
		}
	}
	t.Logf("%d statements of others were refused", refused)
}

// TestLockedTable has another program hold a row for longer than the busy timeout.
func TestLockedTable(t *testing.T) {
	t.Parallel()
	d := older(t, sdkTable)
	s := d.open(t, sqlstore.WithBusyTimeout(time.Second))
	saved := save(t, s, full("u1", "1"))
	tx, err := d.raw(t).BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "update oauthtoken set redirect_url = 'r' where id = '1'")
	must(t, err)
	start := time.Now()
	_, err = s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u1", AccessToken: "hush"})
	wantError(t, err, tokenstore.ErrUnavailable, "another connection holds the table")
	if took := time.Since(start); took > 15*time.Second || strings.Contains(err.Error(), maybe) {
		t.Errorf("%v after %v", err, took)
	}
	if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got != saved { // Readers do not wait.
		t.Errorf("found %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.SaveToken(ctx, tokenstore.OAuthToken{UserName: "u1", AccessToken: "hush"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	must(t, tx.Commit())
	if got := save(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"}); got.RedirectURL != "r" {
		t.Errorf("saved %v", got)
	}
}
