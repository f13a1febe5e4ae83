package enginetest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore/enginetest"
)

// console is a service in memory with a console, in which a person edits secrets and puts
// older contents back. It reports contents that were put back as restored.
type console struct {
	driver.Secrets
	service *memory.Secrets

	mu       sync.Mutex
	restored map[string]string // revisions, by name
}

func newConsole(testing.TB) driver.Secrets {
	service := memory.New()
	return &console{Secrets: service, service: service, restored: map[string]string{}}
}

// newBatched returns a console whose service reads many secrets in one call.
func newBatched(testing.TB) driver.Secrets {
	service := memory.New()
	return &batchedConsole{&console{Secrets: service, service: service, restored: map[string]string{}}}
}

func (c *console) itself() *console { return c }

func (c *console) mark(s driver.Secret) driver.Secret {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Restored = s.Revision != "" && c.restored[s.Name] == s.Revision
	return s
}

func (c *console) Get(ctx context.Context, name string) (driver.Secret, error) {
	secret, err := c.Secrets.Get(ctx, name)
	return c.mark(secret), err
}

type batchedConsole struct{ *console }

func (b *batchedConsole) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	secrets, err := b.service.Batched().GetBatch(ctx, names)
	for i := range secrets {
		secrets[i] = b.mark(secrets[i])
	}
	return secrets, err
}

// consoleService connects the suites to the console.
func consoleService() enginetest.Service {
	of := func(secrets driver.Secrets) (*console, error) {
		if c, ok := driver.As[interface{ itself() *console }](secrets); ok {
			return c.itself(), nil
		}
		return nil, errors.New("not a console")
	}
	return enginetest.Service{
		Edit: func(_ context.Context, secrets driver.Secrets, name string, data []byte) error {
			c, err := of(secrets)
			if err == nil {
				c.service.Edit(name, data)
			}
			return err
		},
		PutBack: func(_ context.Context, secrets driver.Secrets, older driver.Secret) error {
			c, err := of(secrets)
			if err == nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.restored[older.Name] = c.service.Edit(older.Name, older.Data)
			}
			return err
		},
	}
}
