package gcpsm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

const project = "test-project"

// world is a fake service with every fault turned on, and its users, over one
// connection.
type world struct {
	t       testing.TB
	shared  *secretmanager.Client
	clock   *gcpsmtest.Clock
	service *gcpsmtest.Service
	fanout  int
}

func newWorld(t testing.TB, config gcpsmtest.Config) *world {
	return newWorldOn(t, config, gcpsmtest.NewClock())
}

func newWorldOn(t testing.TB, config gcpsmtest.Config, clock *gcpsmtest.Clock) *world {
	return &world{t: t, clock: clock, service: gcpsmtest.New(config, clock), fanout: 1}
}

func (w *world) options() []gcpsm.Option {
	return []gcpsm.Option{gcpsm.WithClock(w.clock.Now, w.clock.Sleep), gcpsm.WithFanout(w.fanout)}
}

func (w *world) client() (*secretmanager.Client, error) {
	if w.shared != nil {
		return w.shared, nil
	}
	client, err := w.service.Client(context.WithoutCancel(w.t.Context()))
	if err == nil {
		w.shared = client
		w.t.Cleanup(func() { _ = client.Close() })
	}
	return client, err
}

func (w *world) secrets() (driver.Secrets, error) {
	client, err := w.client()
	if err != nil {
		return nil, err
	}
	return gcpsm.NewSecrets(client, project, w.options()...)
}

func (w *world) store() (*secretstore.Store, error) {
	client, err := w.client()
	if err != nil {
		return nil, err
	}
	return gcpsm.New(client, project, w.options()...)
}

// asWorld returns the world for adaptertest.
func (w *world) asWorld() adaptertest.World {
	return adaptertest.World{
		Store: w.store, Secrets: w.secrets, Dying: w.dying, Edit: w.edit, Remove: w.remove,
		Restore: w.restore, NoContainer: w.nowhere, Plant: w.plant, Clock: w.clock,
	}
}

// edit writes a secret as a person does.
func (w *world) edit(_ context.Context, name string, data []byte) error {
	id, err := gcpsm.SecretID(name)
	if err != nil {
		return err
	}
	_, err = w.service.Edit(id, string(data))
	return err
}

// remove deletes a secret as a person does in the console.
func (w *world) remove(_ context.Context, name string) error {
	id, err := gcpsm.SecretID(name)
	if err != nil {
		return err
	}
	return w.service.Remove(id)
}

// older returns the content of an older version of a secret, as the console shows it.
func (w *world) older(ctx context.Context, id string, number int64) (string, error) {
	client, err := w.client()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("projects/%s/secrets/%s/versions/%d", project, id, number)
	for range 20 { // The request may be lost.
		var out *secretmanagerpb.AccessSecretVersionResponse
		out, err = client.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: name})
		if err == nil {
			return string(out.GetPayload().GetData()), nil
		}
	}
	return "", err
}

// restore adds a copy of the version before the newest one, as a person does to undo a
// write.
func (w *world) restore(ctx context.Context, name string) error {
	id, err := gcpsm.SecretID(name)
	if err != nil {
		return err
	}
	text, err := w.older(ctx, id, w.service.Added(id)-1)
	if err != nil {
		return err
	}
	return w.edit(ctx, name, []byte(text))
}

// nowhere returns a driver in a project that does not exist. Google answers only that
// access to it is denied.
func (w *world) nowhere() (driver.Secrets, error) {
	client, err := w.client()
	if err != nil {
		return nil, err
	}
	return gcpsm.NewSecrets(client, "no-project", w.options()...)
}

// late is the case that requires a secret deleted behind the driver's back to be absent
// at once, which the service does not promise.
const late = "person-delete"

// rushes reports whether several processes of this case write one secret without a
// pause, more often than its quota of two versions a second.
func rushes(name string) bool { return name == "retire-race" || strings.HasPrefix(name, "concurrent-") }

