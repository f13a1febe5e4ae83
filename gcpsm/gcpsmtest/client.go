// Google's own gRPC client over a connection in memory, so that tests exercise the real
// client's retries and errors.

package gcpsmtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// Client returns Google's gRPC client, connected to the service in memory as this
// principal, without credentials. It retries accesses as Google's does, pausing on the
// service's clock. Closing it stops everything started for it. Options may add to the
// client, but not connect it to another server.
func (p *Principal) Client(ctx context.Context, options ...option.ClientOption) (*secretmanager.Client, error) {
	conn, err := grpc.NewClient("passthrough:///gcpsmtest", grpc.WithContextDialer(p.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	client, err := secretmanager.NewClient(ctx, append(options, option.WithGRPCConn(conn))...)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	client.CallOptions.AccessSecretVersion = append(client.CallOptions.AccessSecretVersion, gax.WithRetry(p.service.hasty))
	return client, nil
}

// Register makes the principal the Secret Manager of a gRPC server.
func (p *Principal) Register(server grpc.ServiceRegistrar) {
	secretmanagerpb.RegisterSecretManagerServiceServer(server, p)
}

const bufferSize = 256 << 10

// dial starts a server for one connection; both end together.
func (p *Principal) dial(ctx context.Context, _ string) (net.Conn, error) {
	listener := bufconn.Listen(bufferSize)
	server := grpc.NewServer()
	p.Register(server)
	go func() { _ = server.Serve(listener) }() // It returns when the connection ends.
	conn, err := listener.DialContext(ctx)
	if err != nil {
		server.Stop()
		return nil, err
	}
	return served{conn, server}, nil
}

// served is a connection that ends its server.
type served struct {
	net.Conn
	server *grpc.Server
}

// Close ends the connection and the server behind it.
func (s served) Close() error {
	err := s.Conn.Close()
	go s.server.Stop()
	return err
}

// hasty returns the client's own retryer for accesses, on the service's clock: the pause
// before a retry passes at once. (API, its service configuration: 2 seconds, doubled
// each time, up to 60.)
func (s *Service) hasty() gax.Retryer {
	return &hasty{clock: s.clock, pause: 2 * time.Second}
}

type hasty struct {
	clock *Clock
	pause time.Duration
}

// Retry moves the clock instead of waiting.
func (h *hasty) Retry(err error) (time.Duration, bool) {
	var api *apierror.APIError
	if !errors.As(err, &api) {
		return 0, false
	}
	again := api.HTTPCode() == http.StatusServiceUnavailable || api.HTTPCode() == http.StatusTooManyRequests
	if st := api.GRPCStatus(); st != nil {
		again = again || st.Code() == codes.Unavailable || st.Code() == codes.ResourceExhausted
	}
	if again {
		h.clock.Advance(h.pause)
		h.pause = min(2*h.pause, time.Minute)
	}
	return 0, again
}
