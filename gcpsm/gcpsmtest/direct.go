// The service without a connection, for tests that make calls by the million, and for those in
// a bubble of time, which the goroutines of a connection would not leave.

package gcpsmtest

import (
	"context"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
)

// Direct is Google's client, whose calls about one secret go to the service in memory without
// a connection, and without the client's retries. Lists and deletions take the connection.
type Direct struct {
	*secretmanager.Client
	service *Service
}

// Direct returns a client with a shorter way to the service.
func (s *Service) Direct(client *secretmanager.Client) Direct { return Direct{client, s} }

// CreateSecret is the client's.
func (d Direct) CreateSecret(ctx context.Context, in *secretmanagerpb.CreateSecretRequest, _ ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return d.service.CreateSecret(ctx, in)
}

// AddSecretVersion is the client's.
func (d Direct) AddSecretVersion(ctx context.Context, in *secretmanagerpb.AddSecretVersionRequest, _ ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return d.service.AddSecretVersion(ctx, in)
}

// AccessSecretVersion is the client's.
func (d Direct) AccessSecretVersion(ctx context.Context, in *secretmanagerpb.AccessSecretVersionRequest, _ ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return d.service.AccessSecretVersion(ctx, in)
}

// DestroySecretVersion is the client's.
func (d Direct) DestroySecretVersion(ctx context.Context, in *secretmanagerpb.DestroySecretVersionRequest, _ ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return d.service.DestroySecretVersion(ctx, in)
}

// EnableSecretVersion is the client's.
func (d Direct) EnableSecretVersion(ctx context.Context, in *secretmanagerpb.EnableSecretVersionRequest, _ ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return d.service.EnableSecretVersion(ctx, in)
}
