// Deletion. Vault cannot remove a name conditionally, so a deletion first writes a marked
// version, and the name is removed later.

package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
)

// Delete replaces the revision with a mark, with which the name is not found, and
// destroys the older versions.
//
// Vault can remove a whole name, but not conditionally, and a removed name counts its
// versions from 1 again, so that a stalled writer could mistake a new version 5 for the
// one it read. So the mark stays for an hour, much longer than any operation, and keeps
// the numbers growing. Later calls of Delete, which only a repair makes, remove the names
// whose marks this process has seen and that are old enough: first a second mark, by
// check-and-set, for which creators wait, then the name.
func (s *secrets) Delete(ctx context.Context, name, text string) error {
	if err := s.begin(ctx, name); err != nil {
		return err
	}
	if err := s.ensure(ctx); err != nil {
		return err
	}
	s.removeSome(ctx)
	old, ok := parseRevision(text)
	if !ok {
		st, err := s.read(ctx, name, 0)
		if err == nil && st.live() {
			err = conflict()
		}
		return err
	}
	w, err := mark(stageKept)
	if err != nil {
		return err
	}
	written, st, err := s.swap(ctx, name, old.version, w, s.overwrite(name, old.version, w))
	switch {
	case isConflict(err) && st.stage() == stageKept:
		written = st.revision // An earlier call got as far as the mark.
	case isConflict(err) && st.known && !st.live():
		return nil
	case err != nil:
		return err
	}
	s.marks.add(name, written)
	return s.destroyBefore(ctx, name, written.version)
}

// Retire destroys the versions before the tombstone's. They are named by number, so no
// later write can be hit. A standby may show an older version for a while, which must not
// be taken for a later write.
func (s *secrets) Retire(ctx context.Context, name, text string) error {
	if err := s.begin(ctx, name); err != nil {
		return err
	}
	old, ok := parseRevision(text)
	if !ok {
		return nil
	}
	var st state
	for look := 1; ; look++ {
		var err error
		if st, err = s.read(ctx, name, 0); err != nil {
			return err
		}
		if st.version >= old.version || look == looks {
			break
		}
		if err := pause.For(ctx, firstLook<<look); err != nil {
			return err
		}
	}
	switch {
	case st.revision == old:
		return s.destroyBefore(ctx, name, st.version)
	case st.stored() && st.version < old.version: // Returning nil would claim that the older versions are destroyed.
		return &failure{kind: driver.ErrUnavailable, op: "destroy old versions", text: "a standby does not have the tombstone yet; retry later"}
	}
	return nil // The tombstone was replaced or removed.
}

// looks is how often Retire looks for a tombstone that a standby may not have yet; with
// the pauses, that takes at least half a second.
const looks = 6

// RetireWindow is zero: versions are destroyed by number.
func (s *secrets) RetireWindow() time.Duration { return 0 }

// maxNumbers is how many versions are named without asking which ones exist.
const maxNumbers = 100

// destroyBefore destroys all versions below the given one.
func (s *secrets) destroyBefore(ctx context.Context, name string, version int64) error {
	first := int64(1)
	if version > maxNumbers {
		var err error
		if first, err = s.oldest(ctx, name); err != nil {
			return err
		}
	}
	var numbers []int64
	for n := first; n < version; n++ {
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 {
		return nil
	}
	body := mustMarshal(map[string][]int64{"versions": numbers})
	_, err := s.link.do(ctx, call{op: "destroy old versions", method: http.MethodPut, path: s.path("destroy", name), body: body})
	return err
}

// oldest returns the number of the oldest version that Vault still has.
func (s *secrets) oldest(ctx context.Context, name string) (int64, error) {
	r, err := s.link.do(ctx, call{op: "read metadata", method: http.MethodGet, path: s.path("metadata", name)})
	if err != nil {
		return 0, err
	}
	var got struct {
		Data struct {
			Oldest   int64                      `json:"oldest_version"`
			Versions map[string]json.RawMessage `json:"versions"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return 0, unusable("read metadata")
	}
	oldest := max(got.Data.Oldest, 1)
	for number := range got.Data.Versions {
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			oldest = min(oldest, n)
		}
	}
	return oldest, nil
}

const (
	// markAge is how long a mark keeps its name reserved.
	markAge = time.Hour
	// removals is how many names one Delete removes, so that a repair which marks as many
	// names a day keeps up.
	removals = 2
)

// removeSome removes some names whose marks are old. Failures are left to the next
// repair.
func (s *secrets) removeSome(ctx context.Context) {
	for name, marked := range s.marks.takeOld(s.now().Add(-markAge), removals) {
		if err := s.remove(ctx, name, marked); err != nil {
			return
		}
	}
}

// remove removes a name whose current version is the given mark. Nobody writes the name
// between the second mark and the removal: creators wait longer than a removal may take.
// The removal is sent only once, since a retry could hit a secret created after it.
func (s *secrets) remove(ctx context.Context, name string, marked revision) error {
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	w, err := mark(stageRemoving)
	if err != nil {
		return err
	}
	if _, _, err := s.swap(ctx, name, marked.version, w, s.overwrite(name, marked.version, w)); err != nil {
		if isConflict(err) { // The name is in use again, or removed.
			return nil
		}
		return err
	}
	_, err = s.link.do(ctx, call{op: "remove", method: http.MethodDelete, path: s.path("metadata", name), once: true})
	if err != nil {
		return fmt.Errorf("deletion incomplete, the name is still marked; the next repair removes it: %w", err)
	}
	return nil
}
