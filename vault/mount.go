// What the server and the mount are, as opposed to what is stored in them: a
// wrong mount must never look like an empty store.

package vault

import (
	"context"
	"encoding/json"
	"net/http"
)

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
