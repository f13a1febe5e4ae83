// Cases of driver.Retirer, for services that reserve the name of a deleted secret.

package conformance

import (
	"errors"

	"example.com/tokenstore/driver"
)

// grave is the data of a tombstone.
func grave() []byte { return []byte(`{"generation":"2","deleted":"1700000000000000"}`) }

func driverRetireCases() []DriverCase {
	return []DriverCase{
		{"retire", "after Retire, Get returns the tombstone or ErrNotFound, and the name can be taken again; late writers still fail", func(t *driverTrial) {
			retirer := t.retirer()
			if window := retirer.RetireWindow(); window < 0 {
				t.fails("RetireWindow is %v", window)
			}
			live := t.store("a", value("1"), "")
			tombstone := t.store("a", grave(), live)
			t.must("Retire", retirer.Retire(t.ctx, t.named("a"), tombstone))
			t.retired("a", tombstone)
			_, err := t.put(t.secrets, "a", value("late"), live)
			t.conflicts("Put with the revision before the tombstone, after Retire", err)
			t.conflictsOrNil("Delete with the revision before the tombstone, after Retire", t.secrets.Delete(t.ctx, t.named("a"), live))
			r := t.takesBack("a", value("2"))
			for _, late := range []string{live, tombstone, ""} {
				_, err := t.put(t.secrets, "a", value("late"), late)
				t.conflicts("Put with an earlier revision after the name was taken back", err)
			}
			t.holds("a", value("2"), r)
			t.lists("", "a")
		}},
		{"retire-again", "a name can be retired and taken back any number of times", func(t *driverTrial) {
			retirer := t.retirer()
			r := t.store("a", value("1"), "")
			for range 3 {
				tombstone := t.store("a", grave(), r)
				t.must("Retire", retirer.Retire(t.ctx, t.named("a"), tombstone))
				t.conflictsOrNil("a second Retire", retirer.Retire(t.ctx, t.named("a"), tombstone))
				r = t.takesBack("a", value("1"))
				t.holds("a", value("1"), r)
			}
		}},
		{"retire-stale", "Retire with a revision that is not the current one does nothing and harms no later write", func(t *driverTrial) {
			retirer := t.retirer()
			live := t.store("a", value("1"), "")
			tombstone := t.store("a", grave(), live)
			later := t.store("a", value("2"), tombstone)
			for _, old := range []string{tombstone, live} {
				t.conflictsOrNil("Retire with an earlier revision", retirer.Retire(t.ctx, t.named("a"), old))
			}
			t.holds("a", value("2"), later)
			t.lists("", "a")
			later = t.store("a", value("3"), later)
			t.holds("a", value("3"), later)
		}},
		{"retire-reborn", "Retire with a tombstone of an earlier life harms nothing that was created after it", func(t *driverTrial) {
			retirer := t.retirer()
			tombstone := t.store("a", grave(), t.store("a", value("1"), ""))
			t.must("Retire", retirer.Retire(t.ctx, t.named("a"), tombstone))
			r := t.takesBack("a", value("2"))
			t.conflictsOrNil("a late Retire", retirer.Retire(t.ctx, t.named("a"), tombstone))
			t.holds("a", value("2"), r)
			t.store("a", value("3"), r)
		}},
		{"retire-missing", "Retire of a name that is not stored does nothing", func(t *driverTrial) {
			retirer := t.retirer()
			r := t.store("a", value("1"), "")
			err := retirer.Retire(t.ctx, t.named("b"), r)
			if err != nil && !errors.Is(err, driver.ErrNotFound) {
				t.conflictsOrNil("Retire of a name that was never stored", err)
			}
			t.missing("b")
			t.holds("a", value("1"), r)
		}},
		{"retire-race", "Retire never harms a concurrent creation", retireRace},
	}
}

// retirer returns the driver's Retirer, or ends the case.
func (t *driverTrial) retirer() driver.Retirer {
	retirer, ok := driver.As[driver.Retirer](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.Retirer")
	}
	return retirer
}

func (t *driverTrial) conflictsOrNil(doing string, err error) {
	if err != nil {
		t.conflicts(doing, err)
	}
}

// retired records a finding unless Get returns the tombstone or ErrNotFound.
func (t *driverTrial) retired(name, tombstone string) {
	t.settled(func() bool {
		got, err := t.secrets.Get(t.ctx, t.named(name))
		if err != nil {
			return errors.Is(err, driver.ErrNotFound)
		}
		return got.Revision == tombstone && sameData(got.Data, grave())
	}, func() { t.fails("after Retire, Get returned neither the tombstone nor ErrNotFound") })
}

// takesBack creates a retired secret again as the engine does: it replaces the tombstone
// if there is one, and otherwise puts without a revision.
func (t *driverTrial) takesBack(name string, data []byte) string {
	got, err := t.secrets.Get(t.ctx, t.named(name))
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		t.must("Get of a retired secret", err)
	}
	r, err := t.put(t.secrets, name, data, got.Revision)
	t.must("Put that takes a retired name back", err)
	return r
}

// retireRace has creators replace a tombstone while it is being retired. If a driver has
// a window in which creators must wait, there is no race.
func retireRace(t *driverTrial) {
	retirer := t.retirer()
	if retirer.RetireWindow() > 0 {
		return
	}
	r := t.store("a", value("1"), "")
	for round := range t.settings.rounds {
		tombstone := t.store("a", grave(), r)
		var retireErr, putErr error
		var written string
		together(2, func(i int) {
			// Each is the first to start in half of the rounds.
			if i == round%2 {
				retireErr = retirer.Retire(t.ctx, t.named("a"), tombstone)
				return
			}
			written, putErr = t.put(t.secrets, "a", value("2"), tombstone)
		})
		if retireErr != nil {
			t.conflictsOrUnsure("Retire concurrent with a creation", retireErr)
		}
		if putErr == nil {
			t.holds("a", value("2"), written)
			r = written
			continue
		}
		t.conflictsOrUnsure("a creation concurrent with Retire", putErr)
		r = t.takesBack("a", value("2"))
		t.holds("a", value("2"), r)
	}
}
