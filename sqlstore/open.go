// Opening a SQLite file, by its path or by a URL. SQLite tells little of what is wrong
// with a file, and makes files where it should not, so that this is looked at first.

package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
)

const memory = ":memory:"

func init() {
	tokenstore.Register("sqlite", openURL)
	tokenstore.Describe("sqlite", tokenstore.Usage{Example: "sqlite:tokens.db", About: "a SQLite file with the SDKs' table", ReadOnly: true})
}

// Policy is a tokenstore.PolicyFunc for all schemes of this package: it returns the policy of a
// role for the store that a URL names. Package command/stores registers it; programs that only
// use a store do not link it.
func Policy(ctx context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	if u.Scheme != "sqlite" {
		return mysqlPolicy(ctx, u, request)
	}
	file := plainfile.Policy(onDisk, "only the owner can read a database in WAL mode (PRAGMA journal_mode), since a reader makes files beside it")
	return file(ctx, u, request)
}

// onDisk returns the path in a URL of a file.
func onDisk(u *url.URL) (string, error) {
	path, _, err := parseURL(u)
	if err == nil && path == memory {
		err = &tokenstore.Error{Op: "policy", Kind: tokenstore.ErrInvalidArgument, Err: errors.New("a database in memory has no rights that could be granted")}
	}
	return path, err
}

// OpenSQLite opens the SQLite file at path, and creates it with mode 0600 if
// there is none. The path ":memory:" is a new database in memory, which ends
// when the store is closed. Close the store after use.
func OpenSQLite(ctx context.Context, path string, options ...Option) (*Store, error) {
	c, err := configure(options)
	if err != nil {
		return nil, failure("open", "", nil, err)
	}
	if path == "" {
		return nil, failure("open", "", nil, fmt.Errorf("%w: the path is empty; name a file, or use :memory: for a database in memory", tokenstore.ErrInvalidArgument))
	}
	if err := ctx.Err(); err != nil {
		return nil, failure("open", "", nil, err)
	}
	source := dataSource(path)
	if path != memory {
		provide := createFile
		if c.readOnly {
			provide, source = requireFile, source+"?mode=ro"
		}
		if err := cmp.Or(provide(path), checkFiles(path), mayRead(path)); err != nil {
			return nil, failure("open", "", nil, err)
		}
		if c.readOnly || !mayWrite(path) {
			if err := mayLook(ctx, path); err != nil {
				return nil, failure("open", "", sqliteDialect{}, err)
			}
		}
	}
	connector, err := newConnector(source, c.busyTimeout, path)
	if err != nil {
		return nil, failure("open", "", sqliteDialect{}, err)
	}
	db := sql.OpenDB(connector)
	limit(db, path)
	s, err := New(ctx, db, SQLite(), options...)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	s.owned = true
	if path != memory {
		s.path = path
	}
	if c.log != nil && s.openToOthers() {
		c.log.WarnContext(ctx, "sqlstore: the database file: "+plainfile.OthersMayUse)
	}
	return s, nil
}

// maxConnections is enough for the readers of one process: there is one writer,
// and a read takes microseconds.
const maxConnections = 8

