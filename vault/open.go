// The vault: URL, with server and credentials from the environment, for programs that
// choose their store by configuration.

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

func init() {
	tokenstore.Register(storeName, openURL)
	tokenstore.Describe(storeName, tokenstore.Usage{Example: "vault://MOUNT/PREFIX", About: "HashiCorp Vault or OpenBao, KV version 2"})
}

// The opener's environment variables, in addition to those that the client reads itself
// (VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT and so on).
const (
	envToken          = api.EnvVaultToken
	envTokenFile      = "VAULT_TOKEN_FILE"
	envRoleID         = "VAULT_ROLE_ID"
	envSecretID       = "VAULT_SECRET_ID"
	envSecretIDFile   = "VAULT_SECRET_ID_FILE"
	envKubernetes     = "VAULT_KUBERNETES_ROLE"
	envKubernetesFile = "VAULT_KUBERNETES_TOKEN_FILE"
	envAuthMount      = "VAULT_AUTH_MOUNT"
)

// The parameters of a URL.
var parameters = []string{"mount", "namespace", "reads", secretstore.ParamPepperFile, secretstore.ParamAccessIndex}

// openURL opens the store that a URL names; see the package comment.
func openURL(ctx context.Context, u *url.URL) (tokenstore.OpenStore, error) {
	if err := tokenstore.CheckParams(u, parameters...); err != nil {
		return nil, err
	}
	options, err := urlOptions(u)
	if err != nil {
		return nil, openError(err)
	}
	common, err := secretstore.URLOptions(u)
	if err != nil {
		return nil, err
	}
	client, err := environmentClient()
	if err != nil {
		return nil, openError(err)
	}
	method, err := environmentLogin()
	if err != nil {
		return nil, openError(err)
	}
	if method != nil {
		options = append(options, WithLogin(method))
	}
	closer := func() error {
		client.CloneConfig().HttpClient.CloseIdleConnections()
		return nil
	}
	options = append(options, WithStoreOptions(common...), WithStoreOptions(secretstore.WithClose(closer)))
	s, c, err := build(client, options)
	if err != nil {
		return nil, openError(err)
	}
	if err := s.refused(ctx); err != nil {
		return nil, openError(err)
	}
	store, err := newStore(s, c)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// openWithin limits how long opening a store waits to learn about namespaces.
const openWithin = 5 * time.Second

// refused returns an error if a namespace is set that the server would ignore. If the
// server does not answer in time, the first call asks it again.
func (s *secrets) refused(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	if err := s.isolate(ctx); errors.Is(err, driver.ErrNoContainer) {
		return err
	}
	return nil
}

func openError(err error) error {
	return &tokenstore.Error{Store: storeName, Op: "open", Kind: tokenstore.ErrInvalidArgument, Err: err}
}

func urlOptions(u *url.URL) ([]Option, error) {
	query := u.Query()
	mount := u.Host
	if mount == "" {
		mount = query.Get("mount")
	} else if query.Get("mount") != "" {
		return nil, errors.New("the mount is given twice: use either the host or mount=…")
	}
	if mount == "" || u.Opaque != "" || u.Fragment != "" || u.Port() != "" {
		return nil, errors.New("the URL must have the form vault://mount/prefix; the address comes from VAULT_ADDR")
	}
	options := []Option{WithMount(mount), WithNamespace(query.Get("namespace"))}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		options = append(options, WithPrefix(prefix+"/"))
	}
	reads, ok := map[string]Reads{"": ReadsAnyNode, "any": ReadsAnyNode, "own": ReadsOwnWrites, "active": ReadsActiveNode}[query.Get("reads")]
	if !ok {
		return nil, errors.New("reads must be any, own or active")
	}
	return append(options, WithReads(reads)), nil
}

// idleConnections is enough for the parallel reads of one GetTokens.
const idleConnections = 32

// environmentClient returns a client configured by the environment.
func environmentClient() (*api.Client, error) {
	c := api.DefaultConfig()
	if c.Error != nil {
		return nil, environmentError(c.Error)
	}
	if transport, ok := c.HttpClient.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = idleConnections
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, environmentError(err)
	}
	return client, nil
}

// environmentError names the variable to correct. It leaves out the client's own text,
// which quotes the address with its user.
func environmentError(err error) error {
	var address *url.Error
	var number *strconv.NumError
	switch {
	case errors.As(err, &address):
		return errors.New("VAULT_ADDR, VAULT_AGENT_ADDR and VAULT_PROXY_ADDR must have the form https://host:port")
	case errors.As(err, &number):
		return errors.New("VAULT_MAX_RETRIES must be a number")
	}
	return fmt.Errorf("invalid environment: %w", err)
}

// environmentLogin returns the login that the environment configures, or nil for a plain
// token.
func environmentLogin() (api.AuthMethod, error) {
	at := os.Getenv(envAuthMount)
	switch {
	case os.Getenv(envToken) != "":
		return nil, nil
	case os.Getenv(envTokenFile) != "":
		return LoginTokenFile(os.Getenv(envTokenFile)), nil
	case os.Getenv(envRoleID) != "":
		secretID := approle.SecretID{FromEnv: envSecretID}
		if file := os.Getenv(envSecretIDFile); file != "" {
			secretID = approle.SecretID{FromFile: file}
		}
		var options []approle.LoginOption
		if at != "" {
			options = append(options, approle.WithMountPath(at))
		}
		return LoginAppRole(os.Getenv(envRoleID), secretID, options...)
	case os.Getenv(envKubernetes) != "":
		var options []kubernetes.LoginOption
		if at != "" {
			options = append(options, kubernetes.WithMountPath(at))
		}
		if file := os.Getenv(envKubernetesFile); file != "" {
			options = append(options, kubernetes.WithServiceAccountTokenPath(file))
		}
		return LoginKubernetes(os.Getenv(envKubernetes), options...)
	}
	return nil, fmt.Errorf("no credentials: set %s, %s, %s or %s", envToken, envTokenFile, envRoleID, envKubernetes)
}
