// The cases of driver.Recoverer and driver.Scheduled, for services that may still have what a
// deleted secret held.

package conformance

import (
	"context"
	"errors"

	"example.com/tokenstore/driver"
)

func driverRecoverCases() []DriverCase {
	return []DriverCase{{"recover", "after Retire, Recover returns what the secret held before its tombstone, or ErrNotFound with the reason; the secret stays deleted, and its name can be taken again", func(t *driverTrial) {
		recoverer, ok := driver.As[driver.Recoverer](t.secrets)
		if !ok {
			t.lacks("the driver does not implement driver.Recoverer")
		}
		retirer := t.retirer()
		tombstone := t.store("a", grave(), t.store("a", value("2"), t.store("a", value("1"), "")))
		t.must("Retire", retirer.Retire(t.ctx, t.named("a"), tombstone))
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		if _, err := recoverer.Recover(ctx, t.named("a")); !errors.Is(err, context.Canceled) {
			t.fails("Recover with an ended context: %s", safe(err))
		}
		for range 2 { // A caller that dies between the call and its Put makes the call again.
			data, err := recoverer.Recover(t.ctx, t.named("a"))
			switch {
			case errors.Is(err, driver.ErrNotFound):
				if err.Error() == driver.ErrNotFound.Error() {
					t.fails("Recover does not say why there is nothing")
				}
			case err != nil:
				t.must("Recover", err)
			case !sameData(data, value("2")):
				t.fails("Recover returned other data than the secret had when it was deleted")
			}
			t.retired("a", tombstone)
		}
		r := t.takesBack("a", value("2"))
		t.holds("a", value("2"), r)
		if _, err := recoverer.Recover(t.ctx, t.named("b")); !errors.Is(err, driver.ErrNotFound) {
			t.fails("Recover of a name that was never stored: %s", safe(err))
		}
		t.missing("b")
	}}, {"person-scheduled", "Scheduled reports exactly of a secret that was deleted and that Recover can bring back that it is going to be deleted", personScheduled}}
}

func personScheduled(t *driverTrial) {
	service, ok := driver.As[driver.Scheduled](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.Scheduled")
	}
	recoverer, ok := driver.As[driver.Recoverer](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.Recoverer")
	}
	is := func(name string) bool {
		scheduled, err := service.Scheduled(t.ctx, t.named(name))
		t.must("Scheduled", err)
		return scheduled
	}
	t.need(t.settings.remove != nil, "the remove function of DriverPerson")
	t.store("a", value("1"), "")
	r := t.store("b", value("2"), "")
	if is("a") || is("never") {
		t.fails("Scheduled reports it of a secret that nobody has deleted")
	}
	t.must("the person's deletion", t.settings.remove(t.ctx, t.given, t.named("a")))
	t.missing("a")
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if _, err := service.Scheduled(ctx, t.named("a")); !errors.Is(err, context.Canceled) {
		t.fails("Scheduled with an ended context: %s", safe(err))
	}
	scheduled := false
	t.settled(func() bool {
		scheduled = is("a")
		return scheduled
	}, func() {}) // It may be that the service keeps nothing.
	if is("b") {
		t.fails("Scheduled reports of one secret what was done to another")
	}
	t.missing("a") // Scheduled only looks.
	data, err := recoverer.Recover(t.ctx, t.named("a"))
	switch {
	case errors.Is(err, driver.ErrNotFound) && !scheduled:
	case errors.Is(err, driver.ErrNotFound):
		t.fails("Scheduled reports that a secret can be brought back, and Recover returns ErrNotFound")
	case err != nil:
		t.must("Recover", err)
	case !scheduled:
		t.fails("Recover brings a secret back of which Scheduled does not report that it can")
	case !sameData(data, value("1")):
		t.fails("Recover returned other data than the secret had when it was deleted")
	}
	t.holds("b", value("2"), r)
}
