// The service on a local port, for programs that need an address instead of a client.

package gcpsmtest

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// Listen serves the principal's calls on a free port of 127.0.0.1, gRPC and HTTP with
// JSON alike, unencrypted, until stop is called. It is for programs that take an
// address.
func (p *Principal) Listen(ctx context.Context) (address string, stop func() error, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	calls := grpc.NewServer()
	p.Register(calls)
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Protocols:         new(http.Protocols),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
				calls.ServeHTTP(w, r)
				return
			}
			p.ServeHTTP(w, r)
		}),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }() // It returns when it is closed.
	return listener.Addr().String(), server.Close, nil
}
