// What some stores can do beyond the six methods of Store, each an interface that
// a caller asks for with a type assertion. They are apart from the contract, so
// that a store that others write needs none of them.

package tokenstore

import (
	"context"
	"iter"
)

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

// Streamer is an optional ability of a [Store]: to yield its tokens one by one, for
// stores that are too large to hold in memory.
type Streamer interface {
	// Tokens yields every token, in no particular order, and each once. It holds only a
	// bounded part of the store in memory. A token that cannot be read yields an
	// error that matches ErrUnreadable and names it, and the others follow; any other error
	// ends the sequence (that of a store whose file or index is damaged has no Kind, and is
	// not Retryable). A token that is stored from the first step to the last is yielded;
	// one that is saved or deleted meanwhile may be.
	Tokens(ctx context.Context) iter.Seq2[OAuthToken, error]
}

// Remover is an optional ability of a [Store]: to delete tokens only if they are still what
// somebody has seen.
type Remover interface {
	// DeleteUnchanged deletes those of the tokens that are stored under their IDs with the
	// same grant, refresh and access token, and returns an error for each token, in their
	// order: nil if it was deleted; one that matches ErrNotFound if there is none with that
	// ID, and ErrConflict if it was changed. The comparison is with the current state, and
	// nothing is deleted that was saved after it. Some tokens may be deleted and others not,
	// also if the context ends.
	DeleteUnchanged(ctx context.Context, tokens []OAuthToken) []error
}

// Identifier is an optional ability of a [Store]: to tell as whom it acts.
type Identifier interface {
	// Identity returns the name under which the service, the database or the operating
	// system knows this program, and no credential; or "" if it does not tell.
	Identity(ctx context.Context) (string, error)
}

// Undeleter is an optional ability of a [Store]: to bring back a token that was deleted.
type Undeleter interface {
	// UndeleteToken stores the token with this ID as it was when it was deleted, if the
	// service still has it, and returns it. If not, the error matches ErrNotFound and says
	// why, and what would have helped. If a token with this ID, of its user, or without a
	// user but with its grant or refresh token is stored, nothing changes and the error
	// matches ErrConflict.
	UndeleteToken(ctx context.Context, id string) (OAuthToken, error)
}

// Pinger is an optional ability of a [Store]: to tell whether a service that uses it is
// ready.
type Pinger interface {
	// Ping returns nil if the store answers, reading is permitted, and something of a store
	// is there. If the last alone is not so, the error matches ErrNotFound: a service
	// whose first login creates the store takes that as ready. It only reads.
	Ping(ctx context.Context) error
}

// Unwrapper is implemented by a wrapper around a [Store], so that [As] finds the optional
// abilities of the store that it wraps. A wrapper that changes what is stored or returned, such
// as one that encrypts, must not implement it: programs use the inner store's abilities past the
// wrapper, and save and find many tokens at once through them.
type Unwrapper interface {
	Unwrap() Store
}

// As returns the first of s and the stores that it wraps that implements T, such as one of
// the optional abilities of this package. A wrapper that changes what an ability does
// implements it itself.
func As[T any](s Store) (T, bool) {
	for s != nil {
		if a, ok := s.(T); ok {
			return a, true
		}
		u, ok := s.(Unwrapper)
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	var none T
	return none, false
}
