// Writes. A write is a check-and-set, and a write whose reply was lost is recognised by its
// nonce instead of being reported as a conflict or applied twice.

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
)

// Put writes one version. It takes one call, unless the name was deleted before, another
// write interfered, or the reply was lost.
func (s *secrets) Put(ctx context.Context, secret driver.Secret) (string, error) {
	if err := s.begin(ctx, secret.Name); err != nil {
		return "", err
	}
	if err := driver.CheckData(secret.Data, s.maxSize); err != nil {
		return "", err
	}
	w, err := newWrite(secret.Data)
	if err != nil {
		return "", err
	}
	if err := s.ensure(ctx); err != nil {
		return "", err
	}
	put := s.replace
	if secret.Revision == "" {
		put = func(ctx context.Context, name, _ string, w write) (revision, error) { return s.create(ctx, name, w) }
	}
	written, err := put(ctx, secret.Name, secret.Revision, w)
	if err != nil {
		return "", err
	}
	s.prune(ctx, secret.Name, written.version)
	return written.String(), nil
}

// replace replaces the version that the revision names.
func (s *secrets) replace(ctx context.Context, name, text string, w write) (revision, error) {
	old, ok := parseRevision(text)
	if !ok {
		return revision{}, fmt.Errorf("%w: the revision is not from this store", driver.ErrConflict)
	}
	c, err := s.change(ctx, name, old.version, w)
	if err != nil {
		return revision{}, err
	}
	written, _, err := s.swap(ctx, name, old.version, w, c)
	if c.method == http.MethodPatch && noPatches(err) {
		written, _, err = s.swap(ctx, name, old.version, w, s.overwrite(name, old.version, w))
		if err == nil { // Otherwise the token may have been refused, not the patch.
			s.noPatch.Store(true)
		}
	}
	return written, err
}

// noPatches reports whether err may mean that patches are refused: by the policy or, with
// status 405, by an old server or a proxy. A patch with an unknown outcome has another
// kind.
func noPatches(err error) bool {
	return errors.Is(err, driver.ErrDenied) || errors.Is(err, driver.ErrInvalid) && statusOf(err) == http.StatusMethodNotAllowed
}

// change returns the call that replaces a version. It is a patch, since Vault only patches
// versions that exist: a plain write would bring back a secret that a person has deleted in
// Vault's UI, where a deletion does not count as a version.
func (s *secrets) change(ctx context.Context, name string, version int64, w write) (call, error) {
	plain := s.overwrite(name, version, w)
	if s.noPatch.Load() {
		return plain, nil
	}
	has, ok := s.shapes.of(name, version)
	if !ok { // Another store read it, or it was long ago.
		st, err := s.read(ctx, name, version)
		if err != nil {
			return call{}, err
		}
		if st.fields == nil {
			return call{}, conflict()
		}
		has = names(st.fields)
	}
	body, ok := w.patch(version, has)
	if !ok {
		return plain, nil
	}
	return call{op: "write", method: http.MethodPatch, path: plain.path, body: body}, nil
}

// overwrite returns the call that replaces a version as a whole, even one that was deleted
// in Vault.
func (s *secrets) overwrite(name string, version int64, w write) call {
	return call{op: "write", method: http.MethodPut, path: s.path("data", name), body: w.body(version)}
}

// createTries limits how often a creator retries with a name that others keep deleting.
const createTries = 8

// create writes the first version or, where Vault still counts the versions of a deleted
// secret, the next one.
func (s *secrets) create(ctx context.Context, name string, w write) (revision, error) {
	var over int64
	for range createTries {
		written, st, err := s.swap(ctx, name, over, w, s.overwrite(name, over, w))
		if !isConflict(err) || !st.known {
			return written, err
		}
		if st.stage() == stageRemoving {
			if st, err = s.awaitRemoval(ctx, name, st); err != nil {
				return revision{}, err
			}
		}
		if st.live() {
			break
		}
		over = st.version
	}
	return revision{}, conflict()
}

// swap writes w over the given version, or over nothing if it is zero. If another
// version is current, the error matches driver.ErrConflict and the state is what is
// stored now.
func (s *secrets) swap(ctx context.Context, name string, over int64, w write, c call) (revision, state, error) {
	r, err := s.link.do(ctx, c)
	if err == nil && r.status == http.StatusNotFound { // There is no version to patch.
		err = conflict()
	}
	switch {
	case err == nil:
		written, err := parseWritten(r)
		if err == nil {
			s.isKV2.Store(true)
			s.marks.forget(name)
			s.shapes.set(name, written.version, names(w.fields))
		}
		return written, state{}, err
	case isConflict(err):
		return s.settle(ctx, name, over, w, r.attempts > 1)
	case (undecided(err) || r.lost) && ctx.Err() == nil:
		if !errors.Is(err, driver.ErrUnavailable) { // It is about the last attempt, not the lost one.
			err = unknown(err)
		}
		return s.lookUp(ctx, name, over, w, err)
	}
	return revision{}, state{}, err
}

