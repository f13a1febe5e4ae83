// Data that nobody may change: package driver lets a driver and its callers share memory.

package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"example.com/tokenstore/driver"
)

// Frozen watches the data that a driver and its callers pass to each other, none of which
// either may change. It keeps all of it. It is safe for concurrent use; the zero value is
// ready to use.
type Frozen struct {
	mu     sync.Mutex
	passed []passed
}

// passed is data that was passed on, and what it was then. Its spare capacity counts too:
// an append would write there.
type passed struct {
	data, was []byte
	who, what string
}

// Freeze returns secrets whose data is watched in the returned Frozen.
func Freeze(secrets driver.Secrets) (driver.Secrets, *Frozen) {
	f := new(Frozen)
	return f.Wrap(secrets), f
}

// Wrap returns secrets whose data is watched in f. Several drivers may share one Frozen.
func (f *Frozen) Wrap(secrets driver.Secrets) driver.Secrets {
	return offer(secrets, &freezer{inner: abilitiesOf(secrets), frozen: f})
}

// Changed returns an error if any data has been changed since it was passed on. It says who
// has changed it, and holds none of it.
func (f *Frozen) Changed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.passed {
		if !bytes.Equal(p.data, p.was) {
			return fmt.Errorf("the %s has changed the data of %s", p.who, p.what)
		}
	}
	return nil
}

// spare is how many bytes may be appended to what is passed on without new memory.
const spare = 64

// pass returns a copy of data for the other side, to which the other side must not append in
// place. From then on, owner may not change data, nor the other side the copy.
func (f *Frozen) pass(data []byte, owner, other, what string) []byte {
	if data == nil {
		return nil
	}
	room := make([]byte, len(data)+spare)
	copy(room, data)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed = append(f.passed, passed{data, bytes.Clone(data), owner, what}, passed{room, bytes.Clone(room), other, what})
	return room[:len(data)]
}

type freezer struct {
	inner  abilities
	frozen *Frozen
}

func (z *freezer) returned(secret driver.Secret, by string) driver.Secret {
	secret.Data = z.frozen.pass(secret.Data, "driver", "caller", by)
	return secret
}

func (z *freezer) Get(ctx context.Context, name string) (driver.Secret, error) {
	secret, err := z.inner.Get(ctx, name)
	return z.returned(secret, "a Get"), err
}

func (z *freezer) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	secrets, err := z.inner.batch.GetBatch(ctx, names)
	for i := range secrets {
		secrets[i] = z.returned(secrets[i], "a GetBatch")
	}
	return secrets, err
}

func (z *freezer) Put(ctx context.Context, s driver.Secret) (string, error) {
	s.Data = z.frozen.pass(s.Data, "caller", "driver", "a Put")
	return z.inner.Put(ctx, s)
}

func (z *freezer) Delete(ctx context.Context, name, revision string) error {
	return z.inner.Delete(ctx, name, revision)
}

func (z *freezer) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return z.inner.List(ctx, prefix)
}

func (z *freezer) Retire(ctx context.Context, name, revision string) error {
	return z.inner.retire.Retire(ctx, name, revision)
}

func (z *freezer) RetireWindow() time.Duration { return z.inner.retire.RetireWindow() }
