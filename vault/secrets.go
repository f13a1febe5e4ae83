// The driver and its reads: one secret, the names below a prefix, and the state of a name.

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"example.com/tokenstore/driver"
)

// secrets implements driver.Secrets over a KV version 2 mount.
type secrets struct {
	link        *link
	mount       string
	index       string // prefix of the names of the index
	maxSize     int    // of data, in bytes
	maxVersions int    // of a new secret; 0: the mount's
	now         func() time.Time
	takeOver    time.Duration

	isolated  atomic.Bool // the server has namespaces, or none is set
	isKV2     atomic.Bool // the mount was seen to be KV version 2
	expiring  atomic.Bool // a secret was met that Vault will delete by itself
	noPruning atomic.Bool // the token may not set how many versions to keep
	noPatch   atomic.Bool // the token, or the server, may not patch
	marks     *marks
	shapes    *shapes
}

var (
	_ driver.Secrets = (*secrets)(nil)
	_ driver.Limited = (*secrets)(nil)
	_ driver.Retirer = (*secrets)(nil)
	_ driver.Advisor = (*secrets)(nil)
	_ driver.Dated   = (*secrets)(nil)
)

// path returns the path of a name in one of the mount's parts: data, metadata,
// destroy.
func (s *secrets) path(part, name string) string {
	return s.mount + "/" + part + "/" + paths.Escape(name)
}

// Limits returns the size of the largest secret. Vault has no rate of its own: how fast it
// answers decides, or a quota that its operator has set, which throttles.
func (s *secrets) Limits() driver.Limits { return driver.Limits{MaxSize: s.maxSize} }

// Get reads the current version in one call.
func (s *secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := s.begin(ctx, name); err != nil {
		return driver.Secret{}, err
	}
	st, err := s.read(ctx, name, 0)
	if err != nil {
		return driver.Secret{}, err
	}
	if !st.live() {
		return driver.Secret{}, driver.ErrNotFound
	}
	return driver.Secret{Name: name, Data: data(st.fields), Revision: st.revision.String(), Restored: st.restored()}, nil
}

// Written returns when the version was created, which its revision says.
func (s *secrets) Written(ctx context.Context, _, revision string) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	r, ok := parseRevision(revision)
	if !ok {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, r.created)
	if err != nil {
		return time.Time{}, unusable("write")
	}
	return at, nil
}

// begin is the first step of every operation on a name.
func (s *secrets) begin(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := driver.CheckName(name); err != nil {
		return err
	}
	return s.isolate(ctx)
}

// isConflict reports whether err says that another version is current.
func isConflict(err error) bool { return errors.Is(err, driver.ErrConflict) }

// List yields the names that begin with prefix. Vault lists one folder per reply,
// however large it is. Its list includes deleted names: each one that is known, or
// reported by Vault, to be deleted is checked, since it may have been created again.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := s.isolate(ctx); err != nil {
			yield("", err)
			return
		}
		folder := prefix[:strings.LastIndex(prefix, "/")+1]
		s.walk(ctx, folder, prefix, yield)
	}
}

// walk yields the names that begin with prefix in folder and below. It reports false
// when the sequence has ended.
func (s *secrets) walk(ctx context.Context, folder, prefix string, yield func(string, error) bool) bool {
	keys, suspect, err := s.keys(ctx, folder)
	if err != nil {
		yield("", err)
		return false
	}
	for _, key := range keys {
		name, ours := nameOf(key)
		name = folder + name
		isFolder := strings.HasSuffix(key, "/")
		switch {
		case !ours || !strings.HasPrefix(name, prefix):
			continue
		case isFolder:
			if !s.walk(ctx, name, prefix, yield) {
				return false
			}
			continue
		}
		deleted, err := s.deleted(ctx, name, suspect[key])
		if err != nil {
			yield("", err)
			return false
		}
		if !deleted && !yield(name, nil) {
			return false
		}
	}
	return true
}

// deleted reports whether a possibly deleted name is deleted.
func (s *secrets) deleted(ctx context.Context, name string, suspect bool) (bool, error) {
	if !isName(name) { // It cannot be requested.
		return true, nil
	}
	if !suspect && !s.marks.has(name) {
		return false, nil
	}
	st, err := s.read(ctx, name, 0)
	return err == nil && !st.live(), err
}

func isName(name string) bool { return driver.CheckName(name) == nil }

// keys returns the content of one folder, as in Vault, and which names may be deleted.
// Folders end in a slash.
func (s *secrets) keys(ctx context.Context, folder string) (all []string, suspect map[string]bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := s.ensure(ctx); err != nil {
		return nil, nil, err
	}
	all, _, err = s.list(ctx, folder, url.Values{"list": {"true"}})
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	// Vault also leaves out names that it will delete later, so each of these has to be
	// checked.
	kept, ignored, err := s.list(ctx, folder, url.Values{"list": {"true"}, excludeDeleted: {"true"}})
	if err != nil {
		return nil, nil, err
	}
	if ignored {
		suspect, err = s.detailed(ctx, folder)
		return all, suspect, err
	}
	suspect = make(map[string]bool, len(all))
	for _, key := range all {
		suspect[key] = true
	}
	for _, key := range kept {
		delete(suspect, key)
	}
	return all, suspect, nil
}

const excludeDeleted = "exclude_deleted"

