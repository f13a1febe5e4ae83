// What some stores can do beyond the six methods of Store, each an interface that
// a caller asks for with a type assertion. They are apart from the contract, so
// that a store that others write needs none of them.

package tokenstore

import "context"

// Exister is an optional ability of a [Store]: to tell a store that holds no token
// from a place where nothing of a store is, such as a wrong prefix, region or mount.
type Exister interface {
	// Exists reports whether anything of a store is where this one looks: a
	// token, an index, a table or a file with a header. It only reads.
	Exists(ctx context.Context) (bool, error)
}

// Warner is an optional ability of a [Store]: to name what looks like a slip of
// somebody who edited a token. Such a token is read and found all the same.
type Warner interface {
	// Warnings returns, by the ID of the token, what is odd about it, as
	// "field: what is wrong": an expiry that cannot be understood, or white
	// space before or after a credential. Under the empty ID, which no token has,
	// is what concerns the store as a whole: a file that other users may read. It
	// quotes no value, and only reads.
	Warnings(ctx context.Context) (map[string][]string, error)
}
