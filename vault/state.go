package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"example.com/tokenstore/driver"
)

// The stages of a deleted secret, as driver_deleted has them.
const (
	stageKept     = "kept"     // The name may be taken again, by the number of the mark.
	stageRemoving = "removing" // The name is about to vanish; creators wait for that.
)

// state is what Vault has under one name.
type state struct {
	// revision is that of the current version, or of the one asked for. Its
	// version is zero if there is none.
	revision
	// fields are nil if the version was deleted or destroyed at the service.
	fields map[string]json.RawMessage
	// known is false for the zero state, when nobody has looked.
	known bool
}

// stored reports whether there is a version at all, readable or not.
func (s state) stored() bool { return s.version > 0 }

// live reports whether there is a secret that was not deleted.
func (s state) live() bool { return s.fields != nil && s.stage() == "" }

// stage returns the stage of a deleted secret, or "".
func (s state) stage() string { return s.text(deletedField) }

// nonce returns the nonce of the write. A version that a person wrote has none,
// or that of the version it was made from.
func (s state) nonce() string { return s.text(nonceField) }

func (s state) text(field string) string {
	var text string
	_ = json.Unmarshal(s.fields[field], &text)
	return text
}

// read returns what is stored under a name, as its current version, or as the
// given one if that is not zero.
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

// parseState tells apart: a secret (200), a version that was deleted or
// destroyed at the service (404 with metadata), and nothing (404 without).
func parseState(r reply) (state, error) {
	var got struct {
		Data struct {
			Data     map[string]json.RawMessage `json:"data"`
			Metadata struct {
				Version int64  `json:"version"`
				Created string `json:"created_time"`
			} `json:"metadata"`
		} `json:"data"`
	}
	err := json.Unmarshal(r.body, &got)
	st := state{revision{got.Data.Metadata.Version, got.Data.Metadata.Created}, got.Data.Data, true}
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
	if !st.stored() || st.created == "" { // Version 1 answers without metadata.
		return state{}, &failure{kind: ErrNotKV2, op: "read", text: "the reply has no version"}
	}
	return st, nil
}

// unusable is the error of a reply that is not one of Vault's, such as that of
// a proxy between.
func unusable(op string) error {
	return &failure{kind: driver.ErrUnavailable, op: op, text: "the reply is not one of Vault's"}
}

// ensure finds out, once, whether the mount is KV version 2: version 1 takes
// the same requests, and stores them as something else. Where the token may not
// ask, the replies themselves have to tell.
func (s *secrets) ensure(ctx context.Context) error {
	if s.isKV2.Load() {
		return nil
	}
	r, err := s.link.do(ctx, call{op: "look at the mount", method: http.MethodGet, path: "sys/internal/ui/mounts/" + s.mount})
	if statusOf(err) == http.StatusForbidden {
		return nil
	}
	if err != nil {
		return err
	}
	var got struct {
		Data struct {
			Type    string            `json:"type"`
			Options map[string]string `json:"options"`
		} `json:"data"`
	}
	if r.status != http.StatusOK || !json.Valid(r.body) {
		return nil // A server that has no such page; the replies will tell.
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return unusable("look at the mount")
	}
	if version := got.Data.Options["version"]; version != "2" {
		text := "it is of another kind"
		if got.Data.Type == "kv" {
			text = "it is version 1; \"vault kv enable-versioning\" makes it version 2"
		}
		return &failure{kind: ErrNotKV2, op: "look at the mount", text: text}
	}
	s.isKV2.Store(true)
	return nil
}
