// Servers in containers, for a machine with Docker where no server is named.

package need

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// The images of the servers. Both are pinned, so that runs are reproducible;
// environment variables can name others.
const (
	// The last LocalStack that needs no account.
	localstackImage = "localstack/localstack:4.14.0"
	vaultImage      = "hashicorp/vault:1.21.0"

	EnvLocalstackImage = "TOKENSTORE_TEST_LOCALSTACK_IMAGE"
	EnvVaultImage      = "TOKENSTORE_TEST_VAULT_IMAGE"
)

// startTime is how long a container may take to become ready, including the download of
// its image.
const startTime = 5 * time.Minute

// box is a server in a container, started when the first test needs it and
// removed by Main.
type box struct {
	image, imageVariable string
	port                 string            // such as "4566/tcp"
	ready                string            // path that answers 200
	environment          map[string]string // of the container
	publish              func(endpoint string) error

	once      sync.Once
	container *testcontainers.DockerContainer
	err       error
}

var localstack = &box{
	image: localstackImage, imageVariable: EnvLocalstackImage,
	port: "4566/tcp", ready: "/_localstack/health",
	environment: map[string]string{"SERVICES": "secretsmanager"},
	publish: func(endpoint string) error {
		return os.Setenv(EnvAWS, endpoint)
	},
}

var vault = &box{
	image: vaultImage, imageVariable: EnvVaultImage,
	port: "8200/tcp", ready: "/v1/sys/health",
	environment: map[string]string{
		"VAULT_DEV_ROOT_TOKEN_ID":  "root",
		"VAULT_DEV_LISTEN_ADDRESS": "0.0.0.0:8200",
		"SKIP_SETCAP":              "true", // dev mode locks no memory
	},
	publish: func(endpoint string) error {
		return errors.Join(os.Setenv(EnvVaultAddr, endpoint), os.Setenv(EnvVaultToken, "root"))
	},
}

// errNoDocker is returned if no Docker engine answers.
var errNoDocker = errors.New("no Docker engine answers")

// open starts the container unless this process has done so already, and sets the
// environment variables that name the server, for this process and those that it
// starts. It does nothing if the server is already named. Without Docker it ends the
// test with a hint about what is needed and what is wrong with Docker; if an engine
// answers but does not start the container, the test fails.
func (b *box) open(t testing.TB, variable, hint string) {
	t.Helper()
	if os.Getenv(variable) != "" {
		return
	}
	b.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		b.err = b.start(ctx)
	})
	switch {
	case errors.Is(b.err, errNoDocker):
		missing(t, needed(hint, variable)+": "+strings.Join(strings.Fields(b.err.Error()), " "))
	case b.err != nil:
		t.Fatalf("starting %s: %v", b.name(), b.err)
	}
}

func (b *box) start(ctx context.Context) error {
	if err := engine(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNoDocker, err)
	}
	var err error
	b.container, err = testcontainers.Run(ctx, b.name(),
		testcontainers.WithExposedPorts(b.port),
		testcontainers.WithEnv(b.environment),
		testcontainers.WithHostConfigModifier(b.loopback),
		testcontainers.WithWaitStrategyAndDeadline(startTime, wait.ForHTTP(b.ready).WithPort(b.port)),
	)
	if err != nil {
		return err
	}
	endpoint, err := b.container.PortEndpoint(ctx, b.port, "http")
	if err != nil {
		return err
	}
	return b.publish(endpoint)
}

// loopback publishes the port on this machine only.
func (b *box) loopback(host *container.HostConfig) {
	host.PortBindings = network.PortMap{
		network.MustParsePort(b.port): {{HostIP: netip.MustParseAddr("127.0.0.1")}},
	}
}

func (b *box) close() error {
	if b.container == nil {
		return nil
	}
	return testcontainers.TerminateContainer(b.container)
}

func (b *box) name() string {
	if image := os.Getenv(b.imageVariable); image != "" {
		return image
	}
	return b.image
}

// engine returns nil if a Docker engine answers.
func engine(ctx context.Context) (err error) {
	defer func() { // testcontainers panics where it finds no engine at all
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close() }() // nothing is left to do if that fails
	return provider.Health(ctx)
}
