// The index forgets a token whose secret is absent. The cases here are about answers that
// look like absence but do not prove it: a batch that is refused as a whole, and a container
// that does not exist.

package conformance

import (
	"context"
	"errors"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

const (
	ruleAbsence   = "only an answer about one secret proves that it is absent: only Get returns ErrNotFound"
	ruleContainer = "a container that does not exist is a fault: never ErrNotFound, never success, and not retryable"
)

func driverAbsenceCases() []DriverCase {
	return []DriverCase{
		{"batch-removed", "a secret that a person has removed does not hide the others of a batch", func(t *driverTrial) {
			t.batch()
			want := map[string]string{"a": t.store("a", value("a"), ""), "b": t.store("b", value("b"), "")}
			t.store("gone", value("gone"), "")
			t.need(t.settings.remove != nil, "the remove function of DriverPerson")
			t.must("the person's deletion", t.settings.remove(t.ctx, t.given, t.named("gone")))
			t.batchGives([]string{"a", "gone", "b"}, want)
		}},
		{"batch-refused", "a GetBatch that is refused as a whole proves nothing about its names: the call fails, or the adapter reads the names one by one", batchRefused},
		{"container-read", ruleContainer, func(t *driverTrial) {
			s := t.nowhere()
			t.failsNowhere("Get", func(ctx context.Context) error {
				_, err := s.Get(ctx, t.named("a"))
				return err
			})
			t.failsNowhere("List", func(ctx context.Context) error {
				for _, err := range s.List(ctx, t.prefix) {
					if err != nil {
						return err
					}
				}
				return nil
			})
			if batch, ok := driver.As[driver.BatchGetter](s); ok {
				t.failsNowhere("GetBatch", func(ctx context.Context) error {
					_, err := batch.GetBatch(ctx, []string{t.named("a"), t.named("b")})
					return err
				})
			}
		}},
		{"container-write", ruleContainer, func(t *driverTrial) {
			s := t.nowhere()
			t.failsNowhere("Put", func(ctx context.Context) error {
				_, err := s.Put(ctx, driver.Secret{Name: t.named("a"), Data: value("1")})
				return err
			})
			revision := t.store("a", value("1"), "")
			t.failsNowhere("Put with a revision", func(ctx context.Context) error {
				_, err := s.Put(ctx, driver.Secret{Name: t.named("a"), Data: value("2"), Revision: revision})
				return err
			})
			t.failsNowhere("Delete", func(ctx context.Context) error { return s.Delete(ctx, t.named("a"), revision) })
			t.holds("a", value("1"), revision)
		}},
	}
}

// batchRefused reads a batch through a service that refuses batches.
func batchRefused(t *driverTrial) {
	t.batch()
	t.need(t.settings.refuse != nil, "DriverRefusedBatch")
	for _, name := range []string{"a", "b"} {
		t.holds(name, value(name), t.store(name, value(name), ""))
	}
	refused, err := t.settings.refuse(t.ctx, t.given)
	t.must("DriverRefusedBatch", err)
	t.closes(refused)
	batch, ok := driver.As[driver.BatchGetter](t.watch(refused))
	if !ok {
		t.fails("the driver of DriverRefusedBatch does not implement driver.BatchGetter")
		return
	}
	got, err := batch.GetBatch(t.ctx, []string{t.named("a"), t.named("missing"), t.named("b")})
	found, faults := t.namesOf(got), t.namesWithFaults(err)
	if err != nil && len(faults) == 0 {
		return // The call failed.
	}
	for _, name := range []string{"a", "b"} {
		if !slices.Contains(found, name) && !slices.Contains(faults, name) {
			t.fails("the stored secret %s is neither returned nor named in the error: it counts as absent", show(name, false))
		}
	}
}

// namesWithFaults returns the names for which a batch's error has a fault.
func (t *driverTrial) namesWithFaults(err error) []string {
	var names []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var fault *driver.NameError
			if errors.As(e, &fault) {
				names = append(names, fault.Name[min(len(t.prefix), len(fault.Name)):])
			}
		}
	}
	return names
}

// nowhere returns a driver on a container that does not exist, or ends the case.
// It is not watched, because failsNowhere checks its errors more strictly.
func (t *driverTrial) nowhere() driver.Secrets {
	t.need(t.settings.nowhere != nil, "DriverNoContainer")
	secrets, err := t.settings.nowhere(t.ctx, t.given)
	t.must("DriverNoContainer", err)
	t.closes(secrets)
	return secrets
}

// failsNowhere records a finding unless a call on a container that does not exist returns
// in time, with an error that says so.
func (t *driverTrial) failsNowhere(doing string, call func(context.Context) error) {
	err := t.bounded(t.ctx, t.settings.patience, doing, call)
	switch {
	case err == nil:
		t.fails("%s succeeds", doing)
	case leaks(err):
		t.add(Finding{Rule: ruleNoData, Detail: doing + " returned an error that holds data", hard: true})
	case errors.Is(err, driver.ErrNotFound):
		t.fails("%s: %s", doing, safe(err))
	case tokenstore.Retryable(err):
		t.fails("%s: the error is retryable: %s", doing, safe(err))
	case !errors.Is(err, driver.ErrNoContainer) && !errors.Is(err, driver.ErrDenied) && !errors.Is(err, driver.ErrInvalid):
		t.fails("%s: %s, instead of an error that matches ErrNoContainer, or ErrDenied if the service does not distinguish them", doing, safe(err))
	}
}
