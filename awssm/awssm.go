// Package awssm keeps tokens in AWS Secrets Manager: one secret per token, and one
// or a few for the index. [New] returns the store; [NewSecrets] returns the driver
// alone, for programs that build their own store on it.
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	...
//	store, err := awssm.New(secretsmanager.NewFromConfig(cfg), awssm.WithPrefix("crm/"))
//
// # URL
//
// [tokenstore.Open] takes awssm://prefix/more?region=eu-central-1. Host and path
// are the prefix, "tokenstore/" by default. Credentials, and the region if the URL
// has none, come from the SDK's default chain: environment, shared files (profile
// names one of their profiles), and the roles of containers, functions and machines.
// kms_key, recovery_days and fanout are as in the options of [New];
// recovery_days=0 deletes by force. pepper_file and rotating are as in
// [secretstore.URLOptions].
// endpoint is the base URL of an emulator; without TLS it must be on this machine,
// unless insecure is true.
//
// # Writes
//
// A secret is replaced in three calls. PutSecretValue stores a version under a
// candidate label; its ID is derived from the version that it is to replace, so
// that of several writers only one stores a version. UpdateSecretVersionStage moves
// AWSCURRENT to it, naming the version that it takes the label from. This is the
// service's own compare-and-swap. It also fails if a person has saved the secret in
// the console in between, so no manual edit is silently overwritten. Finally
// GetSecretValue confirms that the version holds this writer's data.
//
// The service accepts about 100 new versions of a secret per day. So the access
// token, which changes hourly, is not indexed; see
// [secretstore.WithoutAccessIndex], and [secretstore.WithRotating] for refresh
// tokens that change as often.
//
// # Deletion
//
// A deleted token is overwritten by a tombstone, and its secret is scheduled for
// deletion with a recovery window, seven days by default. Until then the name is
// reserved; a save that needs it restores the secret.
//
// # Errors
//
// Errors match the sentinels of packages tokenstore and driver with errors.Is,
// and the SDK's own types with errors.As. Their text holds the operation and the
// service's error code, never its message, since that may quote the request.
//
// The client's own retryer retries throttled and failed calls. The client is never
// changed.
package awssm

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// API is the part of the service's client that the package needs.
// *secretsmanager.Client implements it, and so does the fake of package awssmtest.
type API interface {
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
	RestoreSecret(context.Context, *secretsmanager.RestoreSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RestoreSecretOutput, error)
	ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
}

// New returns the store of tokens in the client's account and region. An invalid
// option gives an error that matches tokenstore.ErrInvalidArgument. It makes no
// call.
func New(client API, options ...Option) (*secretstore.Store, error) {
	c, err := configure(client, options)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "new", Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	return secretstore.New(newSecrets(client, c), c.storeOptions()...)
}

// NewSecrets returns the driver alone, which also implements driver.BatchGetter,
// driver.Limited and driver.Retirer. An invalid option gives an error that matches
// driver.ErrInvalid; options that only concern the store have no effect. It makes
// no call.
func NewSecrets(client API, options ...Option) (driver.Secrets, error) {
	c, err := configure(client, options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrInvalid, err)
	}
	return newSecrets(client, c), nil
}
