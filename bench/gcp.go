// Google Cloud's Secret Manager: the service in memory, behind Google's gRPC client.

package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/iterator"

	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/costs"
	"example.com/tokenstore/secretstore"
)

const (
	onGCP   = "Google Cloud"
	project = "test-project"
)

func gcpWays() []way {
	bares := func(build func(k *keeper, client, fast bare)) func(context.Context, world) (*keeper, error) {
		return func(ctx context.Context, w world) (*keeper, error) {
			k, client, fast, err := newGCP(ctx, w)
			if err == nil {
				build(k, gcpBare{client}, gcpBare{fast})
			}
			return k, err
		}
	}
	return []way{
		{service: onGCP, name: "this library", ours: true, open: gcpStore},
		{service: onGCP, name: "this library with a token source", ours: true, shown: 10_000, open: func(ctx context.Context, w world) (*keeper, error) {
			k, err := gcpStore(ctx, w)
			if err != nil {
				return nil, err
			}
			return sourced(k)
		}},
		{service: onGCP, name: "client, name known", note: "no other key, the last writer wins", open: bares(knownName)},
		{service: onGCP, name: "a pointer secret per key", note: "pointers and tokens part after a crash", open: bares(pointers)},
		{service: onGCP, name: "all tokens in one secret", most: 100, note: "64 KiB and one write a second", open: bares(oneSecret)},
		{service: onGCP, name: "ListSecrets, AccessSecretVersion in a loop", shown: 10_000, note: "lists are minutes old", open: bares(loop)},
	}
}

// newGCP returns an empty service's client, and one without a connection. In a simulation they are the same, since the
// goroutines of a connection do not end with the bubble.
func newGCP(ctx context.Context, w world) (_ *keeper, client gcpsm.API, fast direct, _ error) {
	config, clock := gcpsmtest.Real(), w.clock()
	config.Latency, config.Quotas = w.latency, false // What fills the service does not wait.
	fake := gcpsmtest.New(config, clock)
	k := &keeper{
		clock: clock, calls: fake.Calls,
		bill: &bill{prices: costs.GCP, charged: func(call string) bool { return call == "AccessSecretVersion" }, stored: fake.VersionTime},
	}
	connected, err := fake.Client(context.WithoutCancel(ctx))
	if err != nil {
		return nil, nil, direct{}, err
	}
	k.close = connected.Close
	fast = direct{fake.Direct(connected), fake}
	if w.simulate {
		return k, fast, fast, nil
	}
	return k, connected, fast, nil
}

func gcpStore(ctx context.Context, w world) (*keeper, error) {
	k, client, fast, err := newGCP(ctx, w)
	if err != nil {
		return nil, err
	}
	open := func(api gcpsm.API) func() (*secretstore.Store, error) {
		return func() (*secretstore.Store, error) {
			return gcpsm.New(api, project, gcpsm.WithClock(k.clock.Now, k.clock.Sleep))
		}
	}
	return engine(k, open(fast), open(client))
}

// direct is Google's client without a connection; its lists have none, either.
type direct struct {
	gcpsmtest.Direct
	service *gcpsmtest.Service
}

// pages returns the names of all secrets, a page at a time.
func (d direct) pages(ctx context.Context, in *secretmanagerpb.ListSecretsRequest) ([]string, error) {
	var names []string
	for {
		page, err := d.service.ListSecrets(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range page.GetSecrets() {
			names = append(names, path.Base(s.GetName()))
		}
		if in.PageToken = page.GetNextPageToken(); in.PageToken == "" {
			return names, nil
		}
	}
}

// gcpBare is Google's client. A save destroys the version that it replaces, since each is charged for.
type gcpBare struct{ api gcpsm.API }

func secretPath(name string) string { return "projects/" + project + "/secrets/" + name }

func (b gcpBare) get(ctx context.Context, name string) ([]byte, error) {
	got, err := b.api.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: secretPath(name) + "/versions/latest"})
	return got.GetPayload().GetData(), err
}

func (b gcpBare) create(ctx context.Context, name string, data []byte) error {
	_, err := b.api.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
		Parent: "projects/" + project, SecretId: name,
		Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{
			Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}},
		}},
	})
	if err != nil {
		return err
	}
	_, err = b.add(ctx, name, data)
	return err
}

// add stores a version and returns its number.
func (b gcpBare) add(ctx context.Context, name string, data []byte) (int, error) {
	added, err := b.api.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{
		Parent: secretPath(name), Payload: &secretmanagerpb.SecretPayload{Data: data},
	})
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(path.Base(added.GetName()))
}

func (b gcpBare) put(ctx context.Context, name string, data []byte) error {
	number, err := b.add(ctx, name, data)
	if err != nil {
		return err
	}
	_, err = b.api.DestroySecretVersion(ctx, &secretmanagerpb.DestroySecretVersionRequest{
		Name: fmt.Sprintf("%s/versions/%d", secretPath(name), number-1),
	})
	return err
}

func (b gcpBare) list(ctx context.Context) ([]string, error) {
	in := &secretmanagerpb.ListSecretsRequest{Parent: "projects/" + project, PageSize: 250}
	if d, ok := b.api.(direct); ok {
		return d.pages(ctx, in)
	}
	var names []string
	for found := b.api.ListSecrets(ctx, in); ; {
		s, err := found.Next()
		if errors.Is(err, iterator.Done) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, path.Base(s.GetName()))
	}
}