func limit(db *sql.DB, path string) {
	n := maxConnections
	if path == memory { // Every connection has a memory of its own.
		n = 1
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
}

// dataSource returns the driver's name for a path.
func dataSource(path string) string {
	if path == memory {
		return "file:" + memory
	}
	path = filepath.ToSlash(filepath.Clean(path))
	if path == memory {
		path = "./" + path // It was written otherwise, and is a file.
	}
	if filepath.VolumeName(path) != "" {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}

// createFile creates an empty file with mode 0600 if there is none; SQLite
// gives the files beside it the same mode. The file appears at once with its
// mode. It is never opened under its own name: closing it would drop the locks
// that other connections of this process have on it.
func createFile(path string) error {
	if err := requireFile(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".tokenstore-*")
	if err != nil {
		return pathError(err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	if err := temporary.Close(); err != nil {
		return pathError(err)
	}
	err = os.Link(temporary.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = createDirectly(path) // Some file systems have no links.
	}
	if !errors.Is(err, fs.ErrExist) {
		return pathError(err)
	}
	if _, err := os.Stat(path); err != nil { // Else another was quicker.
		return fmt.Errorf("%w: the path is a dangling symbolic link; create its target or remove it", tokenstore.ErrInvalidArgument)
	}
	return nil
}

// requireFile returns an error that also matches fs.ErrNotExist if there is no such
// file, and another if it is not a regular file or its folder is missing.
func requireFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return errNotRegular
	case !errors.Is(err, fs.ErrNotExist):
		return pathError(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return pathError(err)
	}
	return fsfault.Missing("there is no such file; check the path")
}

// openToOthers reports whether others may read or write the file that the store opened.
func (s *Store) openToOthers() bool { return s.path != "" && plainfile.OpenToOthers(s.path) }

// checkFiles returns an error if what has the name of the database, or of a file that
// SQLite keeps beside it, is there and not a regular file: SQLite would wait for the
// other end of a FIFO for as long as it takes, and watches no context.
func checkFiles(path string) error {
	if path == memory {
		return nil
	}
	target, err := filepath.EvalSymlinks(path) // The files are beside the one that is meant.
	if err != nil {
		return nil //nolint:nilerr // SQLite says what is wrong with the database itself.
	}
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		err := plainfile.Check(target + suffix)
		switch {
		case errors.Is(err, plainfile.ErrNotRegular) && suffix == "":
			return errNotRegular
		case errors.Is(err, plainfile.ErrNotRegular):
			return fmt.Errorf("%w: what is in the place of the file with %s after the database's name is not a regular file; remove it", tokenstore.ErrInvalidArgument, suffix)
		}
	}
	return nil
}

// mayLook returns an error if looking at the database would leave files beside
// it that belong to this process's user: its owner could not write them, and no
// program of the owner's could save any more.
func mayLook(ctx context.Context, path string) error {
	if !foreign(path) {
		return nil
	}
	target, err := filepath.EvalSymlinks(path) // The files are beside the one that is meant.
	if err != nil {
		return pathError(err)
	}
	beside := func(suffix string) bool {
		_, err := os.Stat(target + suffix)
		return err == nil
	}
	if beside("-wal") && beside("-shm") {
		return nil
	}
	wal, err := inWAL(ctx, path)
	if err == nil && wal {
		err = fmt.Errorf("%w: the database is in WAL mode, and reading it would create files beside it that its owner cannot write; "+
			"read it as the file's owner, or read a copy", tokenstore.ErrDenied)
	}
	return err
}

// inWAL reports whether the journal mode of a database is WAL, and makes no
// file. SQLite reads its header: to close it ourselves would drop the locks that
// other connections of this process have on it. Without locks (nolock) there is
// no WAL mode, and SQLite refuses to open such a database.
func inWAL(ctx context.Context, path string) (bool, error) {
	connector, err := sqlite.NewConnector(dataSource(path) + "?mode=ro&nolock=1")
	if err != nil {
		return false, err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	var version int64
	err = db.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version)
	// Other faults are found again, and told, when the database is opened.
	return sqliteCode(err) == sqliteCantOpen, ctx.Err()
}

func createDirectly(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// pathError returns an error of the system without the path: a path that came from
// a URL is not quoted.
func pathError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no such folder; create it first", tokenstore.ErrInvalidArgument)
	}
	return fsfault.Of(err)
}

// The parameters of a URL.
const (
	paramTable   = "table"
	paramBusy    = "busy_timeout"
	paramUpgrade = "upgrade"
	paramRead    = "readonly"
)

func openURL(ctx context.Context, u *url.URL) (tokenstore.OpenStore, error) {
	path, options, err := parseURL(u)
	if err != nil {
		return nil, err
	}
	return OpenSQLite(ctx, path, options...)
}

// parseURL returns what a URL such as "sqlite:tokens.db?table=tokens" says.
func parseURL(u *url.URL) (path string, options []Option, err error) {
	invalid := func(problem string) error {
		return &tokenstore.Error{Op: "open sqlite", Kind: tokenstore.ErrInvalidArgument, Err: errors.New(problem)}
	}
	if err := tokenstore.CheckParams(u, paramTable, paramBusy, paramUpgrade, paramRead); err != nil {
		return "", nil, err
	}
	if u.Host != "" {
		return "", nil, invalid("the URL must not name a host; write sqlite:tokens.db or sqlite:/folder/tokens.db")
	}
	if u.Fragment != "" {
		return "", nil, invalid("the URL must not have a fragment; write # in a path as %23")
	}
	path = u.Path
	if u.Opaque != "" {
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			return "", nil, invalid("the path is malformed; write % in a path as %25")
		}
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", nil, invalid("the URL needs a path, such as sqlite:tokens.db or sqlite::memory:")
	}
	if options, err = tableOptions(u.Query()); err != nil {
		return "", nil, invalid(err.Error())
	}
	return path, options, nil
}

// tableOptions returns the options from the parameters that every database has.
func tableOptions(query url.Values) (options []Option, err error) {
	if query.Has(paramTable) {
		options = append(options, WithTable(query.Get(paramTable)))
	}
	if query.Has(paramBusy) {
		d, err := time.ParseDuration(query.Get(paramBusy))
		if err != nil {
			return nil, errors.New("parameter " + paramBusy + " must be a duration such as 5s")
		}
		options = append(options, WithBusyTimeout(d))
	}
	for name, option := range map[string]func() Option{paramUpgrade: WithUpgrade, paramRead: WithReadOnly} {
		if !query.Has(name) {
			continue
		}
		on, err := strconv.ParseBool(query.Get(name))
		if err != nil {
			return nil, errors.New("parameter " + name + " must be true or false")
		}
		if on {
			options = append(options, option())
		}
	}
	return options, nil
}
