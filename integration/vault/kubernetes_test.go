// Vault's Kubernetes login, with what examples/service/kubernetes.yaml configures, and an
// API server in the test that reviews the service accounts' tokens.

package vault_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"go.yaml.in/yaml/v3"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/vaultserver"
)

// manifest is what the tests use of examples/service/kubernetes.yaml.
type manifest struct {
	namespace, account string
	environment        map[string]string
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	file, err := os.Open("../../examples/service/kubernetes.yaml")
	must(t, err)
	defer func() { _ = file.Close() }()
	m := manifest{namespace: "default", environment: map[string]string{}} // kubectl's, where none is named
	for documents := yaml.NewDecoder(file); ; {
		var object struct {
			Kind     string
			Metadata struct{ Namespace string }
			Spec     struct {
				Template struct {
					Spec struct {
						ServiceAccountName string `yaml:"serviceAccountName"`
						Containers         []struct {
							Env []struct{ Name, Value string }
						}
					}
				}
			}
		}
		err := documents.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if object.Kind != "Deployment" {
			continue
		}
		if object.Metadata.Namespace != "" {
			m.namespace = object.Metadata.Namespace
		}
		pod := object.Spec.Template.Spec
		m.account = pod.ServiceAccountName
		for _, variable := range pod.Containers[0].Env {
			m.environment[variable.Name] = variable.Value
		}
	}
	if m.account == "" || m.environment["TOKEN_STORE"] == "" {
		t.Fatalf("the manifest has %+v", m)
	}
	return m
}

// cluster is a Kubernetes API server that issues and reviews service accounts' tokens.
type cluster struct {
	*httptest.Server
	reviewer string // the credential with which Vault asks

	mu      sync.Mutex
	issued  map[string]string // from a token to its account's user name
	reviews int
}

const accountUID = "fake-uid"

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{issued: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", c.review)
	c.Server = httptest.NewTLSServer(mux)
	t.Cleanup(c.Close)
	c.reviewer = c.issue(t, "vault", "vault")
	return c
}

