// Package vault keeps tokens in HashiCorp Vault, or in OpenBao, which speaks
// the same protocol: in a secrets engine of kind KV version 2. A token is one
// secret, and its fields are the secret's fields, so that Vault's own page and
// "vault kv get" show them and a person can change one with "vault kv patch".
//
//	client, err := api.NewClient(api.DefaultConfig()) // VAULT_ADDR, VAULT_TOKEN, …
//	store, err := vault.New(client, vault.WithMount("secret"))
//
// Every write is a check-and-set on the version that was read, which Vault
// decides on its active node. On a server whose standbys pass reads on, which
// is every Vault Community cluster, all promises of a store hold at every
// moment. Where standbys answer reads themselves (Vault Enterprise, OpenBao 2.5
// and later), [WithReads] says what a read has to wait for.
//
// # URL
//
// [tokenstore.Open] takes vault://mount/prefix?namespace=N&reads=R; everything but
// the mount is optional. A mount with slashes is written as vault:///prefix?mount=M.
// reads is "any" (the default), "own" or "active"; see [Reads]. pepper_file is that
// of [secretstore.URLOptions]. The server is read from VAULT_ADDR, VAULT_CACERT and
// the other variables of the client. The credentials are the first that is set of
// VAULT_TOKEN, the file VAULT_TOKEN_FILE, AppRole (VAULT_ROLE_ID with
// VAULT_SECRET_ID or VAULT_SECRET_ID_FILE) and Kubernetes (VAULT_KUBERNETES_ROLE),
// the latter two at VAULT_AUTH_MOUNT if that is not the usual path. The file
// ~/.vault-token, which "vault login" leaves, is not used.
//
// A namespace on a server that has none, such as Vault's community edition, would
// be ignored there, and tenants would share their secrets: it is refused when the
// URL is opened, or at the first call of a store of [New].
//
// # What is stored
//
// A secret has the fields of the token, and some whose names begin with "driver_":
// driver_nonce distinguishes a write from a later one with the same content,
// driver_version is the version that the write made, by which a rollback is
// recognised, driver_exact keeps numbers that Vault would round, and driver_deleted
// marks what was deleted. They are left out of what is read.
//
// # Errors
//
// A sealed server, a standby without an active node and a server that cannot be
// reached match driver.ErrUnavailable, a rate limit driver.ErrThrottled, a missing
// or expired permission driver.ErrDenied, and data that the storage does not take
// driver.ErrTooLarge. A request that Vault, or a proxy in front of it, does not
// accept, an address that cannot be used and a redirect to another host match
// driver.ErrInvalid. A namespace that does not exist matches driver.ErrNoContainer,
// and so does a mount that is not KV version 2, which also matches [ErrNotKV2].
//
// The client's *api.ResponseError is found with errors.As, without its URL. The
// errors of this package have neither a path nor words of the server that are not
// known to hold none.
//
// # Observability
//
// secretstore.WithObserver reports every call, secretstore.WithLogger what was left
// to the repair; pass both with [WithStoreOptions].
package vault

import (
	"errors"
	"fmt"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// ErrNotKV2 is matched by the error of a call to a mount that is not a secrets
// engine of kind KV version 2: it is version 1, another engine, or not there. It
// matches driver.ErrNoContainer, as the error of a missing namespace does.
var ErrNotKV2 = fmt.Errorf("%w: the mount is not a KV version 2 secrets engine", driver.ErrNoContainer)

// New returns the store that keeps its tokens behind client. It makes no call.
// The client stays the caller's: it is not changed, and its token is used as it
// is at the moment of each call, unless [WithLogin] or [WithSession] gives
// another one. Without options the mount is "secret" and the prefix
// "tokenstore/". An option that cannot be used gives an error that matches
// tokenstore.ErrInvalidArgument.
func New(client *api.Client, options ...Option) (*secretstore.Store, error) {
	s, c, err := build(client, options)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "new store", Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	return newStore(s, c)
}

func newStore(s *secrets, c config) (*secretstore.Store, error) {
	own := []secretstore.Option{secretstore.WithName(storeName), secretstore.WithEntries(), secretstore.WithPrefix(c.prefix)}
	return secretstore.New(s, append(own, c.store...)...)
}

// NewSecrets returns the driver under [New], for those who build a store, or a
// wrapper, of their own. It is a driver.Retirer, a
// driver.Limited and a driver.Advisor. An option that
// cannot be used gives an error that matches driver.ErrInvalid; options that
// concern the store only have no effect. It makes no call.
func NewSecrets(client *api.Client, options ...Option) (driver.Secrets, error) {
	s, _, err := build(client, options)
	if err != nil {
		return nil, fmt.Errorf("vault: %w: %w", driver.ErrInvalid, err)
	}
	return s, nil
}

const storeName = "vault"

func build(client *api.Client, options []Option) (*secrets, config, error) {
	c := defaults()
	for _, option := range options {
		option(&c)
	}
	if client == nil {
		return nil, c, errors.New("the client is nil")
	}
	if err := c.check(); err != nil {
		return nil, c, err
	}
	link, err := newLink(client, c)
	if err != nil {
		return nil, c, err
	}
	return &secrets{
		link:        link,
		mount:       c.mount,
		index:       c.prefix + "index/",
		maxSize:     c.maxSize,
		maxVersions: c.maxVersions,
		now:         c.now,
		takeOver:    takeOver,
		marks:       newMarks(),
		shapes:      newShapes(),
	}, c, nil
}
