// What the server and the mount are, as opposed to what is stored in them: a
// wrong mount must never look like an empty store.

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"example.com/tokenstore/driver"
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
			Path    string            `json:"path"`
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
	if rest, longer := strings.CutPrefix(s.mount+"/", got.Data.Path); longer && rest != "" && got.Data.Path != "" {
		return &failure{kind: ErrNotKV2, op: "look at the mount", text: "the mount's path is shorter: what follows it belongs into the prefix, without data/ or metadata/"}
	}
	s.isKV2.Store(true)
	return nil
}

// isolate finds out, once, whether the server has namespaces, if one is asked for:
// one that has none ignores the name, and shows everybody the same secrets.
func (s *secrets) isolate(ctx context.Context) error {
	if s.link.namespace == "" || s.isolated.Load() {
		return nil
	}
	const op = "look at the server"
	r, err := s.link.do(ctx, call{op: op, method: http.MethodGet, path: "sys/health", root: true, params: url.Values{
		"standbyok": {"true"}, "perfstandbyok": {"true"}, "drsecondarycode": {"200"}, "sealedcode": {"200"}, "uninitcode": {"200"},
	}})
	if err != nil && r.status != http.StatusNotFound && (errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrThrottled) || ctx.Err() != nil) {
		return err
	}
	var health struct {
		Version    string `json:"version"`
		Enterprise *bool  `json:"enterprise"`
	}
	if err == nil && json.Unmarshal(r.body, &health) == nil && !hasNamespaces(health.Version, health.Enterprise) {
		return &failure{kind: driver.ErrNoContainer, op: op, text: "a namespace is set (WithNamespace, VAULT_NAMESPACE or the URL), and the server has none " +
			"and would ignore it: use a mount or a prefix for each tenant instead"}
	}
	s.isolated.Store(true) // As far as anybody tells: a proxy may keep the page to itself.
	return nil
}

// hasNamespaces reports whether a server has them, by its version and Vault's flag:
// Vault Enterprise, which older releases show by "+ent", and OpenBao from 2.3. A
// version that says nothing is not held against a server.
func hasNamespaces(version string, enterprise *bool) bool {
	if enterprise != nil {
		return *enterprise
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return true
	}
	return strings.Contains(version, "+ent") || strings.Contains(version, "+prem") || major > 2 || major == 2 && minor >= 3
}
