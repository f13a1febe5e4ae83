// Package driver defines what an adapter for a secret manager implements. Users of
// a store never call it; they use a secretstore.Store, which keeps the contract on
// top of any Secrets.
//
// # What an adapter promises
//
// A secret has a name, data and a revision. Names are slash-separated logical
// names, such as "tokenstore/tokens/abc". The adapter maps them to names that its
// service allows, so that two names never share a secret: it escapes what is not
// allowed, hashes what is too long, and lists the names that it was given. A name
// that is empty, or has an empty, "." or ".." segment, is rejected with
// [ErrInvalid].
//
// Data is one JSON object in UTF-8. An adapter may store the fields in another
// form and in another order, and may add its own fields, whose names begin with
// [Reserved]. It returns an object equal to the one that was put, without those
// fields. It returns data that a person wrote as it is, JSON or not.
//
// Data is immutable, as a string is: neither an adapter nor its caller changes what one
// has passed to the other, or appends to it in place. So both may keep it and share it,
// and an adapter may return the same bytes to all callers. An adapter that reads into a
// buffer which it uses again returns a copy.
//
// A revision is an opaque, non-empty string that identifies one write of one
// secret. No two writes of a name share a revision, even if the secret was deleted
// and created again in between.
//
// # Consistency
//
// Put and Delete decide on the service's current state, never on a cached or
// stale one: of two writes that name the same revision, at most one succeeds.
// Get and List may be stale if the service offers nothing better; what they
// return was true at some moment.
//
// # Absence
//
// Only an answer about this very secret is [ErrNotFound]. A call that fails as a
// whole says nothing about any of the names in it, and a container that does not
// exist (a mount, namespace, project or region) is [ErrNoContainer]. An engine that
// took either for absence would drop the index of tokens that are all still there.
// If a GetBatch is refused as a whole, the call returns an error, or the adapter
// reads the names one by one.
//
// # Errors
//
// Errors match one of the sentinels of this package with errors.Is, and the
// service's own error with errors.As. An error never contains data. A context's
// error is returned unchanged. If the outcome of a write is unknown (a timeout, a
// lost reply), the adapter looks it up first; if that fails too, the error matches
// [ErrUnavailable], and the write may or may not have happened.
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

// Reserved is the prefix of the names of fields that an adapter adds to the data for
// its own bookkeeping. No other field's name begins with it.
const Reserved = "driver_"

// The errors that an adapter distinguishes. Adapters wrap them:
//
//	fmt.Errorf("%w: %w", driver.ErrThrottled, err)
var (
	// ErrNotFound: the service answered that there is no secret with this name, or
	// that it is deleted. "Absence" above says what is not this error.
	ErrNotFound = errors.New("secret not found")
	// ErrNoContainer: the mount, namespace, project, region, database or folder that
	// should hold the secret does not exist. It says nothing about any secret.
	ErrNoContainer = errors.New("no such mount, namespace, project, region, database or folder")
	// ErrConflict: the revision is not the current one, or the secret already
	// exists. Nothing was written.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the name or the data is not acceptable to any adapter.
	ErrInvalid = errors.New("invalid secret")
	// ErrTooLarge: the data exceeds the service's size limit. Nothing was written.
	ErrTooLarge = errors.New("too large")
	// ErrUnreadable: the stored data cannot be understood.
	ErrUnreadable = errors.New("unreadable")
	// ErrDenied: the credentials are missing, expired or lack the permission.
	ErrDenied = errors.New("denied")
	// ErrThrottled: too many calls; the same call will succeed later.
	ErrThrottled = errors.New("throttled")
	// ErrQuota: a quota is used up and does not refill within minutes.
	ErrQuota = errors.New("quota reached")
	// ErrUnavailable: the service did not answer, or answered that it cannot
	// serve now. A write may or may not have happened.
	ErrUnavailable = errors.New("unavailable")
)

// Secret is one secret at one revision.
type Secret struct {
	// Name is the logical name, slash-separated.
	Name string
	// Data is a JSON object. It may be shared: nobody may change it.
	Data []byte
	// Revision identifies the write that stored Data. In a Put it is the revision to
	// replace; empty means that the secret must not exist yet.
	Revision string
	// Restored reports that somebody has put older data back by the service's own
	// means: a rollback, a restored version, a label moved back. An adapter sets it
	// if the service makes that visible. Put ignores it.
	Restored bool
}