func TestDriverConformance(t *testing.T) {
	t.Parallel()
	var prompt, unpleasant, rushed []string
	for _, c := range conformance.DriverCases() {
		if rushes(c.Name) {
			rushed = append(rushed, c.Name)
			continue
		}
		unpleasant = append(unpleasant, c.Name)
		if c.Name != late {
			prompt = append(prompt, c.Name)
		}
	}
	unlimited := gcpsmtest.Unpleasant()
	unlimited.Quotas = false
	t.Run("real", func(t *testing.T) { driverConformance(t, gcpsmtest.Real(), false, prompt...) })
	t.Run("real-late", func(t *testing.T) { driverConformance(t, gcpsmtest.Real(), true, late) })
	t.Run("unpleasant", func(t *testing.T) { driverConformance(t, gcpsmtest.Unpleasant(), true, unpleasant...) })
	t.Run("unlimited", func(t *testing.T) {
		settle := conformance.DriverSettle(func(ctx context.Context) error { return drivertest.NewWallClock().Sleep(ctx, 5*time.Second) })
		adaptertest.DriverInTime(t, worlds(unlimited), rushed, settle)
	})
}

func driverConformance(t *testing.T, config gcpsmtest.Config, settles bool, cases ...string) {
	adaptertest.Driver(t, worlds(config), settles, conformance.DriverOnly(cases...))
}

// concurrent are the cases of concurrent callers. They need a clock on which a wait of one
// does not age another's call; crowded is the one in which a hundred processes insert at once.
// With a single index document, nearly all of them lose repeatedly.
const (
	concurrent = "concurrent-"
	crowded    = concurrent + "users"
)

func TestStoreConformance(t *testing.T) {
	t.Parallel()
	var others, apart []string
	for _, c := range conformance.Cases() {
		switch {
		case c.Name == crowded:
		case strings.HasPrefix(c.Name, concurrent):
			apart = append(apart, c.Name)
		default:
			others = append(others, c.Name)
		}
	}
	fanout := 1
	if os.Getenv("TOKENSTORE_LONG") != "" {
		fanout = 4 // One document cannot hold a thousand tokens with every key.
		t.Run("real", func(t *testing.T) { storeConformance(t, gcpsmtest.Real(), fanout, others...) })
	}
	t.Run("unpleasant", func(t *testing.T) { storeConformance(t, gcpsmtest.Unpleasant(), fanout, others...) })
	t.Run("concurrent", func(t *testing.T) {
		adaptertest.StoreInTime(t, storeWorlds(gcpsmtest.Unpleasant(), fanout), 150, apart...)
	})
	t.Run("crowded", func(t *testing.T) {
		adaptertest.StoreInTime(t, storeWorlds(gcpsmtest.Unpleasant(), 64), 150, crowded)
	})
}

func storeConformance(t *testing.T, config gcpsmtest.Config, fanout int, cases ...string) {
	adaptertest.Store(t, storeWorlds(config, fanout), 150, conformance.WithOnly(cases...))
}

func storeWorlds(config gcpsmtest.Config, fanout int) func(testing.TB, *drivertest.Clock) adaptertest.World {
	return func(t testing.TB, clock *drivertest.Clock) adaptertest.World {
		w := newWorldOn(t, config, clock)
		w.fanout = fanout
		return w.asWorld()
	}
}

// plant stores other people's secrets under the store's prefix and next to it.
func (w *world) plant(context.Context) (func(context.Context) error, error) {
	foreign := map[string]string{
		"tokenstore--tokens--theirs": `{"password":"fake"}`, "tokenstore--other": "text", "tokenstorex": `{}`, "tokenstore--tokens--a-zz": "x",
	}
	for id, value := range foreign {
		if _, err := w.service.Edit(id, value); err != nil {
			return nil, err
		}
	}
	return func(context.Context) error {
		for id, value := range foreign {
			if got, ok := w.service.Value(id); !ok || got != value || w.service.Versions(id) != 1 {
				return errors.New("a foreign secret was changed: " + id)
			}
		}
		return nil
	}, nil
}
