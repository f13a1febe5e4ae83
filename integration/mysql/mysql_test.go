// Package mysql_test shows that package sqlstore keeps its promises on a real server of
// MySQL or MariaDB.
package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(need.Main(m)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// database is a database of its own on the server.
type database struct {
	url  *url.URL
	name string
}

// newDatabase creates a database and drops it at the end of the test.
func newDatabase(t testing.TB) database {
	t.Helper()
	u, err := url.Parse(need.MySQL(t))
	must(t, err)
	name := strings.ReplaceAll(strings.Trim(need.Prefix(t), "/"), "-", "_")
	d := database{url: u, name: name[max(0, len(name)-60):]}
	server := d.connect(t, "")
	run(t, server, "CREATE DATABASE "+d.name)
	t.Cleanup(func() { run(t, server, "DROP DATABASE "+d.name) })
	return d
}

// config is the driver's configuration for a database of the server.
func (d database) config(name string) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", d.url.Host, d.url.Query().Get("user"), os.Getenv("MYSQL_PWD"), name
	return c
}

// connect opens the database as another program would.
func (d database) connect(t testing.TB, name string) *sql.DB {
	t.Helper()
	connector, err := mysql.NewConnector(d.config(name))
	must(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// raw opens this database as another program would.
func (d database) raw(t testing.TB) *sql.DB { return d.connect(t, d.name) }

// at returns the store's URL.
func (d database) at(parameters string) string {
	return "mysql://" + d.url.Host + "/" + d.name + "?user=" + d.url.Query().Get("user") + parameters
}

func (d database) open(t testing.TB, options ...sqlstore.Option) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenMySQL(t.Context(), d.config(d.name), options...)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// text returns the single value of a query, "NULL" if it is NULL.
func text(t testing.TB, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if !s.Valid {
		return "NULL"
	}
	return s.String
}

// TestStore runs the suite for stores. Each case has its own database.
func TestStore(t *testing.T) {
	t.Parallel()
	databases := map[tokenstore.Store]database{}
	open := func(d database) (tokenstore.Store, error) {
		s, err := sqlstore.OpenMySQL(context.Background(), d.config(d.name))
		if err == nil {
			databases[s] = d
		}
		return s, err
	}
	newStore := func(t testing.TB) tokenstore.Store {
		s, err := open(newDatabase(t))
		must(t, err)
		return s
	}
	conformance.Store(t, newStore,
		conformance.WithReopen(func(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) { return open(databases[s]) }),
		conformance.WithForeign(func(ctx context.Context, s tokenstore.Store) (func(context.Context) error, error) {
			return plant(ctx, t, databases[s])
		}),
		conformance.WithKeeping(func(ctx context.Context, s tokenstore.Store) error {
			db := databases[s].connect(t, databases[s].name)
			_, err := db.ExecContext(ctx, "CREATE TRIGGER keep BEFORE DELETE ON oauthtoken FOR EACH ROW SIGNAL SQLSTATE '45000'")
			return err
		}),
		conformance.WithMissing("the store has no secret for each token", "damaged-*", "swapped", "pasted", "edited", "put-back", "expiry-by-hand", "stranger"),
		conformance.WithMissing("the store has no service that answers late", "unseen-*"),
		conformance.WithMissing("an ID has at most 700 characters", "id-long", "id-long-pair"),
		conformance.WithTokens(300))
}

// plant puts foreign data beside the store's own: another table of tokens, another
// program's table, and a column that is not ours.
func plant(ctx context.Context, t testing.TB, d database) (func(context.Context) error, error) {
	connector, err := mysql.NewConnector(d.config(d.name))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{
		"create table other_tokens (id varchar(10) primary key, access_token text, refresh_token text)",
		"insert into other_tokens values ('1', 'foreign access', 'foreign refresh')",
		"create table notes (note text)",
		"insert into notes values ('foreign')",
		"alter table oauthtoken add column note varchar(20) default 'foreign'",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		var n int
		err := db.QueryRowContext(ctx, "select (select count(*) from other_tokens where access_token = 'foreign access' and refresh_token = 'foreign refresh') + "+
			"(select count(*) from notes where note = 'foreign') + (select count(*) from information_schema.columns "+
			"where table_schema = database() and table_name = 'oauthtoken' and column_name = 'note')").Scan(&n)
		if err == nil && n != 3 {
			err = errors.New("foreign rows or columns were changed")
		}
		return err
	}, nil
}

// TestProcesses and TestKill run several processes on one table, and kill one that writes.
func TestProcesses(t *testing.T) {
	need.MySQL(t)
	conformance.Processes(t, 3, openFolder)
}

func TestKill(t *testing.T) {
	need.MySQL(t)
	conformance.Kill(t, 60, openFolder)
}

// openFolder opens the database that is named after a folder, and creates it.
func openFolder(ctx context.Context, folder string) (tokenstore.Store, error) {
	u, err := url.Parse(os.Getenv(need.EnvMySQL))
	if err != nil {
		return nil, err
	}
	d := database{url: u, name: fmt.Sprintf("folder_%x", sum(folder))}
	connector, err := mysql.NewConnector(d.config(""))
	if err != nil {
		return nil, err
	}
	server := sql.OpenDB(connector)
	defer func() { _ = server.Close() }()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+d.name); err != nil {
		return nil, err
	}
	return sqlstore.OpenMySQL(ctx, d.config(d.name))
}

// sum returns a short number for a folder.
func sum(folder string) uint64 {
	var n uint64 = 14695981039346656037
	for i := range len(folder) {
		n = (n ^ uint64(folder[i])) * 1099511628211
	}
	return n
}
