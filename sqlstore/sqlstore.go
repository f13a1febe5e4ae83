// Package sqlstore keeps tokens in the table of the Zoho CRM SDKs, through
// database/sql. A SQLite file is the embedded default; no server and no cgo is
// needed. MySQL and MariaDB are the SDKs' own databases.
//
//	store, err := sqlstore.OpenSQLite(ctx, "tokens.db")
//
// [New] takes a database that the caller opened. tokenstore.Open takes the URLs
// "sqlite:tokens.db", "sqlite:/var/lib/app/tokens.db" and "sqlite::memory:",
// with the parameters table, busy_timeout (a duration such as 5s), upgrade and
// readonly (true or false), and those of MySQL, below.
//
// # The table
//
// The table is called oauthtoken and has ten columns: id, user_name, client_id,
// client_secret, refresh_token, access_token, grant_token, expiry_time,
// redirect_url, api_domain. An SDK may use it at the same time: its rows and
// columns keep their form, and no column is added. The store also creates what the SDKs
// do not look at:
//
//   - indices whose names begin with "tokenstore_", so that a find does not
//     read the whole table;
//   - a table tokenstore_notes with the notes of tokens (see tokenstore.Swapper), created
//     with the first note. A note that belongs to another content of a row, because an
//     SDK has written it since, does not count;
//   - a table tokenstore_ids with the highest number that ever was an ID. The
//     table of tokens cannot remember it, since deleted rows are gone, and an ID
//     that is used again would let an old reference find another user's token.
//     If it is removed, it is created again, and starts at the highest number
//     that is left.
//
// One of the indices is partial and over an expression: from then on, every program
// that opens the file needs SQLite 3.9 (of 2015) or newer.
//
// Generated IDs are decimal numbers, one higher than the highest so far, as with the
// SDKs. IDs that are not numbers are left alone.
//
// Older and other forms of the table, with other names of columns (such as user_mail for
// user_name, or expires_in for expiry_time) or without some of them, are read and written
// as they are. Saving a value that has no column gives an
// error that matches tokenstore.ErrInvalidToken, and stores nothing. [WithUpgrade]
// changes such a table to the current form.
//
// Empty and NULL are the same when read; NULL is written. In SQLite, the oldest token is
// the one with the lowest rowid.
//
// # MySQL and MariaDB
//
// The URL is "mysql://db.example.com:3306/zohooauth?user=app", or "mariadb:", and
// [OpenMySQL] takes the driver's own configuration. The server must be MySQL 5.7 or
// MariaDB 10.2, or newer; the tests run on MariaDB 10.11. Beside the parameters of every
// table a URL has
//
//   - user, and defaults_file, an option file of MySQL such as my.cnf, whose group
//     [client] may hold user, password, host, port, socket, database and ssl-ca. A
//     password is never in the URL: without one in the file, it is that of the
//     environment variable MYSQL_PWD;
//   - socket, the path of a Unix socket, instead of a host;
//   - tls (true or false) and ca, a file with the certificates of the authorities that
//     count. Without tls, the connection is encrypted and the server verified unless it is
//     on this machine.
//
// The table must have the engine InnoDB, and its column id must be the primary key or
// have a unique index. The account needs SELECT, INSERT, UPDATE and DELETE, and CREATE
// and INDEX once, unless the tables are there: opening the store with an account that may
// create them is enough. A table that the store creates holds IDs of up to 700 characters
// and tokens of any length; in a table that an SDK's documentation creates, the sizes and
// character sets of its columns hold, and a value that does not fit gives an error that
// matches tokenstore.ErrTooLarge or tokenstore.ErrInvalidToken, and stores nothing.
//
// Keys and IDs are compared byte for byte, as everywhere, even if the collation of a
// column ignores case, accents or spaces at the end, as most do. The SDKs compare by
// that collation. If it is the reason why a unique index refuses an ID, the save gives an
// error that matches tokenstore.ErrInvalidToken.
//
// Beside tokenstore_ids and tokenstore_notes, which are created with the table, there is a
// table tokenstore_rows with the order of rows, which nothing in the SDKs' table tells.
// The rows of an SDK come after those that the store knows, in the order of the numbers
// that are their IDs.
//
// Writers take turns, by a lock on the table's row in tokenstore_ids, and their reads lock
// what they read, so that an SDK's statement waits. It can be the victim of a deadlock, as
// beside another SDK; the store's own transactions are retried until the busy timeout is
// over. So is one whose connection is lost. If that happens while it is committed, the
// outcome is unknown: the error matches tokenstore.ErrUnavailable and says that the change
// may or may not have happened; it has happened wholly or not at all.
//
// A connection keeps up to 32 prepared statements, until it or the store is closed. The server
// counts those of all its clients (max_prepared_stmt_count): with hundreds of processes, raise
// that limit.
//
// The store cannot erase what the server keeps of deleted and replaced credentials: InnoDB
// removes them from its files in its own time, and the server's binary log, its backups
// and its replicas keep them longer.
//
// # Files
//
// A new file has mode 0600, and so do the files that SQLite creates beside it; the mode
// and the journal mode of an existing file do not change, even if others may read it,
// which [WithLogger] and [Store.Warnings] report. Several processes may use one
// file. A writer waits for the others as long as its context and [WithBusyTimeout]
// allow. Reading does not need write permission.
//
// Reading a SQLite database in WAL mode creates two side files (-wal and -shm); they
// are removed the next time its owner closes it. If another user created them, the
// owner could not write them: on Unix, OpenSQLite refuses with tokenstore.ErrDenied
// to open such a database for reading only, unless the process runs as the file's
// owner or as root. Read it as the owner then, or read a copy.
//
// What is deleted or replaced is overwritten with zeros. In WAL mode that happens at
// SQLite's next checkpoint, and until then the old values are in the -wal file. A
// delete runs a checkpoint that empties it, unless readers block it for more than a
// second; deleting again retries. A save leaves the checkpoint to SQLite. A database
// that the caller opened keeps its own settings for all this.
//
// Close a store before its file is moved or replaced, for example to restore a
// backup. A store that stays open keeps finding what was in the old file until it is
// closed and opened again; its saves fail or, in WAL mode, go into the old file and
// are lost with it.
//
// # Errors
//
// Errors match the sentinels of package tokenstore, and the driver's error with
// errors.As. Their text has the database's code and what to do, but never its
// own message: a trigger's may hold a credential. A busy database is unavailable, and
// so, until it is opened again, is one whose file was moved or replaced; a full disk
// is tokenstore.ErrQuota; a database that may only be read is denied, and so is a
// delete that a trigger prevents; a file that is damaged or not a database is
// unreadable. A row that cannot be read is unreadable too, and named by its rowid, or in
// MySQL by its ID.
//
// An expiry that cannot be understood does not make a row unreadable: it is taken
// as unknown, stays in the table until a save brings a new one or another access
// token, and is in [Store.Warnings], as is white space around a credential.
package sqlstore

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/pause"
)

