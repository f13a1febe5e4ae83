package gcpsm_test

import (
	"testing"

	"example.com/tokenstore/internal/adaptertest"
)

// TestConsumer builds a module that imports only gcpsm.
func TestConsumer(t *testing.T) {
	t.Parallel()
	adaptertest.Consumer{
		Package: "gcpsm", Client: "cloud.google.com/go/secretmanager/apiv1",
		Others: []string{
			"github.com/aws/", "github.com/hashicorp/vault", "modernc.org/",
			"github.com/spf13/", "github.com/gofrs/", "pgregory.net/", "github.com/anishathalye/",
		},
	}.Run(t)
}
