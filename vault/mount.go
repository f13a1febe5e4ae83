// Checks of the server and the mount, separate from what they store: a wrong mount must
// never look like an empty store.

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenstore/driver"
)

// ensure checks once whether the mount is KV version 2: version 1 accepts the same
// requests, and stores something else. If the token may not ask, the replies of later calls
// decide.
func (s *secrets) ensure(ctx context.Context) error {
	if s.isKV2.Load() {
		return nil
	}
	r, err := s.link.do(ctx, call{op: "check the mount", method: http.MethodGet, path: "sys/internal/ui/mounts/" + s.mount})
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
		return nil // The server lacks that page; later replies decide.
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return unusable("check the mount")
	}
	if version := got.Data.Options["version"]; version != "2" {
		text := "it is another kind of engine; correct the mount"
		if got.Data.Type == "kv" {
			text = "it is version 1; upgrade it with \"vault kv enable-versioning\""
		}
		return &failure{kind: ErrNotKV2, op: "check the mount", text: text}
	}
	if rest, longer := strings.CutPrefix(s.mount+"/", got.Data.Path); longer && rest != "" && got.Data.Path != "" {
		return &failure{kind: ErrNotKV2, op: "check the mount", text: "the mount's path is shorter: move the rest to the prefix, without data/ or metadata/"}
	}
	s.isKV2.Store(true)
	return nil
}

// isolate checks once whether the server has namespaces, if one is set: a server without
// them ignores the name, and shows everybody the same secrets.
func (s *secrets) isolate(ctx context.Context) error {
	if s.link.namespace == "" || s.isolated.Load() {
		return nil
	}
	const op = "check the server"
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
		return &failure{kind: driver.ErrNoContainer, op: op, text: "a namespace is set (WithNamespace, VAULT_NAMESPACE or the URL), but the server has none " +
			"and would ignore it: use a mount or prefix per tenant instead"}
	}
	s.isolated.Store(true) // As far as is known: a proxy may hide the page.
	return nil
}

// hasNamespaces reports whether a server has them, by its version and Vault's flag: Vault
// Enterprise, which older releases mark with "+ent", and OpenBao from 2.3. An unknown
// version counts as yes.
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

// Advice checks the mount's settings, for which the token needs the capability read on its
// config. Without it, advice is based on the secrets seen so far.
func (s *secrets) Advice(ctx context.Context) ([]string, error) {
	if err := s.isolate(ctx); err != nil {
		return nil, err
	}
	const op = "read the mount's settings"
	r, err := s.link.do(ctx, call{op: op, method: http.MethodGet, path: s.mount + "/config"})
	var got struct {
		Data struct {
			CAS         bool   `json:"cas_required"`
			MetadataCAS bool   `json:"metadata_cas_required"`
			DeleteAfter string `json:"delete_version_after"`
		} `json:"data"`
	}
	if err == nil && (r.status != http.StatusOK || json.Unmarshal(r.body, &got) != nil) {
		err = unusable(op)
	}
	var advice []string
	switch after, _ := time.ParseDuration(got.Data.DeleteAfter); {
	case after > 0:
		advice = append(advice, fmt.Sprintf("the mount deletes its secrets after %s: set its delete_version_after to 0s, or tokens will be lost", after))
	case s.expiring.Load():
		advice = append(advice, "Vault will delete secrets of this store by itself: unset delete_version_after of the mount and of each secret, or tokens will be lost")
	}
	if got.Data.CAS {
		advice = append(advice, "the mount requires check-and-set (cas_required): the store complies, but \"vault kv patch\" needs -method=rw or -cas")
	}
	if got.Data.MetadataCAS {
		advice = append(advice, "the mount requires check-and-set for metadata (metadata_cas_required): the index cannot limit its versions and uses the mount's number")
	}
	return advice, err
}
