// Package staleness keeps a process from going backwards where a service may
// show, for a while after a write, what was there before. A [Memory] remembers
// what was seen of each secret, and a [Reader] reads secrets, one or many, until
// they are not older than that.
package staleness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

const (
	// maxReads is how often a secret is read again that may be older than what was
	// seen of it.
	maxReads = 8
	// firstWait is the first pause between such reads; it doubles.
	firstWait = 10 * time.Millisecond
	// patience is the total of those pauses: how long a service may keep showing
	// what was overwritten.
	patience = firstWait << maxReads
	// maxRounds is how often these reads start over because a later state of the
	// secret was seen meanwhile.
	maxRounds = 4
)

// ErrBehind is the error of a service that goes on showing older states.
var ErrBehind = fmt.Errorf("%w: the service shows an older state than before", driver.ErrUnavailable)

// Reader reads secrets as values of type T, the form in which a package uses
// them. It is safe for concurrent use if its functions are.
type Reader[T any] struct {
	Secrets driver.Secrets
	// Batch reads many secrets with one call; nil if the service cannot.
	Batch driver.BatchGetter
	// Parallelism bounds the calls that one ReadMany makes at the same time.
	Parallelism int
	Now         func() time.Time
	Sleep       func(context.Context, time.Duration) error

	// Decode turns an answer into a value. A secret that is not stored has no
	// revision. A fault is one of this secret alone; Decode returns it, or a value
	// that says what is wrong.
	Decode func(secret driver.Secret, fault error) (T, error)
	// See compares a value with the latest state that was seen of its secret. asked
	// is when the read began.
	See func(v T, asked time.Time) (Order, Sighting)
	// Accept decides about a value that is not fresh and has stayed for longer than
	// a service is expected to be stale. It reports whether the value is taken; it
	// must not be if another state than before, the latest one when the reads began,
	// has been seen meanwhile.
	Accept func(ctx context.Context, v T, order Order, before Sighting) (bool, error)
}

// Read reads one secret. A state that is, or may be, older than one that was seen
// is read again until the service has caught up.
func (r *Reader[T]) Read(ctx context.Context, name string) (T, error) {
	var none T
	for range maxRounds {
		var before Sighting
		wait := firstWait
		for reads := 0; ; reads++ {
			v, order, latest, err := r.readOnce(ctx, name)
			if err != nil || order == Fresh {
				return v, err
			}
			if reads == 0 {
				before = latest
			}
			if reads == maxReads {
				if accepted, err := r.Accept(ctx, v, order, before); accepted || err != nil {
					return v, err
				}
				break
			}
			if err := r.Sleep(ctx, wait); err != nil {
				return none, err
			}
			wait *= 2
		}
	}
	return r.Decode(driver.Secret{Name: name}, ErrBehind)
}

func (r *Reader[T]) readOnce(ctx context.Context, name string) (T, Order, Sighting, error) {
	asked := r.Now()
	secret, err := r.Secrets.Get(ctx, name)
	if err != nil {
		secret = driver.Secret{Name: name}
	}
	if errors.Is(err, driver.ErrNotFound) {
		err = nil
	}
	return r.judge(secret, err, asked)
}

// judge decodes an answer and compares it with what was seen.
func (r *Reader[T]) judge(secret driver.Secret, fault error, asked time.Time) (T, Order, Sighting, error) {
	v, err := r.Decode(secret, fault)
	if err != nil {
		return v, Fresh, Sighting{}, err
	}
	order, latest := r.See(v, asked)
	return v, order, latest, nil
}

// ReadMany reads secrets, in the order of their names, with one call if the
// service can. What that call shows older than it was seen, or says nothing of, is
// read again by itself. A fault that Decode returns ends it.
func (r *Reader[T]) ReadMany(ctx context.Context, names []string) ([]T, error) {
	if r.Batch == nil || len(names) < 2 {
		return r.readEach(ctx, names)
	}
	asked := r.Now()
	secrets, err := r.Batch.GetBatch(ctx, names)
	answers, err := answersOf(secrets, err)
	if err != nil {
		return nil, err
	}
	values := make([]T, len(names))
	var again []int // the places of what is to be read by itself
	var faults []error
	for i, name := range names {
		secret, fault, ok := answers.of(name)
		if !ok {
			again = append(again, i)
			continue
		}
		v, order, _, err := r.judge(secret, fault, asked)
		if err != nil {
			faults = append(faults, err)
		} else if order != Fresh {
			again = append(again, i)
		}
		values[i] = v
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return values, parallel.Each(ctx, len(again), r.Parallelism, func(ctx context.Context, i int) (err error) {
		values[again[i]], err = r.Read(ctx, names[again[i]])
		return err
	})
}

// readEach reads secrets with a call for each, several at a time.
func (r *Reader[T]) readEach(ctx context.Context, names []string) ([]T, error) {
	values := make([]T, len(names))
	err := parallel.Each(ctx, len(names), r.Parallelism, func(ctx context.Context, i int) (err error) {
		values[i], err = r.Read(ctx, names[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// answers is what one call has said of many secrets.
type answers struct {
	stored map[string]driver.Secret
	faults map[string]error // by name; nil says that it is not stored
	// silent says that the call has failed in part without naming every secret
	// which that concerns. Those it has not named may well be stored.
	silent bool
}

// answersOf takes the result of a GetBatch apart. A fault of the call itself is an
// error. That something is not found is no such fault, but says nothing of any
// secret either, unless it names one.
func answersOf(secrets []driver.Secret, err error) (answers, error) {
	a := answers{stored: make(map[string]driver.Secret, len(secrets))}
	for _, secret := range secrets {
		a.stored[secret.Name] = secret
	}
	if err == nil {
		return a, nil
	}
	parts := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts = joined.Unwrap()
	}
	a.faults = map[string]error{}
	var unnamed []error
	for _, part := range parts {
		var named *driver.NameError
		switch {
		case !errors.As(part, &named):
			unnamed = append(unnamed, part)
		case errors.Is(named.Err, driver.ErrNotFound):
			a.faults[named.Name] = nil
		default:
			a.faults[named.Name] = named.Err
		}
	}
	if a.silent = len(unnamed) > 0; a.silent && !errors.Is(errors.Join(unnamed...), driver.ErrNotFound) {
		return answers{}, err
	}
	return a, nil
}

// of returns what was said of one secret, and false if that is nothing. A secret
// that is not stored has no revision.
func (a answers) of(name string) (secret driver.Secret, fault error, ok bool) {
	if secret, ok = a.stored[name]; ok {
		return secret, nil, true
	}
	fault, named := a.faults[name]
	return driver.Secret{Name: name}, fault, named || !a.silent
}
