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
)

const memory = ":memory:"

func init() { tokenstore.Register("sqlite", openURL) }

// OpenSQLite opens the SQLite file at path, and creates it with mode 0600 if
// there is none. The path ":memory:" is a new database in memory, which ends
// when the store is closed. Close the store after use.
func OpenSQLite(ctx context.Context, path string, options ...Option) (*Store, error) {
	c, err := configure(options)
	if err != nil {
		return nil, failure("open", "", nil, err)
	}
	if path == "" {
		return nil, failure("open", "", nil, fmt.Errorf("%w: the path is empty", tokenstore.ErrInvalidArgument))
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
		if err := cmp.Or(provide(path), mayRead(path)); err != nil {
			return nil, failure("open", "", nil, err)
		}
		if c.readOnly || !mayWrite(path) {
			if err := mayLook(ctx, path); err != nil {
				return nil, failure("open", "", sqliteDialect{}, err)
			}
		}
	}
	connector, err := newConnector(source, c.busyTimeout)
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
		return fmt.Errorf("%w: the path is a symbolic link to nothing", tokenstore.ErrInvalidArgument)
	}
	return nil
}

// requireFile returns an error, which matches fs.ErrNotExist too, if there is no
// file, and another if it is a folder or the like, or its own is missing.
func requireFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%w: a regular file is needed", tokenstore.ErrInvalidArgument)
	case !errors.Is(err, fs.ErrNotExist):
		return pathError(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return pathError(err)
	}
	return absentError("there is no such file")
}

// absentError says that there is nothing to read. It matches
// tokenstore.ErrInvalidArgument and fs.ErrNotExist.
type absentError string

func (e absentError) Error() string { return string(e) }

func (e absentError) Is(target error) bool {
	return target == tokenstore.ErrInvalidArgument || target == fs.ErrNotExist
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
		err = fmt.Errorf("%w: the journal mode is WAL, and to look would leave files beside the database that its owner cannot write; "+
			"look as the file's owner, or at a copy", tokenstore.ErrDenied)
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

// pathError returns the reason without the path: a path that came from a URL is
// not quoted.
func pathError(err error) error {
	var reason error
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		reason = p.Err
	case errors.As(err, &l):
		reason = l.Err
	default:
		reason = err
	}
	switch {
	case errors.Is(reason, fs.ErrPermission):
		return fmt.Errorf("%w: %w", tokenstore.ErrDenied, reason)
	case errors.Is(reason, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no such folder", tokenstore.ErrInvalidArgument)
	}
	return fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, reason)
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
		return "", nil, invalid("there is no host in it: write sqlite:tokens.db or sqlite:/folder/tokens.db")
	}
	if u.Fragment != "" {
		return "", nil, invalid("a # in a path is written %23")
	}
	path = u.Path
	if u.Opaque != "" {
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			return "", nil, invalid("the path is malformed")
		}
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", nil, invalid("it needs a path: write sqlite:tokens.db or sqlite::memory:")
	}
	query := u.Query()
	if query.Has(paramTable) {
		options = append(options, WithTable(query.Get(paramTable)))
	}
	if query.Has(paramBusy) {
		d, err := time.ParseDuration(query.Get(paramBusy))
		if err != nil {
			return "", nil, invalid(paramBusy + " is a duration such as 5s")
		}
		options = append(options, WithBusyTimeout(d))
	}
	for name, option := range map[string]func() Option{paramUpgrade: WithUpgrade, paramRead: WithReadOnly} {
		if !query.Has(name) {
			continue
		}
		on, err := strconv.ParseBool(query.Get(name))
		if err != nil {
			return "", nil, invalid(name + " is true or false")
		}
		if on {
			options = append(options, option())
		}
	}
	return path, options, nil
}
