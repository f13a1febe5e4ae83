package vault

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
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

	isKV2     atomic.Bool // the mount was seen to be KV version 2
	noPruning atomic.Bool // the token may not set numbers of versions
	marks     *marks
}

var (
	_ driver.Secrets = (*secrets)(nil)
	_ driver.Limited = (*secrets)(nil)
	_ driver.Retirer = (*secrets)(nil)
)

// path returns the path of a name in one of the mount's parts: data, metadata,
// destroy.
func (s *secrets) path(part, name string) string { return s.mount + "/" + part + "/" + escape(name) }

// Limits returns the size of the largest secret.
func (s *secrets) Limits() driver.Limits { return driver.Limits{MaxSize: s.maxSize} }

// Get reads the current version. It is one call.
func (s *secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := check(ctx, name); err != nil {
		return driver.Secret{}, err
	}
	st, err := s.read(ctx, name, 0)
	if err != nil {
		return driver.Secret{}, err
	}
	if !st.live() {
		return driver.Secret{}, driver.ErrNotFound
	}
	return driver.Secret{Name: name, Data: data(st.fields), Revision: st.revision.String()}, nil
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return driver.CheckName(name)
}

// List yields the names below a prefix. Vault lists one folder at a time, and
// lists what is marked as deleted with the rest: of such names those that this
// process knows are looked at, and the others are yielded.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		folder := prefix[:strings.LastIndex(prefix, "/")+1]
		s.walk(ctx, folder, prefix, yield)
	}
}

// walk yields the names in folder and below that begin with prefix. It reports
// false when the sequence has ended.
func (s *secrets) walk(ctx context.Context, folder, prefix string, yield func(string, error) bool) bool {
	keys, err := s.keys(ctx, folder)
	if err != nil {
		yield("", err)
		return false
	}
	for _, key := range keys {
		name, ours := unescape(key)
		name = folder + name
		switch {
		case !ours || !strings.HasPrefix(name, prefix) && !strings.HasPrefix(prefix, name):
		case strings.HasSuffix(key, "/"):
			if !s.walk(ctx, name, prefix, yield) {
				return false
			}
		case !strings.HasPrefix(name, prefix) || driver.CheckName(name) != nil:
		default:
			if deleted, err := s.deleted(ctx, name); err != nil {
				yield("", err)
				return false
			} else if !deleted && !yield(name, nil) {
				return false
			}
		}
	}
	return true
}

// keys returns what one folder holds, as Vault has it. Folders end in a slash.
func (s *secrets) keys(ctx context.Context, folder string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	r, err := s.link.do(ctx, call{
		op: "list", method: http.MethodGet,
		path:   s.path("metadata", folder),
		params: url.Values{"list": {"true"}},
	})
	if err != nil || r.status == http.StatusNotFound { // There is no such folder.
		return nil, err
	}
	var got struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return nil, unusable("list")
	}
	return got.Data.Keys, nil
}

// deleted reports whether a name that this process knows as deleted still is.
func (s *secrets) deleted(ctx context.Context, name string) (bool, error) {
	if !s.marks.has(name) {
		return false, nil
	}
	st, err := s.read(ctx, name, 0)
	return err == nil && !st.live(), err
}

// isConflict reports whether err says that another version is the current one.
func isConflict(err error) bool { return errors.Is(err, driver.ErrConflict) }
