// Package driver is what an adapter for a secret manager implements. Users of
// a store never call it; they hold a secretstore.Store, which keeps the
// contract over any Secrets.
//
// # What an adapter promises
//
// A secret has a name, data and a revision. Names are slash-separated logical
// names, such as "tokenstore/tokens/abc"; the adapter maps them to what its
// service allows, so that two names never share a secret: it escapes what is
// not allowed, hashes what is too long, and lists the names it was given.
// A name that is empty, or has an empty, "." or ".." segment, is refused with
// [ErrInvalid].
//
// Data is one JSON object in UTF-8. An adapter may store the fields in another
// form and in another order, and may add fields of its own whose names begin
// with [Reserved]; it gives back an object equal to the one that was put,
// without those fields. Data that a person wrote is given back as it stands,
// JSON or not.
//
// A revision is an opaque, non-empty text that stands for one write of one
// secret. No two writes of a name share a revision, also when the secret was
// deleted and created again in between.
//
// # Consistency
//
// Put and Delete decide on the service's present state, never on a cached or
// stale one: of two writes that name the same revision at most one succeeds.
// Get and List may be stale where the service gives no better; what they
// return was true at some moment.
//
// # Absence
//
// Only an answer about this very secret is [ErrNotFound]. A call that fails as a
// whole says nothing about any of the names in it, and a container that does not
// exist (a mount, namespace, project or region) is [ErrNoContainer]: whoever took
// one of them for absence would drop the index of tokens that are all still
// there. A GetBatch that is refused as a whole is an error of the call, or the
// adapter reads the names singly.
//
// # Errors
//
// Errors match one of the sentinels of this package with errors.Is, and the
// service's own error with errors.As. An error never holds data. A context's
// error is returned as it is. A write whose outcome is unknown (a timeout, a
// lost reply) is first looked up by the adapter; if that fails too, the error
// matches [ErrUnavailable] and the write may or may not have happened.
//
// All methods are safe for concurrent use.
package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Reserved begins the names of fields that an adapter adds to the data for its
// own bookkeeping. No other field's name begins so.
const Reserved = "driver_"

// The faults that an adapter tells apart. Adapters wrap them:
//
//	fmt.Errorf("%w: %w", driver.ErrThrottled, err)
var (
	// ErrNotFound: the service has answered that there is no secret of this name,
	// or that it is deleted. See "Absence" above for what is not this error.
	ErrNotFound = errors.New("secret not found")
	// ErrNoContainer: the place that would hold the secret does not exist: the
	// mount, namespace, project, region or folder. It says nothing about any secret.
	ErrNoContainer = errors.New("the place for the secrets does not exist")
	// ErrConflict: the revision is not the current one, or the name is taken.
	// Nothing was written.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the name or the data is not acceptable to any adapter.
	ErrInvalid = errors.New("invalid secret")
	// ErrTooLarge: the data is larger than the service stores. Nothing was written.
	ErrTooLarge = errors.New("too large")
	// ErrUnreadable: what is stored cannot be understood.
	ErrUnreadable = errors.New("unreadable")
	// ErrDenied: the credentials are missing, expired or lack the permission.
	ErrDenied = errors.New("denied")
	// ErrThrottled: too many calls; the same call succeeds later.
	ErrThrottled = errors.New("throttled")
	// ErrQuota: a quota that does not refill within minutes is used up.
	ErrQuota = errors.New("quota reached")
	// ErrUnavailable: the service did not answer, or answered that it cannot
	// serve now. A write may or may not have happened.
	ErrUnavailable = errors.New("unavailable")
)

// Secret is one secret at one revision.
type Secret struct {
	// Name is the logical name, slash-separated.
	Name string
	// Data is a JSON object.
	Data []byte
	// Revision identifies the write that stored Data. In a Put it is the
	// revision that is to be replaced; empty means that there must be none.
	Revision string
	// Restored says that somebody has put older data back, by the service's own
	// means: a rollback, a restored version, a label moved back. An adapter sets it
	// where the service lets it be seen. A Put ignores it.
	Restored bool
}