// Store is a tokenstore.Store over one table. It is safe for concurrent use by
// goroutines and, if the database is, by processes.
type Store struct {
	db      *sql.DB
	owned   bool   // Close closes db.
	path    string // of a file that the store opened itself
	address string // what tells the table of a server that the store connects to from others
	dialect dialect
	config  config

	// writing holds a value during a write: writers of one process queue here, in order, instead of polling for the database's lock.
	writing chan struct{}
	// table is the form of the table, read when the store was opened.
	table atomic.Pointer[table]
	// statements are those that are prepared.
	statements statements
	// ready says that indices and counter are there.
	ready atomic.Bool
	// closed says that Close was called.
	closed atomic.Bool
}

var (
	_ tokenstore.OpenStore = (*Store)(nil)
	_ tokenstore.Exister   = (*Store)(nil)
	_ tokenstore.Pinger    = (*Store)(nil)
	_ tokenstore.Warner    = (*Store)(nil)
)

// New returns a store over a database that the caller opened, and creates the
// table if there is none. It does not change the settings of db, and never
// closes it. With SQLite, a db for ":memory:" must be limited to one connection
// (db.SetMaxOpenConns), since each connection has a memory of its own.
func New(ctx context.Context, db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	c, err := configure(options)
	if err != nil {
		return nil, failure("open", "", nil, err)
	}
	if db == nil || dialect.of == nil {
		return nil, failure("open", "", nil, errNoDatabase)
	}
	s := &Store{db: db, dialect: dialect.of, config: c, writing: make(chan struct{}, 1)}
	if err := s.setUp(ctx); err != nil {
		return nil, s.failed(ctx, "open", "", err)
	}
	return s, nil
}

