// Package staleness keeps a process from going back in time on a service that may, for
// a while after a write, still return the overwritten value. A [Memory] remembers the
// latest state seen of each secret, and a [Reader] reads secrets, one or many, until
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
	// maxReads limits how often a secret is read again if its state may be older than
	// one already seen.
	maxReads = 8
	// firstWait is the pause before the first of these reads; it doubles each time.
	firstWait = 10 * time.Millisecond
	// Patience is the total of those pauses: how long a service may keep returning an
	// overwritten value.
	Patience = firstWait << maxReads
	// maxRounds limits how often these reads start over because this process saw a
	// later state of the secret in the meantime.
	maxRounds = 4
)

// ErrBehind says that the service kept returning older states than it had returned before.
var ErrBehind = fmt.Errorf("%w: the service keeps returning an older state than before", driver.ErrUnavailable)

// Reader reads secrets as values of type T, which each package chooses for itself. It is
// safe for concurrent use if its functions are.
type Reader[T any] struct {
	Secrets driver.Secrets
	// Batch reads many secrets in one call; nil if the service cannot.
	Batch driver.BatchGetter
	// Parallelism limits the concurrent calls of one ReadMany.
	Parallelism int
	Now         func() time.Time
	Sleep       func(context.Context, time.Duration) error

	// Decode turns an answer into a value. A secret that is not stored has no revision.
	// A fault concerns this secret only; Decode returns it, or a value that says what
	// is wrong.
	Decode func(secret driver.Secret, fault error) (T, error)
	// See compares a value with the latest state seen of its secret. asked is when the
	// read began.
	See func(v T, asked time.Time) (Order, Sighting)
	// Accept decides about a value that is still not fresh after Patience. before is the
	// latest state seen when the reads began. Accept reports whether it takes the value;
	// it must not if another state has been seen in the meantime.
	Accept func(ctx context.Context, v T, order Order, before Sighting) (bool, error)
}

// Read reads one secret. If its state is, or may be, older than one already seen, Read
// reads again until the service has caught up.
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

// judge decodes an answer and compares it with the latest state seen.
func (r *Reader[T]) judge(secret driver.Secret, fault error, asked time.Time) (T, Order, Sighting, error) {
	v, err := r.Decode(secret, fault)
	if err != nil {
		return v, Fresh, Sighting{}, err
	}
	order, latest := r.See(v, asked)
	return v, order, latest, nil
}

// ReadMany reads secrets, in the order of names, in one call if the service can. It
// reads a secret again on its own if the call returned an older state than one already
// seen, or said nothing about it. If Decode returns a fault, ReadMany fails with it.
func (r *Reader[T]) ReadMany(ctx context.Context, names []string) ([]T, error) {
	if r.Batch == nil || len(names) < 2 {
		return r.readEach(ctx, names)
	}
	fetched, err := r.Fetch(ctx, names)
	if err != nil {
		return nil, err
	}
	return r.Values(ctx, fetched)
}

// Fetched is what one call has returned of many secrets, not decoded yet.
type Fetched struct {
	names   []string
	answers answers
	asked   time.Time
}

// Fetch makes the call of a ReadMany, and leaves the rest of it to Values: a caller can decode
// one answer while the next is on its way. It needs a service with batch reads.
func (r *Reader[T]) Fetch(ctx context.Context, names []string) (Fetched, error) {
	asked := r.Now()
	secrets, err := r.Batch.GetBatch(ctx, names)
	answers, err := answersOf(secrets, err)
	return Fetched{names, answers, asked}, err
}

// Values returns what ReadMany does.
func (r *Reader[T]) Values(ctx context.Context, f Fetched) ([]T, error) {
	values := make([]T, len(f.names))
	var again []int // the indexes of the names to read again on their own
	var faults []error
	for i, name := range f.names {
		secret, fault, ok := f.answers.of(name)
		if !ok {
			again = append(again, i)
			continue
		}
		v, order, _, err := r.judge(secret, fault, f.asked)
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
		values[again[i]], err = r.Read(ctx, f.names[again[i]])
		return err
	})
}

// readEach reads secrets with one call each, several at a time.
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

// answers is what one call said about many secrets.
type answers struct {
	stored map[string]driver.Secret
	faults map[string]error // by name; nil means that the secret is not stored
	// silent reports that the call failed in part without naming all the secrets
	// concerned. Secrets that it did not name may well be stored.
	silent bool
}

// answersOf sorts the result of a GetBatch by secret. It returns an error if the call
// itself failed. "Not found" without a name is not such a failure, but it says nothing
// about any secret either.
func answersOf(secrets []driver.Secret, err error) (answers, error) {
	a := answers{stored: make(map[string]driver.Secret, len(secrets))}
	for _, secret := range secrets {
		a.stored[secret.Name] = secret
	}
	if err == nil {
		return a, nil
	}
	a.faults = map[string]error{}
	var unnamed []error
	for _, part := range leaves(err) {
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

// leaves returns what errors.Join has joined, through all levels.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, leaves(part)...)
	}
	return all
}

// of returns what the call said about one secret, and false if it said nothing. A
// secret that is not stored has no revision.
func (a answers) of(name string) (secret driver.Secret, fault error, ok bool) {
	if secret, ok = a.stored[name]; ok {
		return secret, nil, true
	}
	fault, named := a.faults[name]
	return driver.Secret{Name: name}, fault, named || !a.silent
}
