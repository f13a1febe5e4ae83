package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// over returns a store over a database that the test opened.
func over(t *testing.T, db *sql.DB, options ...sqlstore.Option) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(context.Background(), db, sqlstore.SQLite(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fault checks that err is of a kind, and that the driver's error is within.
func fault(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%v, want %v", err, kind)
	}
	if e := (*sqlite.Error)(nil); !errors.As(err, &e) {
		t.Errorf("the driver's error is not reachable: %v", err)
	}
	if e := (*tokenstore.Error)(nil); !errors.As(err, &e) || e.Store != "sqlstore" {
		t.Errorf("not an error of a store: %v", err)
	}
	if got, want := tokenstore.Retryable(err), errors.Is(kind, tokenstore.ErrUnavailable); got != want {
		t.Errorf("retryable is %t: %v", got, err)
	}
	if err != nil && strings.Contains(err.Error(), "refresh-") {
		t.Errorf("the error holds a value: %v", err)
	}
}

func TestBusy(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	s := open(t, path, sqlstore.WithBusyTimeout(20*time.Millisecond))
	db := raw(t, path)
	db.SetMaxOpenConns(1)
	run(t, db, "begin immediate")
	_, err := s.SaveToken(ctx, full("u", "1"))
	fault(t, err, tokenstore.ErrUnavailable)
	if _, err := s.GetTokens(ctx); err != nil {
		t.Errorf("a reader waits for a writer: %v", err)
	}
	run(t, db, "commit", "begin exclusive")
	_, err = s.FindToken(ctx, tokenstore.OAuthToken{UserName: "u"})
	fault(t, err, tokenstore.ErrUnavailable)
	run(t, db, "commit")
	save(t, s, full("u", "1"))
}

// A call that waits for others ends with its context.
func TestWaitingEndsWithTheContext(t *testing.T) {
	path := newPath(t)
	s := open(t, path, sqlstore.WithBusyTimeout(time.Hour))
	direct := over(t, raw(t, path), sqlstore.WithBusyTimeout(time.Hour)) // The driver does not wait here.
	db := raw(t, path)
	db.SetMaxOpenConns(1)
	run(t, db, "begin exclusive")
	for name, call := range map[string]func(context.Context) error{
		"find":        func(ctx context.Context) error { _, err := s.FindTokenByID(ctx, "1"); return err },
		"save":        func(ctx context.Context) error { _, err := s.SaveToken(ctx, full("u", "1")); return err },
		"save direct": func(ctx context.Context) error { _, err := direct.SaveToken(ctx, full("u", "1")); return err },
		"list direct": func(ctx context.Context) error { _, err := direct.GetTokens(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || tokenstore.Retryable(err) {
			t.Errorf("%s: %v, want the context's error", name, err)
		}
		cancel()
	}
	// One that waits for a writer of the same store, too.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	for range 2 {
		go func() { _, err := s.SaveToken(ctx, full("u", "1")); ended <- err }()
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the context's error", err)
		}
	}
	run(t, db, "commit")
	if n := len(all(t, s)); n != 0 {
		t.Errorf("%d tokens were saved", n)
	}
}

// The pool of one connection is never thrown away with the tokens in it.
func TestCancelledCallsLeaveTheMemoryWhole(t *testing.T) {
	s := open(t, ":memory:")
	save(t, s, full("stays", "stays"))
	var group sync.WaitGroup
	for i := range 200 {
		ctx, cancel := context.WithCancel(context.Background())
		group.Go(func() {
			_, err := s.SaveToken(ctx, full(fmt.Sprint("user-", i), fmt.Sprint(i)))
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		group.Go(cancel)
	}
	group.Wait()
	find(t, s, tokenstore.OAuthToken{UserName: "stays"})
	for _, got := range all(t, s) {
		if got.RefreshToken == "" || got.APIDomain == "" {
			t.Errorf("half a token: %v", got)
		}
	}
	save(t, s, full("more", "more"))
}

// Who may only read finds, and is told so when saving.
func TestReadOnly(t *testing.T) {
	ctx := context.Background()
	path := fixture(t) // It has no indices of ours, and none can be made.
	s := over(t, raw(t, path, "mode=ro"))
	if got := find(t, s, tokenstore.OAuthToken{UserName: "学院@zylker.jp:7"}); got.ID != "4" {
		t.Errorf("found %v", got)
	}
	if n := len(all(t, s)); n != 4 {
		t.Errorf("%d tokens, want 4", n)
	}
	_, err := s.SaveToken(ctx, full("u", "1"))
	fault(t, err, tokenstore.ErrDenied)
	fault(t, s.DeleteToken(ctx, "1"), tokenstore.ErrDenied)
	fault(t, s.DeleteTokens(ctx), tokenstore.ErrDenied)

	empty := newPath(t)
	run(t, raw(t, empty), "create table something_else (a)")
	_, err = sqlstore.New(ctx, raw(t, empty, "mode=ro"), sqlstore.SQLite())
	fault(t, err, tokenstore.ErrDenied)
}

func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	open(t, path)
	s := over(t, raw(t, path, "_pragma=max_page_count(12)"))
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = s.SaveToken(ctx, full(fmt.Sprint("user-", i), fmt.Sprint(i)))
	}
	fault(t, err, tokenstore.ErrQuota)
	if err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("it does not say what to do: %v", err)
	}
	if _, err := s.GetTokens(ctx); err != nil {
		t.Error(err)
	}
}

