package gcpsmtest_test

import (
	"testing"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/tokenstore/gcpsm/gcpsmtest"
)

func TestListenServesBothClients(t *testing.T) {
	w := newWorld(t, gcpsmtest.Real())
	address, stop, err := w.service.Listen(t.Context())
	w.must(err)
	overGRPC, err := secretmanager.NewClient(t.Context(), option.WithEndpoint(address), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	w.must(err)
	overHTTP, err := secretmanager.NewRESTClient(t.Context(), option.WithEndpoint("http://"+address), option.WithoutAuthentication())
	w.must(err)
	w.client = overGRPC
	w.create("a")
	w.add("a", "one")
	w.client = overHTTP
	w.reads("a", "1", "one")
	w.add("a", "two")
	w.client = overGRPC
	w.reads("a", "latest", "two")
	for _, client := range []*secretmanager.Client{overGRPC, overHTTP} {
		w.must(client.Close())
	}
	w.must(stop())
}

// TestRegister registers a principal with a server of the user's own.
func TestRegister(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	server := grpc.NewServer()
	w.service.As("secretmanager.versions.access").Register(server)
	if _, ok := server.GetServiceInfo()[secretmanagerpb.SecretManagerService_ServiceDesc.ServiceName]; !ok {
		t.Error("the service is not registered")
	}
}
