package awssm_test

import (
	"testing"

	"example.com/tokenstore/internal/adaptertest"
)

// TestConsumer builds a module that imports only awssm.
func TestConsumer(t *testing.T) {
	t.Parallel()
	adaptertest.Consumer{
		Package: "awssm", Client: "github.com/aws/aws-sdk-go-v2/service/secretsmanager",
		Own: []string{"github.com/aws/", "example.com/"},
		Others: []string{
			"cloud.google.com/go/secretmanager", "google.golang.org/grpc", "google.golang.org/api", "google.golang.org/protobuf",
			"github.com/googleapis/gax-go", "github.com/hashicorp/vault/api", "modernc.org/sqlite",
		},
	}.Run(t)
}
