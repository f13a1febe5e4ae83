// Reports of calls to the backend, for metrics and traces. The driver is wrapped, so that the
// engine itself does not report anything.

package secretstore

import (
	"context"
	"iter"
	"time"

	"example.com/tokenstore/driver"
)

// Call is one call to a backend, as an observer sees it.
type Call struct {
	// Op is "get", "batch get", "put", "delete", "list", "retire" or
	// "prune".
	Op string
	// Name is the secret's logical name or, of a list, the prefix; empty for a
	// batch. It holds no credential.
	Name string
	// Secrets is the number of secrets read or listed, or of versions pruned.
	Secrets int
	// Duration is the duration of the call.
	Duration time.Duration
	// Err is the driver's error, nil on success.
	Err error
}

// observed reports every call to an observer.
type observed struct {
	driver.Secrets
	now    func() time.Time
	report func(context.Context, Call)
}

// observe returns secrets that report every call and have the same optional abilities.
func observe(secrets driver.Secrets, report func(context.Context, Call), now func() time.Time) driver.Secrets {
	if report == nil {
		return secrets
	}
	o := &observed{secrets, now, report}
	batch, canBatch := driver.As[driver.BatchGetter](secrets)
	retirer, canRetire := driver.As[driver.Retirer](secrets)
	switch {
	case canBatch && canRetire:
		return struct {
			*observed
			*observedBatch
			*observedRetirer
		}{o, &observedBatch{o, batch}, &observedRetirer{o, retirer}}
	case canBatch:
		return struct {
			*observed
			*observedBatch
		}{o, &observedBatch{o, batch}}
	case canRetire:
		return struct {
			*observed
			*observedRetirer
		}{o, &observedRetirer{o, retirer}}
	}
	return o
}

// Unwrap gives access to the abilities that are not observed.
func (o *observed) Unwrap() driver.Secrets { return o.Secrets }

func (o *observed) end(ctx context.Context, start time.Time, c Call) {
	c.Duration = o.now().Sub(start)
	o.report(ctx, c)
}

func (o *observed) Get(ctx context.Context, name string) (driver.Secret, error) {
	start := o.now()
	secret, err := o.Secrets.Get(ctx, name)
	c := Call{Op: "get", Name: name, Err: err}
	if err == nil {
		c.Secrets = 1
	}
	o.end(ctx, start, c)
	return secret, err
}

func (o *observed) Put(ctx context.Context, secret driver.Secret) (string, error) {
	start := o.now()
	revision, err := o.Secrets.Put(ctx, secret)
	o.end(ctx, start, Call{Op: "put", Name: secret.Name, Err: err})
	return revision, err
}

func (o *observed) Delete(ctx context.Context, name, revision string) error {
	start := o.now()
	err := o.Secrets.Delete(ctx, name, revision)
	o.end(ctx, start, Call{Op: "delete", Name: name, Err: err})
	return err
}

func (o *observed) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		start := o.now()
		c := Call{Op: "list", Name: prefix}
		defer func() { o.end(ctx, start, c) }()
		for name, err := range o.Secrets.List(ctx, prefix) {
			if c.Err = err; err == nil {
				c.Secrets++
			}
			if !yield(name, err) {
				return
			}
		}
	}
}

type observedBatch struct {
	outer *observed
	batch driver.BatchGetter
}

func (o *observedBatch) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	start := o.outer.now()
	secrets, err := o.batch.GetBatch(ctx, names)
	o.outer.end(ctx, start, Call{Op: "batch get", Secrets: len(secrets), Err: err})
	return secrets, err
}

type observedRetirer struct {
	outer   *observed
	retirer driver.Retirer
}

func (o *observedRetirer) Retire(ctx context.Context, name, revision string) error {
	start := o.outer.now()
	err := o.retirer.Retire(ctx, name, revision)
	o.outer.end(ctx, start, Call{Op: "retire", Name: name, Err: err})
	return err
}

func (o *observedRetirer) RetireWindow() time.Duration { return o.retirer.RetireWindow() }
