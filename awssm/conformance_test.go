package awssm_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// world is a fake service with every fault turned on, and its users, each with an SDK
// client and its retryer.
type world struct {
	clock   *awssmtest.Clock
	service *awssmtest.Service
	fanout  int
	calm    bool
}

func newWorld(config awssmtest.Config) *world { return newWorldOn(config, awssmtest.NewClock()) }

func newWorldOn(config awssmtest.Config, clock *awssmtest.Clock) *world {
	return &world{clock: clock, service: awssmtest.New(config, clock), fanout: 1, calm: config.LoseReplies == 0 && config.Latency == awssmtest.Real().Latency}
}

func (w *world) options() []awssm.Option {
	return []awssm.Option{awssm.WithClock(w.clock.Now, w.clock.Sleep)}
}

// client returns a client set up for heavy load, or the service itself where it neither
// refuses nor loses anything, which is faster.
func (w *world) client() awssm.API {
	if w.calm {
		return w.service
	}
	return w.service.Client(func(o *secretsmanager.Options) { o.RetryMaxAttempts = 10 })
}

func (w *world) secrets() (driver.Secrets, error) {
	return awssm.NewSecrets(w.client(), w.options()...)
}

func (w *world) store() (*secretstore.Store, error) {
	if w.fanout != unlimited {
		return awssm.New(w.client(), append(w.options(), awssm.WithFanout(w.fanout))...)
	}
	s, err := w.secrets()
	if err != nil {
		return nil, err
	}
	return secretstore.New(boundless{s}, secretstore.WithDocument(16), secretstore.WithoutAccessIndex(),
		secretstore.WithClock(w.clock.Now), secretstore.WithSleep(w.clock.Sleep))
}

// boundless hides the limits of a driver.
type boundless struct{ driver.Secrets }

func (b boundless) Unwrap() driver.Secrets { return b.Secrets }
func (boundless) Limits() driver.Limits    { return driver.Limits{} }

// asWorld returns the world for adaptertest.
func (w *world) asWorld() adaptertest.World {
	return adaptertest.World{
		Store: w.store, Secrets: w.secrets, Dying: w.dying, Edit: w.edit, Remove: w.remove,
		Restore: w.putBack, NoContainer: w.nowhere, RefusedBatch: w.refusedBatch, Plant: w.plant, Clock: w.clock,
	}
}

// edit writes a secret as a person does.
func (w *world) edit(_ context.Context, name string, data []byte) error {
	secret, err := awssm.SecretName(name)
	if err != nil {
		return err
	}
	return w.service.Edit(secret, string(data))
}

// remove deletes a secret as a person does in the console.
func (w *world) remove(_ context.Context, name string) error {
	secret, err := awssm.SecretName(name)
	if err != nil {
		return err
	}
	return w.service.Remove(secret)
}

// putBack moves AWSCURRENT to the previous version, as a person does, long enough ago that
// no read is stale.
func (w *world) putBack(_ context.Context, name string) error {
	secret, err := awssm.SecretName(name)
	if err == nil {
		err = w.service.PutBack(secret)
	}
	w.clock.Advance(time.Minute)
	return err
}

// nowhere returns a driver on a region that does not exist.
func (w *world) nowhere() (driver.Secrets, error) {
	client := w.service.Client(func(o *secretsmanager.Options) { o.Region, o.HTTPClient = "nowhere-1", noHost{} })
	return awssm.NewSecrets(client, w.options()...)
}

// noHost resolves no host name.
type noHost struct{}

func (noHost) Do(r *http.Request) (*http.Response, error) {
	return nil, &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
}

// refusedBatch returns a driver whose batches fail as a whole, as AWS fails them if it
// cannot find one of the secrets.
func (w *world) refusedBatch() (driver.Secrets, error) {
	return awssm.NewSecrets(refusing{w.client()}, w.options()...)
}

// refusing is a client that finds no secret in a batch.
type refusing struct{ awssm.API }

func (refusing) BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the resource that you asked for.")}
}

// unsettled are the cases that rely on the first read.
var unsettled = []string{"person-*", "batch-*", "retire*", "restored*"}

// concurrent are the cases of concurrent callers. They need a clock on which a wait of one does
// not age another's call.
const concurrent = "concurrent-*"

