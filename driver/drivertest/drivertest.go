// Package drivertest wraps a driver.Secrets for tests: it counts calls, injects
// faults, delays, shows stale reads, and lets a test decide which call comes
// next. All wrappers work over any driver, also over each other, and offer
// driver.BatchGetter and driver.Retirer if what they wrap does; other abilities
// are found through driver.Unwrapper.
//
//	secrets, counts := drivertest.Count(memory.New())
//	secrets = drivertest.Inject(secrets, drivertest.FailCall(3, drivertest.LoseReply))
//
// They print nothing and fail no test themselves. None of them looks at the time
// or sleeps unless the test hands it in.
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
	// Number counts the calls of one wrapper from 1, in the order in which
	// they began.
	Number int
	// Method is what is called.
	Method Method
	// Name is the secret's name; of List the prefix; of GetBatch empty.
	Name string
	// Names are the names given to GetBatch.
	Names []string
	// Revision is the one given to Put, Delete or Retire.
	Revision string
}

// Around stands around one call. It calls do at most once; do carries the call
// out and returns its error. What Around returns is what the caller gets: if
// that is nil although do was not called, the caller gets zero values.
type Around func(ctx context.Context, call Call, do func(context.Context) error) error

// Intercept returns secrets with around standing around every call. A list is
// one call that lasts until its caller has taken the last name: what the
// caller does in between happens inside of it.
func Intercept(secrets driver.Secrets, around Around) driver.Secrets {
	return offer(secrets, &interceptor{inner: abilitiesOf(secrets), around: around})
}

// layer is a wrapper with all abilities. [offer] shows those that the wrapped
// driver has.
type layer interface {
	driver.Secrets
	driver.BatchGetter
	driver.Retirer
}

// abilities is a driver with its optional abilities, nil where it has none.
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

// base is a layer without its optional abilities.
type base struct {
	driver.Secrets
	inner driver.Secrets
}

// Unwrap returns the wrapped driver.
func (b base) Unwrap() driver.Secrets { return b.inner }

// offer returns l with those optional abilities that inner has.
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

// GetBatch returns what could be read even if there is an error, as the
// interface has it.
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
