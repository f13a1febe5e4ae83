// The options of a store.

package filestore

// Option changes how a store is opened.
type Option func(*config)

type config struct {
	readOnly bool
	upgrade  bool
	quotes   *bool // nil: as the file shows.
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