func TestDriverConformance(t *testing.T) {
	t.Parallel()
	var settled, apart []string
	for _, c := range conformance.DriverCases() {
		switch {
		case matchesAny([]string{concurrent}, c.Name):
			continue
		case !matchesAny(unsettled, c.Name):
			settled = append(settled, c.Name)
		}
		apart = append(apart, c.Name)
	}
	fresh := awssmtest.Unpleasant()
	fresh.Stale = 0
	t.Run("real", func(t *testing.T) { driverConformance(t, awssmtest.Real(), conformance.DriverOnly(apart...)) })
	t.Run("unpleasant", func(t *testing.T) { driverConformance(t, awssmtest.Unpleasant(), conformance.DriverOnly(settled...)) })
	t.Run("unpleasant-fresh", func(t *testing.T) { driverConformance(t, fresh, conformance.DriverOnly(unsettled...)) })
	for name, config := range map[string]awssmtest.Config{"real-concurrent": awssmtest.Real(), "unpleasant-concurrent": fresh} {
		t.Run(name, func(t *testing.T) {
			adaptertest.DriverInTime(t, worlds(config), []string{concurrent}, fewLosers)
		})
	}
}

// fewLosers keeps the losers of a race from using up the versions that a secret may have.
var fewLosers = conformance.DriverLoad(4, 8)

func driverConformance(t *testing.T, config awssmtest.Config, options ...conformance.DriverOption) {
	adaptertest.Driver(t, worlds(config), config.ListLate > 0, append(options, fewLosers)...)
}

// atOnce are the cases that expect one process to see another's writes at once, which the
// service does not promise.
var atOnce = []string{"handles*", "O0*", "S40", "text-*", "long-all-fields"}

// busy, and the concurrent cases, write one secret more often than its daily limit.
const busy = "context-cancelled-midway"

// plain are the cases about strings, which do not depend on the service's faults.
var plain = []string{"id-*", "text-*"}

// unlimited stands for a fan-out of 16, with an index that counts no writes.
const unlimited = 0

func TestStoreConformance(t *testing.T) {
	t.Parallel()
	var calm []string
	for _, c := range conformance.Cases() {
		if c.Name != "thousand" && !matchesAny([]string{concurrent, busy}, c.Name) {
			calm = append(calm, c.Name)
		}
	}
	var late, prompt []string
	for _, name := range calm {
		switch {
		case os.Getenv("TOKENSTORE_LONG") == "" && matchesAny(plain, name):
		case matchesAny(atOnce, name):
			prompt = append(prompt, name)
		default:
			late = append(late, name)
		}
	}
	fresh := awssmtest.Unpleasant()
	fresh.Stale = 0
	t.Run("real", func(t *testing.T) { storeConformance(t, awssmtest.Real(), 1, calm...) })
	t.Run("unpleasant", func(t *testing.T) { storeConformance(t, awssmtest.Unpleasant(), 1, late...) })
	t.Run("unpleasant-fresh", func(t *testing.T) { storeConformance(t, fresh, 1, prompt...) })
	t.Run("thousand", func(t *testing.T) { storeConformance(t, awssmtest.Unpleasant(), 64, "thousand") })
	fresh.Versions, fresh.LoseReplies, fresh.LoseRequests = 0, 0, 0
	t.Run("busy", func(t *testing.T) { storeConformance(t, fresh, unlimited, busy) })
	t.Run("concurrent", func(t *testing.T) {
		adaptertest.StoreInTime(t, storeWorlds(fresh, unlimited), 120, concurrent)
	})
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok })
}

func storeConformance(t *testing.T, config awssmtest.Config, fanout int, cases ...string) {
	adaptertest.Store(t, storeWorlds(config, fanout), 120, conformance.WithOnly(cases...))
}

func storeWorlds(config awssmtest.Config, fanout int) func(testing.TB, *drivertest.Clock) adaptertest.World {
	return func(_ testing.TB, clock *drivertest.Clock) adaptertest.World {
		w := newWorldOn(config, clock)
		w.fanout = fanout
		return w.asWorld()
	}
}

// plant stores other people's secrets under the store's prefix and next to it.
func (w *world) plant(ctx context.Context) (func(context.Context) error, error) {
	foreign := map[string]string{
		"tokenstore/tokens/theirs": `{"password":"fake"}`, "tokenstore/other": "text", "tokenstorex": `{}`, "tokenstore/tokens/a=zz": "x",
	}
	for name, value := range foreign {
		in := &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value, ClientRequestToken: aws.String("planted-by-somebody-else-00000000000")}
		for {
			_, err := w.service.CreateSecret(ctx, in)
			if _, ok := w.service.Value(name); ok {
				break
			} else if ctx.Err() != nil {
				return nil, err
			}
		}
	}
	return func(context.Context) error {
		for name, value := range foreign {
			if got, ok := w.service.Value(name); !ok || got != value || w.service.Versions(name) != 1 {
				return errors.New("a foreign secret was changed: " + name)
			}
		}
		return nil
	}, nil
}