// Secrets is a store of secrets with compare-and-swap.
type Secrets interface {
	// Get returns the secret with the given name, or an error that matches
	// ErrNotFound. A secret that was deleted, here or in the service's own
	// console, is not found, also while the service could still restore it.
	Get(ctx context.Context, name string) (Secret, error)

	// Put writes s.Data and returns the new revision. If s.Revision is empty
	// there must be no secret of that name; else s.Revision must be the current
	// one. If that is not so, also because of a person's edit, nothing changes
	// and the error matches ErrConflict.
	Put(ctx context.Context, s Secret) (revision string, err error)

	// Delete removes the secret if revision is still the current one; if
	// another is, nothing changes and the error matches ErrConflict. It never
	// destroys a later write. Deleting a name that is not stored is not an
	// error.
	Delete(ctx context.Context, name, revision string) error

	// List yields the names that begin with prefix, each once, in no order.
	// Names of deleted secrets are left out, as far as the service tells. It
	// is for repair and for indexes that hold no list; it may be minutes old.
	// An error ends the sequence.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// BatchGetter is implemented by adapters whose service reads many secrets with
// one call.
type BatchGetter interface {
	// GetBatch returns those of the named secrets that exist, in no order. Any
	// number of names may be given. A fault of one name does not hide the
	// others: the secrets that could be read are returned with an error that
	// joins one *NameError for each that could not.
	GetBatch(ctx context.Context, names []string) ([]Secret, error)
}

// NameError says which of many names a fault belongs to.
type NameError struct {
	Name string
	Err  error
}

func (e *NameError) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }

// Unwrap returns the fault.
func (e *NameError) Unwrap() error { return e.Err }

// Limited is implemented by adapters whose service has limits that a caller
// has to plan for.
type Limited interface {
	Limits() Limits
}

// Limits are a service's limits for one secret. Zero means none.
type Limits struct {
	// MaxSize is the size of the largest data, in bytes.
	MaxSize int
	// WritesPerDay is the number of writes of one secret in 24 hours that the
	// service bears without an error.
	WritesPerDay int
}

// Retirer is implemented by adapters whose service keeps older versions of a
// secret, or reserves the name of a deleted one.
//
// A token is deleted by writing a tombstone over it, since a tombstone is what
// makes late writers fail. Retire is called right after that.
type Retirer interface {
	// Retire makes what the service still holds of a secret's earlier versions
	// unreadable: it destroys them, or schedules the whole secret for deletion.
	// revision is that of the tombstone; if it is no longer the current one,
	// Retire does nothing and harms no later write. Afterwards Get returns the
	// tombstone, or ErrNotFound while the service reserves the name. In the
	// second case a Put without a revision takes the name back.
	Retire(ctx context.Context, name, revision string) error

	// RetireWindow is how long after a tombstone was written a Retire of it may
	// still be under way. Until then nobody writes over the tombstone. Zero if
	// Retire is conditional at the service itself.
	RetireWindow() time.Duration
}

// Pruner is implemented by adapters whose service keeps the versions of a
// secret that were written over, and charges for them, until they are destroyed.
// A Put destroys some of them; the repair has Prune destroy what Puts have left.
type Pruner interface {
	// Prune destroys versions of a secret that were written over so long ago
	// that no operation under way can want them, and returns how many. The
	// current version stays, and what the next Put will destroy may. A secret
	// that is not there is not an error.
	Prune(ctx context.Context, name string) (int, error)
}

// Unwrapper is implemented by wrappers around Secrets, so that the optional
// abilities of what they wrap are found.
type Unwrapper interface {
	Unwrap() Secrets
}

// As returns the first of s and what it wraps that has the ability T. A wrapper
// that changes an ability implements it itself.
func As[T any](s Secrets) (T, bool) {
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
