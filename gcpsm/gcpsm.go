// Package gcpsm keeps tokens in Google Cloud's Secret Manager: one secret for
// each token and one or a few for the index. [New] gives the store; [NewSecrets]
// gives the driver alone, for those who build their own.
//
//	client, err := secretmanager.NewClient(ctx)
//	...
//	store, err := gcpsm.New(client, "my-project", gcpsm.WithPrefix("crm/"))
//
// # URL
//
// [tokenstore.Open] takes gcpsm://my-project/prefix/more?location=europe-west3.
// Host and path are the project and the prefix; without a path it is
// "tokenstore/". Credentials are the application default credentials. location is
// that of regional secrets; replicas are locations, with commas between, of global
// ones, and go with neither location nor kms_key. kms_key and fanout are as the
// options of [New], pepper_file is that of [secretstore.URLOptions]. transport is
// "grpc", or "rest" where only HTTP gets through.
// endpoint is host:port of an emulator: the connection to it is not encrypted, and
// no credentials are looked for or sent. If it is not on this machine, insecure=true
// must say that this is meant.
//
// # Writes
//
// The service adds versions to a secret and has no condition for that, and only
// what is accessed by its number is what is there now: "latest" may be minutes
// old. So each version says which one it was based on, and of several that were
// based on the same one the lowest number counts. A save adds its version and
// then looks whether it has won; readers go on from a number that they know
// until there is no further one. A version that a person adds in the console
// counts as the successor of the one before it.
//
// What a save has replaced is destroyed by a later save, no sooner than ten
// minutes after, so that a token is not paid for more than twice for long.
//
// # Deletion
//
// A deleted token is overwritten by a tombstone, and its older versions are
// destroyed at once. The repair removes the secret itself after a day.
//
// # Errors
//
// Errors match the sentinels of packages tokenstore and driver with errors.Is,
// and the client's own types, such as *apierror.APIError, with errors.As. Their
// text holds the method and the status code, never the service's message, since
// a message may quote the request. A role that may not access a secret gets
// ErrDenied, and a project, a location or an endpoint that does not exist gives
// ErrNoContainer or ErrDenied, as the service tells: neither is ever ErrNotFound,
// which needs an answer that names the secret.
//
// The package itself makes again what the service refuses for a quota, and reads
// that got no answer; a write that got none is looked for, and never sent twice.
// The client is never changed.
package gcpsm

import (
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// New returns the store of tokens that a project holds, which is given by its ID
// or number. An option that cannot be used gives an error that matches
// tokenstore.ErrInvalidArgument. It makes no call.
func New(client API, project string, options ...Option) (*secretstore.Store, error) {
	c, err := configure(client, project, options)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "new", Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	return secretstore.New(newSecrets(client, c), c.storeOptions()...)
}

// NewSecrets returns the driver alone. It implements driver.Limited,
// driver.Retirer and driver.Pruner too. An option that cannot be used gives an error that matches
// driver.ErrInvalid; options that concern the store only have no effect. It
// makes no call.
func NewSecrets(client API, project string, options ...Option) (driver.Secrets, error) {
	c, err := configure(client, project, options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrInvalid, err)
	}
	return newSecrets(client, c), nil
}

var errNoClient = errors.New("the client is nil")
