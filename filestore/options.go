// The options of a store.

package filestore

import "log/slog"

// Option changes how a store is opened.
type Option func(*config)

type config struct {
	readOnly bool
	upgrade  bool
	quotes   *bool // nil: as the file shows.
	inPlace  bool
	log      *slog.Logger // nil: nothing is logged.
}

// WithReadOnly opens the file as a source: it must exist, saves and deletes fail with
// an error that matches tokenstore.ErrDenied, and no file is created or changed,
// neither this one nor a lock beside it.
func WithReadOnly() Option { return func(c *config) { c.readOnly = true } }

// WithUpgrade lets a file of the first generation, with six columns, be
// written. The first save or delete gives it the ten columns, and each row its
// number as ID. SDKs of that generation cannot read it afterwards. Without this
// option such a file is read only, since it has no place for an ID.
func WithUpgrade() Option { return func(c *config) { c.upgrade = true } }

// WithQuotes says whether all programs that use the file read CSV, so that values
// that need quotes may be quoted. Without this option the file itself decides, as the
// package comment explains.
func WithQuotes(quotes bool) Option { return func(c *config) { c.quotes = &quotes } }

// WithInPlace writes the file in place instead of replacing it, as the SDKs do. It is
// for a file that cannot be replaced: one that is mounted by itself into a container, or
// whose folder this process may not write. The file must exist, and nothing is created
// beside it: the file itself is locked, for reading too. All programs of this package
// that use the file must be given this option; a program that replaces the file instead
// leaves the others with the old one, where it is mounted by itself.
//
// The risk is a crash during a write. If the process is killed or the power fails, the
// file is as it was, or as it was to be, or it begins with a zero byte and holds the new
// text up to some place and the old text behind it. Every call then returns an error
// that matches tokenstore.ErrUnreadable and says so, no token is returned, and nothing
// is written until a person has put the file right, from a backup or by hand. An SDK
// does not notice the zero byte. A disk that becomes full during a write leaves such a
// file too, unless the old text can be written back.
//
// IDs are counted as the SDKs do: the ID of a deleted token can be used again by a
// process that has not seen it. There is no such option on Windows, and on Unix systems
// without flock (AIX and Solaris): [Open] refuses it there.
func WithInPlace() Option { return func(c *config) { c.inPlace = true } }

// WithLogger sets where the store reports, once, that users who are neither the file's
// owner nor in its group may read or write it. The default discards it. No credential
// and no path is logged.
func WithLogger(log *slog.Logger) Option { return func(c *config) { c.log = log } }
