// The options of a store, and their defaults.

package sqlstore

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"example.com/tokenstore"
)

const (
	defaultTable       = "oauthtoken"
	defaultBusyTimeout = 10 * time.Second
	counterTable       = "tokenstore_ids"
)

// Option changes how a store is opened.
type Option func(*config) error

type config struct {
	table       string
	busyTimeout time.Duration
	upgrade     bool
	readOnly    bool
	log         *slog.Logger // nil: nothing is logged.
}

func configure(options []Option) (config, error) {
	c := config{table: defaultTable, busyTimeout: defaultBusyTimeout}
	for _, o := range options {
		if err := o(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// identifier matches the names that a table may have: those that every database
// takes.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,47}$`)

// WithTable names the table; the default is "oauthtoken", as with the SDKs. A
// name has at most 48 ASCII letters, digits and underscores.
func WithTable(name string) Option {
	return func(c *config) error {
		lower := strings.ToLower(name)
		if !identifier.MatchString(name) || strings.HasPrefix(lower, "sqlite_") || strings.HasPrefix(lower, "tokenstore_") {
			return fmt.Errorf("%w: a table's name must be 1 to 48 ASCII letters, digits and underscores, and must not begin with a digit, "+
				"sqlite_ or tokenstore_", tokenstore.ErrInvalidArgument)
		}
		c.table = name
		return nil
	}
}

// WithBusyTimeout sets how long an operation waits for others that use the
// database, if its context does not end earlier; the default is ten seconds.
// After that, the error matches tokenstore.ErrUnavailable.
func WithBusyTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("%w: the busy timeout must not be negative", tokenstore.ErrInvalidArgument)
		}
		c.busyTimeout = d
		return nil
	}
}

// WithUpgrade changes an older form of the table to the present one when the
// store is opened, in one transaction: user_mail becomes user_name, IDs become
// strings, missing columns are added, in the order that the SDKs expect. Programs
// with an SDK that needs the older form cannot use it afterwards. A table with
// columns, indices or triggers that are not known here is refused, so that
// nothing is lost.
func WithUpgrade() Option {
	return func(c *config) error {
		c.upgrade = true
		return nil
	}
}

// WithReadOnly never writes: no table, index or counter is made, an older form
// of the table is not changed, and saves and deletes give an error that matches
// tokenstore.ErrDenied. The table must be there, and so must the file for
// [OpenSQLite], which then opens it for reading only; the error when one is
// missing matches fs.ErrNotExist too. It is for a source to move from. Of a
// database in WAL mode the package comment says what looking leaves beside it,
// and to whom that is refused.
func WithReadOnly() Option {
	return func(c *config) error {
		c.readOnly = true
		return nil
	}
}

// WithLogger sets where [OpenSQLite] reports that users who are neither the file's owner
// nor in its group may read or write it. The default discards it. No credential and no
// path is logged.
func WithLogger(log *slog.Logger) Option {
	return func(c *config) error {
		c.log = log
		return nil
	}
}
