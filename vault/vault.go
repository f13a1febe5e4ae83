// Package vault keeps tokens in HashiCorp Vault, or in OpenBao, which has the same
// API, in a KV version 2 secrets engine. A token is one secret, and its fields are the
// secret's fields, so that Vault's UI and "vault kv get" show them and a person can
// change one with "vault kv patch".
//
//	client, err := api.NewClient(api.DefaultConfig()) // VAULT_ADDR, VAULT_TOKEN, …
//	store, err := vault.New(client, vault.WithMount("secret"))
//
// Every write is a check-and-set on the version that was read, which Vault decides on
// its active node. Where standbys forward reads, as in every Vault Community cluster,
// a store keeps all its promises at all times. Where standbys answer reads themselves
// (Vault Enterprise, OpenBao 2.5 and later), [WithReads] sets how consistent a read
// must be.
//
// # URL
//
// [tokenstore.Open] takes vault://mount/prefix?namespace=N&reads=R; everything but the
// mount is optional. A mount with slashes is written as vault:///prefix?mount=M. reads
// is "any" (the default), "own" or "active"; see [Reads]. pepper_file and access_index are as
// in [secretstore.URLOptions]. The server comes from VAULT_ADDR, VAULT_CACERT and the
// client's other variables. The credentials are the first that is set of VAULT_TOKEN,
// the file VAULT_TOKEN_FILE, AppRole (VAULT_ROLE_ID with VAULT_SECRET_ID or
// VAULT_SECRET_ID_FILE) and Kubernetes (VAULT_KUBERNETES_ROLE, with the service
// account's token from VAULT_KUBERNETES_TOKEN_FILE if it is not in its usual place); the
// latter two use VAULT_AUTH_MOUNT if it is set. The file ~/.vault-token, which "vault
// login" writes, is not used.
//
// A server without namespaces, such as Vault's community edition, would ignore a
// namespace, and tenants would share their secrets. So the namespace is refused when
// the URL is opened, or at the first call of a store from [New].
//
// # What is stored
//
// A secret has the token's fields, and some whose names begin with "driver_":
// driver_nonce distinguishes a write from a later one with the same content,
// driver_version is the version that the write made, which reveals a rollback,
// driver_exact keeps numbers that Vault would round, and driver_deleted marks a deleted
// secret. Reads leave them out.
//
// The index has no access token of a token with another key, since it changes hourly. A
// find by one that the process has not seen reads tokens, 200 at a time, until it has found
// it, and needs permission to list; see [secretstore.WithoutAccessIndex] and, for programs
// that do so often, [secretstore.WithAccessIndex].
//
// # Errors
//
// A sealed server, a standby without an active node and a server that cannot be
// reached match driver.ErrUnavailable, a rate limit driver.ErrThrottled, a missing or
// expired permission driver.ErrDenied, and data that the storage does not accept
// driver.ErrTooLarge. A request that Vault or a proxy in front of it does not accept,
// an invalid address and a redirect to another host match driver.ErrInvalid. A
// namespace that does not exist matches driver.ErrNoContainer, and so does a mount that
// is not KV version 2, which also matches [ErrNotKV2].
//
// The client's *api.ResponseError is found with errors.As, without its URL. The errors
// of this package hold no path, and of the server's messages only known phrases.
//
// # Observability
//
// secretstore.WithObserver reports every call, secretstore.WithLogger the work left to
// the repair; pass both with [WithStoreOptions].
package vault

import (
	"errors"
	"fmt"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// ErrNotKV2 is matched by the error of a call to a mount that is not a KV version 2
// secrets engine: it is version 1 or another engine, or does not exist. It matches
// driver.ErrNoContainer, as the error of a missing namespace does.
var ErrNotKV2 = fmt.Errorf("%w: the mount is not a KV version 2 secrets engine", driver.ErrNoContainer)

// New returns the store of tokens behind client. It makes no call. The client is not
// changed, and each call uses its current token, unless [WithLogin] or [WithSession]
// provides another. Without options the mount is "secret" and the prefix
// "tokenstore/". An invalid option gives an error that matches
// tokenstore.ErrInvalidArgument.
func New(client *api.Client, options ...Option) (*secretstore.Store, error) {
	s, c, err := build(client, options)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "new store", Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	return newStore(s, c)
}

func newStore(s *secrets, c config) (*secretstore.Store, error) {
	own := []secretstore.Option{secretstore.WithName(storeName), secretstore.WithEntries(), secretstore.WithoutAccessIndex(), secretstore.WithPrefix(c.prefix)}
	return secretstore.New(s, append(own, c.store...)...)
}

// NewSecrets returns the driver under [New], for programs that build their own store or
// wrapper on it. It also implements driver.Retirer, driver.Limited and driver.Advisor.
// An invalid option gives an error that matches driver.ErrInvalid; options that only
// concern the store have no effect. It makes no call.
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
		return nil, c, errors.New("the client must not be nil")
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
		index:       c.prefix + indexFolder,
		maxSize:     c.maxSize,
		maxVersions: c.maxVersions,
		now:         c.now,
		takeOver:    takeOver,
		marks:       newMarks(),
		shapes:      newShapes(),
	}, c, nil
}
