// Package aws tests package awssm on LocalStack. docs/aws.md says where
// LocalStack differs from AWS.
package aws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
)

func TestMain(m *testing.M) {
	worker := work
	if os.Getenv(envURL) != "" {
		worker = churn
	}
	if os.Getenv(envWorker) != "" {
		if err := worker(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(need.Main(m))
}

// newClient returns a client of the emulator.
func newClient(endpoint string, options ...func(*secretsmanager.Options)) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}, options...)
}

// world is the emulator and the drivers on it.
type world struct{ client *secretsmanager.Client }

func newWorld(t testing.TB) *world { return &world{client: newClient(need.AWS(t))} }

func (w *world) secrets() (driver.Secrets, error) { return awssm.NewSecrets(w.client) }

func (w *world) store(prefix string) (*secretstore.Store, error) {
	return awssm.New(w.client, awssm.WithPrefix(prefix))
}

// limitless hides a driver's limits: LocalStack has none, and some cases write one
// index more often than AWS accepts in a day.
type limitless struct{ driver.Secrets }

func (l limitless) Unwrap() driver.Secrets { return l.Secrets }
func (limitless) Limits() driver.Limits    { return driver.Limits{} }

func (w *world) boundless(prefix string) (*secretstore.Store, error) {
	s, err := w.secrets()
	if err != nil {
		return nil, err
	}
	return secretstore.New(limitless{s}, secretstore.WithPrefix(prefix), secretstore.WithDocument(1), secretstore.WithoutAccessIndex())
}

// edit saves a secret as a person does in the console.
func (w *world) edit(ctx context.Context, _ driver.Secrets, name string, data []byte) error {
	secret, err := awssm.SecretName(name)
	if err != nil {
		return err
	}
	return w.save(ctx, secret, string(data))
}

func (w *world) save(ctx context.Context, secret, value string) error {
	_, err := w.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &secret, SecretString: &value})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		_, err = w.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &secret, SecretString: &value})
	}
	return err
}

// remove deletes a secret as a person does in the console.
func (w *world) remove(ctx context.Context, _ driver.Secrets, name string) error {
	secret, err := awssm.SecretName(name)
	if err != nil {
		return err
	}
	_, err = w.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &secret})
	return err
}

// putBack moves AWSCURRENT to the previous version, as a person does, and waits until
// no read can be stale.
func (w *world) putBack(ctx context.Context, _ driver.Secrets, name string) error {
	secret, err := awssm.SecretName(name)
	if err != nil {
		return err
	}
	d, err := w.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &secret})
	if err != nil {
		return err
	}
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &secret, VersionStage: aws.String("AWSCURRENT")}
	for id, labels := range d.VersionIdsToStages {
		if slices.Contains(labels, "AWSCURRENT") {
			in.RemoveFromVersionId = &id
		}
		if slices.Contains(labels, "AWSPREVIOUS") {
			in.MoveToVersionId = &id
		}
	}
	if _, err = w.client.UpdateSecretVersionStage(ctx, in); err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	return nil
}

// refusing is a client that finds no secret in a batch.
type refusing struct{ *secretsmanager.Client }

func (refusing) BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	return nil, &types.ResourceNotFoundException{}
}

func (w *world) value(ctx context.Context, secret string) (string, error) {
	out, err := w.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secret, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

func TestDriver(t *testing.T) {
	t.Parallel() // It waits for the server, and for deletions to take effect.
	w := newWorld(t)
	workers, rounds := 4, 8
	if testing.Short() {
		workers, rounds = 2, 3
	}
	conformance.Driver(t, func(t testing.TB) driver.Secrets {
		s, err := w.secrets()
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
		conformance.DriverHandle(func(context.Context, driver.Secrets) (driver.Secrets, error) { return w.secrets() }),
		conformance.DriverPerson(w.edit, w.remove),
		conformance.DriverRestore(w.putBack),
		conformance.DriverRefusedBatch(func(context.Context, driver.Secrets) (driver.Secrets, error) {
			return awssm.NewSecrets(refusing{w.client})
		}),
		conformance.DriverMissing("LocalStack has every region", "container-*"),
		conformance.DriverLoad(workers, rounds),
		conformance.DriverNames(110), // Two pages, one of them short.
		conformance.DriverMissing("LocalStack writes to a secret that is scheduled for deletion", "person-delete"),
	)
}

// essential are the cases that run without TOKENSTORE_LONG: the others are about
// strings and orders that do not depend on LocalStack, and take minutes.
var essential = []string{
	"F*", "S*", "D*", "I*", "L*", "O*", "handles*", "foreign", "delete-*", "swap-fields", "swap-lost-*", "swap-note-kept", "ping",
}

// racing are cases that take too long for -short.
var racing = []string{"concurrent-one-token", "concurrent-new-user"}

func TestStore(t *testing.T) {
	t.Parallel() // It waits for the server, and for deletions to take effect.
	w := newWorld(t)
	switch {
	case testing.Short():
		storeConformance(t, w, conformance.WithOnly(essential...))
	case os.Getenv("TOKENSTORE_LONG") == "":
		storeConformance(t, w, conformance.WithOnly(slices.Concat(essential, racing)...))
	default:
		storeConformance(t, w)
	}
}

func storeConformance(t *testing.T, w *world, options ...conformance.Option) {
	var prefix string
	conformance.Store(t, func(t testing.TB) tokenstore.Store {
		prefix = need.Prefix(t)
		s, err := w.boundless(prefix)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, append(options,
		conformance.WithReopen(func(context.Context, tokenstore.Store) (tokenstore.Store, error) { return w.boundless(prefix) }),
		conformance.WithForeign(func(ctx context.Context, _ tokenstore.Store) (func(context.Context) error, error) {
			return w.plant(ctx, prefix)
		}),
		conformance.WithTokens(50), // LocalStack is slow.
	)...)
}

// plant stores other people's secrets under a store's prefix and next to it.
func (w *world) plant(ctx context.Context, prefix string) (func(context.Context) error, error) {
	foreign := map[string]string{
		prefix + "tokens/theirs": `{"password":"fake"}`, prefix + "other": "text", strings.TrimSuffix(prefix, "/") + "x": `{}`,
	}
	for name, value := range foreign {
		if err := w.save(ctx, name, value); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for name, value := range foreign {
			if got, err := w.value(ctx, name); err != nil || got != value {
				return fmt.Errorf("the foreign secret %s was changed: %w", name, err)
			}
		}
		return nil
	}, nil
}
