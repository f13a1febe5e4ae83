// Package gcpsm keeps tokens in Google Cloud's Secret Manager: one secret per
// token, and one or a few for the index. [New] returns the store; [NewSecrets]
// returns the driver alone, for programs that build their own store on it.
//
//	client, err := secretmanager.NewClient(ctx)
//	...
//	store, err := gcpsm.New(client, "my-project", gcpsm.WithPrefix("crm/"))
//
// # URL
//
// [tokenstore.Open] takes gcpsm://my-project/prefix/more?location=europe-west3.
// The host is the project and the path the prefix, "tokenstore/" by default.
// Credentials are the application default credentials. location selects regional
// secrets; replicas lists the locations of global ones, separated by commas, and
// cannot be combined with location or kms_key. kms_key and fanout are as in the
// options of [New], pepper_file and rotating as in [secretstore.URLOptions].
// transport is "grpc", or "rest" where only HTTP gets through. endpoint is the host:port of an
// emulator: the connection to it is not encrypted, and no credentials are used. If
// it is on another machine, insecure=true is required.
//
// # Writes
//
// The service can only append versions to a secret, unconditionally, and only an
// access by version number is strongly consistent: "latest" may be minutes out of
// date. So each version records the version it was based on, and of several based
// on the same one the lowest number counts. A save adds its version and then
// checks whether it won; readers start from a version number they know and read
// on to the last one. A version that a person adds in the console counts as the
// successor of the one before it.
//
// A later save destroys the version that a save replaced, ten minutes later at the
// earliest, so that no token has more than two billed versions for long.
//
// # Deletion
//
// A deleted token is overwritten by a tombstone, and its older versions are
// destroyed at once. The repair removes the secret itself after a day. If an operator has set a
// version-destroy-ttl on the secret, the token can be undeleted until that is over, and the
// secret stays as long.
//
// # Errors
//
// Errors match the sentinels of packages tokenstore and driver with errors.Is,
// and the client's own types, such as *apierror.APIError, with errors.As. Their
// text holds the method and the status code, never the service's message, since
// that may quote the request. A role without access to a secret gets ErrDenied. A
// project, location or endpoint that does not exist gives ErrNoContainer or
// ErrDenied, depending on the service's answer. Neither is ever ErrNotFound, which
// requires an answer that names the secret.
//
// The package itself retries calls that exceed a quota, and reads that got no
// answer. For a write that got no answer it checks whether the write was applied,
// and never sends it twice. The client is never changed.
package gcpsm

import (
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// New returns the store of tokens in a project, given by its ID or number. An
// invalid option gives an error that matches tokenstore.ErrInvalidArgument. It
// makes no call.
func New(client API, project string, options ...Option) (*secretstore.Store, error) {
	c, err := configure(client, project, options)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "new", Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	return secretstore.New(newSecrets(client, c), c.storeOptions()...)
}

// NewSecrets returns the driver alone, which also implements driver.Limited,
// driver.Retirer and driver.Pruner. An invalid option gives an error that matches
// driver.ErrInvalid; options that only concern the store have no effect. It makes
// no call.
func NewSecrets(client API, project string, options ...Option) (driver.Secrets, error) {
	c, err := configure(client, project, options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrInvalid, err)
	}
	return newSecrets(client, c), nil
}

var errNoClient = errors.New("the client must not be nil")
