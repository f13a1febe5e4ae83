package vault

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"example.com/tokenstore/driver"
)

// List yields the names that begin with prefix. Vault lists one folder at a
// time, in one reply however large it is. Its list has deleted names too: of
// those that are known, or said by Vault, to be deleted each is looked at, since
// they may have been created again.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		folder := prefix[:strings.LastIndex(prefix, "/")+1]
		s.walk(ctx, folder, prefix, yield)
	}
}

// walk yields the names in folder, and below, that begin with prefix. It
// reports false when the sequence has ended.
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

// deleted reports whether a name is deleted that is suspected to be.
func (s *secrets) deleted(ctx context.Context, name string, suspect bool) (bool, error) {
	if !isName(name) { // Nobody can ask for it.
		return true, nil
	}
	if !suspect && !s.marks.has(name) {
		return false, nil
	}
	st, err := s.read(ctx, name, 0)
	return err == nil && !st.live(), err
}

func isName(name string) bool { return driver.CheckName(name) == nil }

// keys returns what one folder holds, as Vault has it, and which of it may be
// deleted. Folders end in a slash.
func (s *secrets) keys(ctx context.Context, folder string) (all []string, suspect map[string]bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := s.ensure(ctx); err != nil {
		return nil, nil, err
	}
	all, err = s.list(ctx, folder, url.Values{"list": {"true"}})
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	// Vault leaves out also what it will delete some day, so that each of these
	// has to be looked at; older servers leave out nothing.
	kept, err := s.list(ctx, folder, url.Values{"list": {"true"}, "exclude_deleted": {"true"}})
	if err != nil || len(kept) == len(all) {
		return all, nil, err
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

func (s *secrets) list(ctx context.Context, folder string, params url.Values) ([]string, error) {
	r, err := s.link.do(ctx, call{op: "list", method: http.MethodGet, path: s.path("metadata", folder), params: params})
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