// Close closes the database if the store opened it itself, and otherwise only the
// statements that the store has prepared.
// Afterwards the store's methods return errors that match
// tokenstore.ErrInvalidArgument. Closing it again is no error.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.statements.close()
	if !s.owned {
		return nil
	}
	return failure("close", "", s.dialect, s.db.Close())
}

// access is how a call uses the table.
type access int

const (
	alone   access = iota // with one query, which sees one state of the table
	reading               // in a transaction that reads
	writing
)

// transaction runs do in one transaction and commits it if do returns nil. It
// retries if others hold the database, until the busy timeout is over, so that do may
// run several times.
func (s *Store) transaction(ctx context.Context, write bool, do func(*rows) error) error {
	if write {
		return s.call(ctx, writing, do)
	}
	return s.call(ctx, reading, do)
}

// call is transaction, or runs do without one.
func (s *Store) call(ctx context.Context, a access, do func(*rows) error) error {
	if s.closed.Load() {
		return errClosed
	}
	write := a == writing
	if write && s.config.readOnly {
		return errReadOnly
	}
	if write {
		select {
		case s.writing <- struct{}{}:
			defer func() { <-s.writing }()
		case <-ctx.Done():
			return ctx.Err()
		}
		if !s.ready.Load() {
			if err := s.prepare(ctx); err != nil {
				return err
			}
		}
	}
	s.statements.prepare(ctx, s.db)
	err := s.repeat(ctx, a, do)
	if err == nil || !s.dialect.outdated(err) {
		return err
	}
	// Somebody may have changed the table, or removed what the store keeps beside
	// it, since it was looked at.
	if changed, lookErr := s.lookAgain(ctx, write); lookErr != nil || !changed {
		return err
	}
	return s.repeat(ctx, a, do)
}

// repeat runs attempts until one does not fail because of others.
func (s *Store) repeat(ctx context.Context, a access, do func(*rows) error) error {
	end := time.Now().Add(s.config.busyTimeout)
	for n := 0; ; n++ {
		err := s.attempt(ctx, a, do)
		if err != nil && s.dialect.forgotten(err) {
			s.statements.drop()
		}
		if err == nil || !s.dialect.busy(err) || time.Now().After(end) {
			return err
		}
		if err := backOff(ctx, n); err != nil {
			return err
		}
	}
}

func (s *Store) attempt(ctx context.Context, a access, do func(*rows) error) error {
	r := &rows{ctx: ctx, store: s, table: s.table.Load()}
	if a == alone {
		return do(r)
	}
	tx, err := s.db.BeginTx(ctx, s.dialect.isolation(a == writing))
	if err != nil {
		return told(s.dialect, err)
	}
	defer func() { _ = tx.Rollback() }() // After a commit it does nothing.
	r.tx = tx
	if a != writing {
		return do(r)
	}
	statement, args := s.dialect.claim(s.config.table)
	// There may be no such table yet.
	if err := r.exec(statement, args...); err != nil && !s.dialect.outdated(err) {
		return err
	}
	if err := do(r); err != nil {
		return err
	}
	if err := r.finish(); err != nil {
		return err
	}
	return committed(s.dialect, tx.Commit())
}

const (
	firstPause = time.Millisecond
	lastPause  = 64 * time.Millisecond
)

// backOff waits before the attempt after the nth, longer each time.
func backOff(ctx context.Context, n int) error {
	d := lastPause
	if n < 6 {
		d = firstPause << n
	}
	return pause.For(ctx, d)
}
