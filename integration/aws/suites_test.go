package aws

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// account is a driver together with its account.
type account struct {
	driver.Secrets
	world *world
}

func (a account) Unwrap() driver.Secrets { return a.Secrets }

var errForeign = errors.New("not a driver of this test")

// newAccount returns a driver on its own account: LocalStack takes a twelve-digit
// access key for the account.
func newAccount(t testing.TB) driver.Secrets {
	number := fmt.Sprintf("%012d", rand.Int64N(1e12))
	w := &world{client: newClient(need.AWS(t), func(o *secretsmanager.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(number, "test", "")
	})}
	s, err := w.secrets()
	if err != nil {
		t.Fatal(err)
	}
	return account{s, w}
}

func service() enginetest.Service {
	return enginetest.Service{
		Handle: func(s driver.Secrets) (driver.Secrets, error) {
			first, ok := driver.As[account](s)
			if !ok {
				return nil, errForeign
			}
			again, err := first.world.secrets()
			return account{again, first.world}, err
		},
		Edit: func(ctx context.Context, s driver.Secrets, name string, data []byte) error {
			first, ok := driver.As[account](s)
			if !ok {
				return errForeign
			}
			return first.world.edit(ctx, s, name, data)
		},
	}
}

func documents(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
	return secretstore.New(secrets, append([]secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex()}, options...)...)
}

// TestModel compares random operations with a model. LocalStack takes a quarter of a
// second for each: two minutes in all, and ten with TOKENSTORE_LONG.
func TestModel(t *testing.T) {
	t.Parallel() // It waits for the server, and for deletions to take effect.
	operations := 300
	if testing.Short() {
		operations = 20
	}
	if os.Getenv("TOKENSTORE_LONG") != "" {
		operations = 2000
	}
	enginetest.Model(t, newAccount, documents, enginetest.ModelOptions{Service: service(), Operations: operations, WithoutAccessIndex: true})
}