// list returns the keys of a folder, and whether the server ignored the request to
// leave out deleted ones, as OpenBao and older Vaults do.
func (s *secrets) list(ctx context.Context, folder string, params url.Values) (keys []string, ignored bool, err error) {
	r, err := s.link.do(ctx, call{op: "list", method: http.MethodGet, path: s.path("metadata", folder), params: params})
	if err != nil || r.status == http.StatusNotFound { // There is no such folder.
		return nil, false, err
	}
	var got struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
		Warnings []string `json:"warnings"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return nil, false, unusable("list")
	}
	return got.Data.Keys, strings.Contains(strings.Join(got.Warnings, "\n"), excludeDeleted), nil
}

// detailed returns the keys of a folder that are deleted, or will be, by OpenBao's list of
// metadata. If the server has no such list, or the token lacks the permission, it returns
// none.
func (s *secrets) detailed(ctx context.Context, folder string) (map[string]bool, error) {
	r, err := s.link.do(ctx, call{op: "list metadata", method: http.MethodGet, path: s.path("detailed-metadata", folder), params: url.Values{"list": {"true"}}})
	switch r.status {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return nil, nil
	default:
		return nil, err
	}
	var got struct {
		Data struct {
			Info map[string]struct {
				Current  json.Number `json:"current_version"`
				Versions map[string]struct {
					Deletion  string `json:"deletion_time"`
					Destroyed bool   `json:"destroyed"`
				} `json:"versions"`
			} `json:"key_info"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return nil, unusable("list metadata")
	}
	suspect := map[string]bool{}
	for key, info := range got.Data.Info {
		current := info.Versions[info.Current.String()]
		suspect[key] = current.Deletion != "" || current.Destroyed
	}
	return suspect, nil
}

// The stages of a deleted secret, the values of driver_deleted.
const (
	stageKept     = "kept"     // The name may be used again, with the mark's number.
	stageRemoving = "removing" // The name is being removed; creators wait for that.
)

// state is Vault's state of one name.
type state struct {
	// revision is that of the current or requested version; its version is zero if there
	// is none.
	revision
	// fields are nil if the version was deleted or destroyed in Vault.
	fields map[string]json.RawMessage
	// expires is true if Vault will delete the version by itself.
	expires bool
	// known is false for the zero state, which was not read.
	known bool
}

// stored reports whether there is a version, readable or not.
func (s state) stored() bool { return s.version > 0 }

// live reports whether there is a secret that is not deleted.
func (s state) live() bool { return s.fields != nil && s.stage() == "" }

// stage returns the stage of a deleted secret, or "".
func (s state) stage() string { return s.text(deletedField) }

// nonce returns the nonce of the write. A person's version has none, or that of the
// version it was made from.
func (s state) nonce() string { return s.text(nonceField) }

// restored reports whether this package stored the content as another version than the
// one that it is now: after a rollback, a copy, or an edit of either. Content without
// the number predates the field, or is a person's.
func (s state) restored() bool {
	written := s.text(versionField)
	return written != "" && written != strconv.FormatInt(s.version, 10)
}

func (s state) text(field string) string {
	var text string
	_ = json.Unmarshal(s.fields[field], &text)
	return text
}

// read returns the state of a name, with its current version, or with the given one if that
// is not zero.
func (s *secrets) read(ctx context.Context, name string, version int64) (state, error) {
	c := call{op: "read", method: http.MethodGet, path: s.path("data", name)}
	if version > 0 {
		c.params = url.Values{"version": {strconv.FormatInt(version, 10)}}
	}
	r, err := s.link.do(ctx, c)
	if err != nil {
		return state{}, err
	}
	st, err := parseState(r)
	if err != nil {
		return state{}, err
	}
	s.shapes.saw(name, st)
	if st.expires {
		s.expiring.Store(true)
	}
	if version == 0 {
		s.marks.saw(name, st)
	}
	if st.stored() {
		s.isKV2.Store(true)
	} else if err := s.ensure(ctx); err != nil {
		return state{}, err
	}
	return st, nil
}

// parseState distinguishes a secret (200), a version that was deleted or destroyed in Vault
// (404 with metadata), and nothing (404 without).
func parseState(r reply) (state, error) {
	var got struct {
		Data struct {
			Data     map[string]json.RawMessage `json:"data"`
			Metadata struct {
				Version  int64  `json:"version"`
				Created  string `json:"created_time"`
				Deletion string `json:"deletion_time"`
			} `json:"metadata"`
		} `json:"data"`
	}
	err := json.Unmarshal(r.body, &got)
	st := state{revision: revision{got.Data.Metadata.Version, got.Data.Metadata.Created}, fields: got.Data.Data, known: true}
	if r.status == http.StatusNotFound {
		if err != nil {
			return state{}, unusable("read")
		}
		st.fields = nil
		return st, nil
	}
	if err != nil {
		return state{}, unusable("read")
	}
	st.expires = got.Data.Metadata.Deletion != ""
	if !st.stored() || st.created == "" { // Version 1 answers without metadata.
		return state{}, &failure{kind: ErrNotKV2, op: "read", text: "the reply has no version; check the mount"}
	}
	return st, nil
}

// unusable is the error of a reply that is not one of Vault's, such as a proxy's.
func unusable(op string) error {
	return &failure{kind: driver.ErrUnavailable, op: op, text: "the reply is not one of Vault's; check the client's address (VAULT_ADDR) and any proxy"}
}
