// Package drivertest wraps a driver.Secrets for tests: it counts calls, injects
// faults and delays, returns stale reads, lets a test decide which call comes next, and
// checks that nobody changes data. All wrappers work with any driver and with each other.
// They implement driver.BatchGetter and driver.Retirer if the driver they wrap does;
// driver.As finds its other optional interfaces.
//
//	secrets, counts := drivertest.Count(memory.New())
//	secrets = drivertest.Inject(secrets, drivertest.FailCall(3, drivertest.LoseReply))
//
// They print nothing and never fail a test themselves. None of them reads a clock or
// sleeps except through functions that the test passes in.
package drivertest

import (
	"context"
	"iter"
	"time"

	"example.com/tokenstore/driver"
)

// Method is a method of a driver.
type Method string

// The methods that a driver may have.
const (
	Get      Method = "Get"
	Put      Method = "Put"
	Delete   Method = "Delete"
	List     Method = "List"
	GetBatch Method = "GetBatch"
	Retire   Method = "Retire"
)

// Writes reports whether the method changes what is stored.
func (m Method) Writes() bool { return m == Put || m == Delete || m == Retire }

// Call is one call to a driver. It holds no data.
type Call struct {
	// Number counts the calls of one wrapper from 1, in the order in which they
	// began.
	Number int
	// Method is the method that is called.
	Method Method
	// Name is the secret's name. For List it is the prefix; for GetBatch it is empty.
	Name string
	// Names are the names given to GetBatch.
	Names []string
	// Revision is the one given to Put, Delete or Retire.
	Revision string
}

// Around wraps one call. It calls do, which makes the call and returns its error; except
// for a list, it may do so again, and the caller gets the last result. The caller gets the
// error that Around returns; if it is nil although do was not called, the caller gets zero
// values.
type Around func(ctx context.Context, call Call, do func(context.Context) error) error

// Intercept returns secrets with every call wrapped in around. A list is one call,
// which lasts until its caller has received the last name: what the caller does in
// between happens during the call.
func Intercept(secrets driver.Secrets, around Around) driver.Secrets {
	return offer(secrets, &interceptor{inner: abilitiesOf(secrets), around: around})
}

// layer is a wrapper with all optional interfaces. [offer] exposes those that the
// wrapped driver has.
type layer interface {
	driver.Secrets
	driver.BatchGetter
	driver.Retirer
}

// abilities is a driver with its optional interfaces, nil where it has none.
type abilities struct {
	driver.Secrets
	batch  driver.BatchGetter
	retire driver.Retirer
}

func abilitiesOf(secrets driver.Secrets) abilities {
	a := abilities{Secrets: secrets}
	a.batch, _ = driver.As[driver.BatchGetter](secrets)
	a.retire, _ = driver.As[driver.Retirer](secrets)
	return a
}

// base is a layer without its optional interfaces.
type base struct {
	driver.Secrets
	inner driver.Secrets
}

// Unwrap returns the wrapped driver.
func (b base) Unwrap() driver.Secrets { return b.inner }

// offer returns l with those optional interfaces that inner has.
func offer(inner driver.Secrets, l layer) driver.Secrets {
	a := abilitiesOf(inner)
	b := base{Secrets: l, inner: inner}
	switch {
	case a.batch != nil && a.retire != nil:
		return struct {
			base
			driver.BatchGetter
			driver.Retirer
		}{b, l, l}
	case a.batch != nil:
		return struct {
			base
			driver.BatchGetter
		}{b, l}
	case a.retire != nil:
		return struct {
			base
			driver.Retirer
		}{b, l}
	}
	return b
}

// interceptor is the layer of [Intercept].
type interceptor struct {
	inner  abilities
	around Around
	calls  counter
	// wholeLists ends the call of a list before the caller gets the first name.
	wholeLists bool
}

func (i *interceptor) Get(ctx context.Context, name string) (secret driver.Secret, err error) {
	err = i.call(ctx, Call{Method: Get, Name: name}, func(ctx context.Context) (err error) {
		secret, err = i.inner.Get(ctx, name)
		return err
	})
	if err != nil {
		return driver.Secret{}, err
	}
	return secret, nil
}

func (i *interceptor) Put(ctx context.Context, s driver.Secret) (revision string, err error) {
	err = i.call(ctx, Call{Method: Put, Name: s.Name, Revision: s.Revision}, func(ctx context.Context) (err error) {
		revision, err = i.inner.Put(ctx, s)
		return err
	})
	if err != nil {
		return "", err
	}
	return revision, nil
}

func (i *interceptor) Delete(ctx context.Context, name, revision string) error {
	return i.call(ctx, Call{Method: Delete, Name: name, Revision: revision}, func(ctx context.Context) error {
		return i.inner.Delete(ctx, name, revision)
	})
}

func (i *interceptor) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if i.wholeLists {
			i.listWhole(ctx, prefix, yield)
			return
		}
		stopped := false
		err := i.call(ctx, Call{Method: List, Name: prefix}, func(ctx context.Context) error {
			for name, err := range i.inner.List(ctx, prefix) {
				if err != nil {
					return err
				}
				if !yield(name, nil) {
					stopped = true
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield("", err)
		}
	}
}

func (i *interceptor) listWhole(ctx context.Context, prefix string, yield func(string, error) bool) {
	var names []string
	err := i.call(ctx, Call{Method: List, Name: prefix}, func(ctx context.Context) error {
		for name, err := range i.inner.List(ctx, prefix) {
			if err != nil {
				return err
			}
			names = append(names, name)
		}
		return nil
	})
	for _, name := range names {
		if !yield(name, nil) {
			return
		}
	}
	if err != nil {
		yield("", err)
	}
}

// GetBatch returns the secrets that could be read even if there is an error, as the
// interface requires.
func (i *interceptor) GetBatch(ctx context.Context, names []string) (secrets []driver.Secret, err error) {
	err = i.call(ctx, Call{Method: GetBatch, Names: names}, func(ctx context.Context) (err error) {
		secrets, err = i.inner.batch.GetBatch(ctx, names)
		return err
	})
	return secrets, err
}

func (i *interceptor) Retire(ctx context.Context, name, revision string) error {
	return i.call(ctx, Call{Method: Retire, Name: name, Revision: revision}, func(ctx context.Context) error {
		return i.inner.retire.Retire(ctx, name, revision)
	})
}

func (i *interceptor) RetireWindow() time.Duration { return i.inner.retire.RetireWindow() }

func (i *interceptor) call(ctx context.Context, call Call, do func(context.Context) error) error {
	call.Number = i.calls.next()
	return i.around(ctx, call, do)
}