// Secrets is a store of secrets with compare-and-swap.
type Secrets interface {
	// Get returns the secret with the given name, or an error that matches
	// ErrNotFound. A secret that was deleted, here or in the service's own console,
	// is not found, even while the service could still restore it.
	Get(ctx context.Context, name string) (Secret, error)

	// Put writes s.Data and returns the new revision. If s.Revision is empty, there
	// must be no secret with that name; otherwise s.Revision must be the current one.
	// If that is not the case, be it because of a person's edit, nothing changes and
	// the error matches ErrConflict.
	Put(ctx context.Context, s Secret) (revision string, err error)

	// Delete removes the secret if revision is still the current one. If not, nothing
	// changes and the error matches ErrConflict: a later write is never destroyed.
	// Deleting a name that is not stored is not an error.
	Delete(ctx context.Context, name, revision string) error

	// List yields the names that begin with prefix, each once, in no particular
	// order. It leaves out the names of deleted secrets, as far as the service tells.
	// It is for repair and for indexes that hold no list; its result may be minutes
	// out of date. An error ends the sequence.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// BatchGetter is implemented by adapters whose service can read many secrets in one
// call.
type BatchGetter interface {
	// GetBatch returns those of the named secrets that exist, in no particular order.
	// Any number of names may be given. An error for one name does not hide the
	// others: the secrets that could be read are returned with an error that joins
	// one *NameError for each that could not.
	GetBatch(ctx context.Context, names []string) ([]Secret, error)
}

// NameError says which of many names an error belongs to.
type NameError struct {
	Name string
	Err  error
}

func (e *NameError) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }

// Unwrap returns Err.
func (e *NameError) Unwrap() error { return e.Err }

// Limited is implemented by adapters whose service has limits that the engine must
// plan for.
type Limited interface {
	Limits() Limits
}

// Limits are a service's limits. Zero means none, or that none is known.
type Limits struct {
	// MaxSize is the largest size of Data, in bytes.
	MaxSize int
	// WritesPerDay is how often the service allows one secret to be written in 24
	// hours.
	WritesPerDay int
	// CreatesPerSecond is how many Puts that create a secret, or Deletes, the service
	// sustains a second for all its callers together, and UpdatesPerSecond how many Puts
	// that replace one. The engine keeps its bulk operations below that.
	CreatesPerSecond, UpdatesPerSecond float64
}

// Retirer is implemented by adapters whose service keeps older versions of a
// secret, or reserves the name of a deleted one.
//
// The engine deletes a token by overwriting it with a tombstone, which makes late
// writers fail, and calls Retire right after that.
type Retirer interface {
	// Retire makes the earlier versions of a secret unreadable: it destroys them, or
	// schedules the whole secret for deletion. revision is that of the tombstone; if
	// it is no longer the current one, Retire does nothing and harms no later write.
	// Afterwards Get returns the tombstone, or ErrNotFound while the service reserves
	// the name. In the second case, a Put without a revision reclaims the name.
	Retire(ctx context.Context, name, revision string) error

	// RetireWindow is how long after a tombstone was written a Retire of it may still
	// be in progress. Until then the engine does not overwrite the tombstone. Zero if
	// the service itself makes Retire conditional.
	RetireWindow() time.Duration
}

// Identifier is implemented by adapters whose service tells a caller as whom it acts.
type Identifier interface {
	// Identity returns the name under which the service knows the caller, and no credential.
	Identity(ctx context.Context) (string, error)
}

// Recoverer is implemented by adapters that can say what becomes of a deleted token: whether
// the service still has it, and why not.
type Recoverer interface {
	// Recover returns the data that a secret had before the tombstone that Retire was called
	// for. It may lift the reservation of the name, so that Get returns the tombstone again,
	// and changes nothing else: the engine then writes the token like a new one. If a person
	// has deleted the secret, which so has no tombstone, Recover may bring it back and return
	// what it held. If there is nothing to return, the error matches ErrNotFound and says
	// why, and what would have helped.
	Recover(ctx context.Context, name string) (data []byte, err error)
}

// Scheduled is implemented by adapters whose service deletes a secret some days after somebody
// has asked for it, and until then can bring it back.
type Scheduled interface {
	// Scheduled reports whether a secret, which Get does not find, is going to be deleted, and
	// Recover can still bring back what it held.
	Scheduled(ctx context.Context, name string) (bool, error)
}

// Pruner is implemented by adapters whose service keeps the overwritten versions of a
// secret, and charges for them, until they are destroyed. Put destroys some of them;
// the repair calls Prune to destroy the rest.
type Pruner interface {
	// Prune destroys the versions of a secret that were overwritten so long ago that
	// no operation in progress can need them, and returns how many it destroyed. It
	// keeps the current version, and may keep versions that the next Put will
	// destroy. A secret that does not exist is not an error.
	Prune(ctx context.Context, name string) (int, error)
}

// Advisor is implemented by adapters that can report settings of the service that
// endanger the secrets, or that people who work on them by hand have to know.
type Advisor interface {
	// Advice returns one sentence for each such setting, and none if there is nothing
	// to report. A sentence has no data and no name of a secret. If some settings could
	// not be read, for example for lack of a permission, the error says so; what was
	// found is returned with it.
	Advice(ctx context.Context) ([]string, error)
}

// Dated is implemented by adapters whose service says when a secret was written.
type Dated interface {
	// Written returns, by the service's clock, when a revision of a secret was written. It
	// is asked right after this process has written it, and returns the zero time if it
	// cannot tell.
	Written(ctx context.Context, name, revision string) (time.Time, error)
}

// Unwrapper is implemented by wrappers around Secrets, so that [As] finds the optional
// interfaces of what they wrap.
type Unwrapper interface {
	Unwrap() Secrets
}

// As returns the first of s and the Secrets it wraps that implements T, one of the
// optional interfaces of this package. A wrapper that changes what an interface does
// implements it itself.
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