func TestDamagedFile(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	for i := range 50 {
		save(t, s, full(fmt.Sprint("user-", i), fmt.Sprint(i)))
	}
	_ = s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(data); i++ {
		data[i] ^= 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = sqlstore.OpenSQLite(context.Background(), path)
	if err == nil {
		_, err = s.GetTokens(context.Background())
		_ = s.Close()
	}
	fault(t, err, tokenstore.ErrUnreadable)
}

func TestConstraintOfTheTable(t *testing.T) {
	path := newPath(t)
	run(t, raw(t, path), strings.ReplaceAll(sdkTable, "refresh_token varchar(255)", "refresh_token varchar(255) unique"))
	s := open(t, path)
	save(t, s, full("u1", "1"))
	_, err := s.SaveToken(context.Background(), full("u2", "1"))
	fault(t, err, tokenstore.ErrInvalidToken)
	if n := len(all(t, s)); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
}

func TestTableThatVanishes(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	run(t, raw(t, path), "drop table oauthtoken")
	_, err := s.FindTokenByID(context.Background(), "1")
	fault(t, err, tokenstore.ErrUnreadable)
}

// Another program's tidying up costs no save: what the store needs is made
// again.
func TestACounterThatVanishesIsMadeAgain(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u1", "1"))
	db := raw(t, path)
	run(t, db, "drop table tokenstore_ids", "drop index tokenstore_oauthtoken_number")
	if got := save(t, s, full("u2", "2")).ID; got != "2" {
		t.Errorf("ID %q, want 2", got)
	}
	run(t, db, "drop table tokenstore_ids")
	if err := s.DeleteToken(t.Context(), "2"); err != nil {
		t.Error(err)
	}
	if got := save(t, s, full("u3", "3")).ID; got != "3" {
		t.Errorf("ID %q, want 3", got)
	}
	if got := text(t, db, "select count(*) from sqlite_master where name like 'tokenstore%'"); got != "6" {
		t.Errorf("%s indices and tables, want 6", got)
	}
}

// The tokens of a file that was replaced under an open store are not those at
// its path: that is no lack of a permission.
func TestAFileThatIsReplacedIsTold(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file is not replaced")
	}
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u1", "1"))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	_, err = s.SaveToken(t.Context(), full("u2", "2"))
	fault(t, err, tokenstore.ErrUnavailable)
	if err == nil || !strings.Contains(err.Error(), "close the store and open it again") {
		t.Errorf("it does not say what to do: %v", err)
	}
	save(t, open(t, path), full("u2", "2"))
}

func TestNewChangesNothingOfTheDatabase(t *testing.T) {
	db := raw(t, newPath(t), "_pragma=busy_timeout(7)")
	db.SetMaxOpenConns(3)
	s := over(t, db)
	save(t, s, full("u", "1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := db.Stats().MaxOpenConnections; n != 3 {
		t.Errorf("%d connections at most, want 3", n)
	}
	for pragma, want := range map[string]string{"busy_timeout": "7", "synchronous": "2", "secure_delete": "0", "query_only": "0"} {
		if got := text(t, db, "pragma "+pragma); got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
}

func TestNewNeedsADatabase(t *testing.T) {
	ctx := context.Background()
	if _, err := sqlstore.New(ctx, nil, sqlstore.SQLite()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("no database: %v", err)
	}
	if _, err := sqlstore.New(ctx, raw(t, newPath(t)), sqlstore.Dialect{}); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("no dialect: %v", err)
	}
	for _, o := range []sqlstore.Option{
		sqlstore.WithTable(""), sqlstore.WithTable("a b"), sqlstore.WithTable("a`;drop"), sqlstore.WithTable("sqlite_master"),
		sqlstore.WithTable("tokenstore_ids"), sqlstore.WithTable("TokenStore_IDs"), sqlstore.WithTable("1a"),
		sqlstore.WithTable(strings.Repeat("a", 49)), sqlstore.WithBusyTimeout(-1),
	} {
		if _, err := sqlstore.New(ctx, raw(t, newPath(t)), sqlstore.SQLite(), o); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("a bad option: %v", err)
		}
	}
}

// Two stores over one file, over a driver that does not wait for locks.
func TestWritersThatMeet(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			path := newPath(t)
			run(t, raw(t, path), "pragma journal_mode = "+journal)
			stores := []*sqlstore.Store{over(t, raw(t, path)), over(t, raw(t, path)), open(t, path)}
			const users, rounds = 10, 4
			var group sync.WaitGroup
			for i, s := range stores {
				for u := range users {
					group.Go(func() {
						for range rounds {
							if _, err := s.SaveToken(context.Background(), full(fmt.Sprint("user-", u), fmt.Sprint(i))); err != nil {
								t.Error(err)
							}
							if _, err := s.FindToken(context.Background(), tokenstore.OAuthToken{UserName: fmt.Sprint("user-", u)}); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			group.Wait()
			tokens := all(t, stores[0])
			if len(tokens) != users {
				t.Errorf("%d tokens, want %d", len(tokens), users)
			}
			for _, got := range tokens {
				if strings.TrimPrefix(got.AccessToken, "access-") != strings.TrimPrefix(got.RefreshToken, "refresh-") {
					t.Errorf("a mixture of two saves: %s %s", got.AccessToken, got.RefreshToken)
				}
			}
		})
	}
}