// sign returns a token of a service account, which the cluster does not know.
func sign(t *testing.T, namespace, account string) string {
	t.Helper()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://kubernetes.default.svc.cluster.local", "aud": []string{"https://kubernetes.default.svc.cluster.local"},
		"sub": userName(namespace, account), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(),
		"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account, "uid": accountUID}},
	})
	must(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"fake"}`)) + "." + encode(claims) + "." + encode([]byte("fake-signature"))
}

// issue returns a token of a service account that the cluster vouches for.
func (c *cluster) issue(t *testing.T, namespace, account string) string {
	t.Helper()
	token := sign(t, namespace, account)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issued[token] = userName(namespace, account)
	return token
}

func userName(namespace, account string) string {
	return "system:serviceaccount:" + namespace + ":" + account
}

func (c *cluster) review(w http.ResponseWriter, r *http.Request) {
	var object struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       struct {
			Token     string   `json:"token"`
			Audiences []string `json:"audiences,omitempty"`
		} `json:"spec"`
		Status struct {
			Authenticated bool     `json:"authenticated"`
			Audiences     []string `json:"audiences,omitempty"`
			User          struct {
				Username string   `json:"username"`
				UID      string   `json:"uid"`
				Groups   []string `json:"groups"`
			} `json:"user"`
			Error string `json:"error,omitempty"`
		} `json:"status"`
	}
	if r.Header.Get("Authorization") != "Bearer "+c.reviewer {
		http.Error(w, "{}", http.StatusUnauthorized)
		return
	}
	if json.NewDecoder(r.Body).Decode(&object) != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	user, known := c.issued[object.Spec.Token]
	c.reviews++
	c.mu.Unlock()
	if known {
		object.Status.Authenticated, object.Status.Audiences = true, object.Spec.Audiences
		object.Status.User.Username, object.Status.User.UID = user, accountUID
		object.Status.User.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	} else {
		object.Status.Error = "invalid bearer token"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(object)
}

func (c *cluster) reviewed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reviews
}

// enableKubernetes does what docs/vault.md says under "Kubernetes", for the manifest's store.
func enableKubernetes(t *testing.T, root *api.Client, c *cluster, m manifest) {
	t.Helper()
	ctx := t.Context()
	location := strings.TrimPrefix(m.environment["TOKEN_STORE"], "vault://")
	mount, prefix, ok := strings.Cut(location, "/")
	if !ok {
		t.Fatalf("TOKEN_STORE=%s", m.environment["TOKEN_STORE"])
	}
	const policy = "tokens-writer"
	must(t, root.Sys().PutPolicyWithContext(ctx, policy, policyFor(t, mount, prefix, tokenstore.RoleWriter)))
	must(t, root.Sys().EnableAuthWithOptionsWithContext(ctx, "kubernetes", &api.EnableAuthOptions{Type: "kubernetes"}))
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	_, err := root.Logical().WriteWithContext(ctx, "auth/kubernetes/config", map[string]any{
		"kubernetes_host": c.URL, "kubernetes_ca_cert": string(authority), "token_reviewer_jwt": c.reviewer, "disable_local_ca_jwt": true,
	})
	must(t, err)
	_, err = root.Logical().WriteWithContext(ctx, "auth/kubernetes/role/"+m.environment["VAULT_KUBERNETES_ROLE"], map[string]any{
		"bound_service_account_names": m.account, "bound_service_account_namespaces": m.namespace,
		"token_policies": policy, "token_ttl": "1h",
	})
	must(t, err)
}

// TestKubernetes opens the store as a pod of the manifest does. The token of its service
// account is read again at each login, and other accounts and forged tokens are denied.
func TestKubernetes(t *testing.T) {
	server := vaultserver.New(t) // which, unlike one in a container, reaches the cluster
	root := server.Client
	m, c := readManifest(t), newCluster(t)
	enableKubernetes(t, root, c, m)
	file := filepath.Join(t.TempDir(), "token")
	for _, name := range []string{"VAULT_TOKEN", "VAULT_TOKEN_FILE", "VAULT_ROLE_ID", "VAULT_AUTH_MOUNT"} {
		t.Setenv(name, "")
	}
	for name, value := range m.environment {
		t.Setenv(name, value)
	}
	t.Setenv("VAULT_ADDR", root.Address())
	t.Setenv("VAULT_CACERT", server.Certificate())
	t.Setenv("VAULT_KUBERNETES_TOKEN_FILE", file) // A pod has it in its usual place.
	open := func(token string) tokenstore.OpenStore {
		t.Helper()
		must(t, os.WriteFile(file, []byte(token), 0o600))
		store, err := tokenstore.Open(t.Context(), os.Getenv("TOKEN_STORE"))
		must(t, err)
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	ctx := t.Context()

	pod := open(c.issue(t, m.namespace, m.account))
	saved, err := pod.SaveToken(ctx, fakeToken("mail@example.com:kubernetes"))
	must(t, err)
	other := open(c.issue(t, m.namespace, m.account))
	if got, err := other.FindToken(ctx, tokenstore.OAuthToken{UserName: saved.UserName}); err != nil || got != saved {
		t.Errorf("another pod: %v, %v", got, err)
	}
	if n := c.reviewed(); n != 2 {
		t.Errorf("%d reviews of two pods' tokens", n)
	}
	// The cluster has replaced the token that the first pod began with.
	must(t, os.WriteFile(file, []byte(c.issue(t, m.namespace, m.account)), 0o600))
	revokeLogins(t, root)
	if _, err := pod.FindTokenByID(ctx, saved.ID); err != nil || c.reviewed() != 3 {
		t.Errorf("after the login was revoked: %v, %d reviews", err, c.reviewed())
	}

	for what, token := range map[string]string{
		"service account name not authorized": c.issue(t, m.namespace, "stranger"),
		"namespace not authorized":            c.issue(t, "elsewhere", m.account),
		"the credential was refused":          sign(t, m.namespace, m.account), // by the cluster
	} {
		_, err := open(token).FindTokenByID(ctx, saved.ID)
		if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), token) {
			t.Errorf("%v; want: %s", err, what)
		}
	}
}

// revokeLogins ends every login by the Kubernetes method.
func revokeLogins(t *testing.T, root *api.Client) {
	t.Helper()
	must(t, root.Sys().RevokePrefixWithContext(t.Context(), "auth/kubernetes/login"))
}