func parseWritten(r reply) (revision, error) {
	var got struct {
		Data struct {
			Version int64  `json:"version"`
			Created string `json:"created_time"`
		} `json:"data"`
	}
	if r.status == http.StatusNoContent || json.Unmarshal(r.body, &got) == nil && got.Data.Version == 0 {
		return revision{}, &failure{kind: ErrNotKV2, op: "write", text: "the reply has no version; check the mount"}
	}
	if got.Data.Created == "" {
		return revision{}, unusable("write")
	}
	return revision{got.Data.Version, got.Data.Created}, nil
}

// settle decides what a failed check-and-set means. The client, or a proxy, retries a write
// whose reply was lost, and the retry fails on the version that the write itself has
// stored. So the nonce of the version that the write would have made is compared before the
// failure counts as a conflict.
func (s *secrets) settle(ctx context.Context, name string, over int64, w write, repeated bool) (revision, state, error) {
	current, err := s.read(ctx, name, 0)
	if ctx.Err() != nil {
		return revision{}, state{}, ctx.Err()
	}
	if err != nil {
		if repeated {
			return revision{}, state{}, unknown(err)
		}
		return revision{}, state{}, conflict()
	}
	mine, visible, err := s.isMine(ctx, name, current, over+1, w)
	switch {
	case mine.version > 0:
		return mine, state{}, nil
	case repeated && (err != nil || !visible):
		return revision{}, state{}, unknown(err)
	}
	return revision{}, current, conflict()
}

// lookUp finds out whether a write whose reply was lost was applied.
func (s *secrets) lookUp(ctx context.Context, name string, over int64, w write, lost error) (revision, state, error) {
	current, err := s.read(ctx, name, 0)
	if err != nil {
		return revision{}, state{}, lost
	}
	mine, visible, err := s.isMine(ctx, name, current, over+1, w)
	switch {
	case mine.version > 0:
		return mine, state{}, nil
	case err != nil || !visible: // It may still arrive.
		return revision{}, state{}, lost
	}
	return revision{}, current, conflict()
}

// isMine returns the revision of the version that w would have made, if it is w. It also
// reports whether that version can be seen: not if it was replaced since and Vault has
// dropped it.
func (s *secrets) isMine(ctx context.Context, name string, current state, version int64, w write) (revision, bool, error) {
	st := current
	if current.version != version {
		if current.version < version {
			return revision{}, false, nil
		}
		var err error
		if st, err = s.read(ctx, name, version); err != nil {
			return revision{}, false, err
		}
	}
	if st.fields == nil {
		return revision{}, false, nil
	}
	// A person's patch keeps the nonce of the version that it changes.
	if st.nonce() == w.nonce {
		return st.revision, true, nil
	}
	return revision{}, true, nil
}

func conflict() error {
	return fmt.Errorf("%w: another version is current; read again and retry", driver.ErrConflict)
}

// unknown is the error of a write whose outcome is unknown. It matches the server's
// reply of the cause, but not its kind: a retry or a read that was denied does not mean
// that the write was.
func unknown(cause error) error {
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) { // The caller's own.
		return cause
	}
	if cause == nil {
		cause = errors.New("the version needed to decide has been destroyed")
	}
	f := &failure{kind: driver.ErrUnavailable, op: "write", text: "outcome unknown, the write may or may not have been applied; retry: " + cause.Error()}
	var reply *api.ResponseError
	if errors.As(cause, &reply) {
		f.cause = reply
	}
	return f
}

// prunedAt is the version of an index secret at which Vault is told to keep only one: most
// never have more than two, a claim and a release.
const prunedAt = 3

// prune tells Vault how many versions of a secret to keep, once per secret. A failure only
// costs storage.
func (s *secrets) prune(ctx context.Context, name string, version int64) {
	keep := 0
	switch {
	case strings.HasPrefix(name, s.index):
		if version == prunedAt {
			keep = 1
		}
	case version == 1:
		keep = s.maxVersions
	}
	if keep == 0 || s.noPruning.Load() {
		return
	}
	body := mustMarshal(map[string]int{"max_versions": keep})
	_, err := s.link.do(ctx, call{op: "set versions", method: http.MethodPut, path: s.path("metadata", name), body: body})
	if !errors.Is(err, driver.ErrDenied) {
		return
	}
	if _, err := s.read(ctx, name, 0); err == nil { // Otherwise the token may have been refused.
		s.noPruning.Store(true)
	}
}

const (
	// removeWithin is how long a removal may take from the mark to the end.
	removeWithin = 10 * time.Second
	// takeOver is how long a creator watches the mark of a removal before it uses the
	// name: by then the writer of the mark has died or given up.
	takeOver = 30 * time.Second

	firstLook = 10 * time.Millisecond
	lastLook  = time.Second
)

// awaitRemoval waits until the removal that st announces is over, and returns the state
// after it. It measures how long it has watched, since clocks of machines differ.
func (s *secrets) awaitRemoval(ctx context.Context, name string, st state) (state, error) {
	seen := time.Now()
	for wait := firstLook; ; wait = min(2*wait, lastLook) {
		if err := pause.For(ctx, wait); err != nil {
			return state{}, err
		}
		now, err := s.read(ctx, name, 0)
		if err != nil {
			return state{}, err
		}
		if now.revision != st.revision || time.Since(seen) > s.takeOver {
			return now, nil
		}
	}
}
