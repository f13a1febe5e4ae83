// Cases of people and other processes that change secrets behind the driver's back.

package conformance

import (
	"example.com/tokenstore/driver"
)

func driverPersonCases() []DriverCase {
	return []DriverCase{
		{"person-edit", "a person's edit between a read and a write is never silently overwritten: the error matches ErrConflict", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			t.edits("a", `{"value":"fakecred-edited"}`)
			_, err := t.put(t.secrets, "a", value("lost"), r)
			t.conflicts("Put with the revision before a person's edit", err)
			_, err = t.put(t.secrets, "a", value("lost"), "")
			t.conflicts("Put without a revision over a person's edit", err)
			t.conflicts("Delete with the revision before a person's edit", t.secrets.Delete(t.ctx, t.named("a"), r))
			t.holds("a", value("edited"), "")
			r = t.store("a", value("2"), t.get("a").Revision)
			t.holds("a", value("2"), r)
		}},
		{"person-object", "Get returns an object as a person wrote it", func(t *driverTrial) {
			const data = `{"value":"fakecred-by-hand","number":7,"nested":{"a":[1,"2"]},"empty":""}`
			r := t.store("a", value("1"), "")
			t.edits("a", data)
			t.holds("a", []byte(data), "")
			if got := t.get("a"); got.Revision == r {
				t.breaks(ruleRevision, "the revision did not change with a person's edit")
			}
			t.edits("b", data)
			t.holds("b", []byte(data), "")
			t.lists("", "a", "b")
			t.remove("b", t.get("b").Revision)
			t.missing("b")
		}},
		{"person-text", "Get returns data as a person wrote it, even if it is not JSON", func(t *driverTrial) {
			const data = "fakecred, not JSON {\n"
			t.store("a", value("1"), "")
			t.edits("a", data)
			t.edits("b", data)
			t.holds("a", []byte(data), "")
			t.holds("b", []byte(data), "")
			r := t.store("a", value("2"), t.get("a").Revision)
			t.holds("a", value("2"), r)
		}},
		{"person-taken", "a name that a person has used is taken: a Put without a revision conflicts", func(t *driverTrial) {
			t.edits("a", `{"value":"fakecred-by-hand"}`)
			_, err := t.put(t.secrets, "a", value("lost"), "")
			t.conflicts("Put without a revision over a person's secret", err)
			t.holds("a", value("by-hand"), "")
		}},
		{"person-delete", "a secret that was deleted in the service's console is not found, and its name can be used again", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			t.need(t.settings.remove != nil, "the remove function of DriverPerson")
			t.must("the person's deletion", t.settings.remove(t.ctx, t.given, t.named("a")))
			t.missing("a")
			t.lists("")
			_, err := t.put(t.secrets, "a", value("late"), r)
			t.conflicts("Put with the revision before a person's deletion", err)
			t.must("Delete of a secret that a person has deleted", t.secrets.Delete(t.ctx, t.named("a"), r))
			second := t.store("a", value("2"), "")
			_, err = t.put(t.secrets, "a", value("late"), r)
			t.conflicts("Put with the revision before a person's deletion, after a new creation", err)
			t.holds("a", value("2"), second)
		}},
	}
}

// need ends the case with a finding if an option that it needs was not given.
func (t *driverTrial) need(given bool, option string) {
	if !given {
		t.fails("the case cannot run: %s was not given", option)
		giveUp()
	}
}

// edits writes as a person does, or ends the case.
func (t *driverTrial) edits(name, data string) {
	t.need(t.settings.edit != nil, "the edit function of DriverPerson")
	t.must("the person's edit", t.settings.edit(t.ctx, t.given, t.named(name), []byte(data)))
}

// another returns another driver on the same secrets, or ends the case.
func (t *driverTrial) another() driver.Secrets {
	t.need(t.settings.handle != nil, "DriverHandle")
	return t.anotherOr(nil)
}

// anotherOr is like another, but returns fallback without a DriverHandle.
func (t *driverTrial) anotherOr(fallback driver.Secrets) driver.Secrets {
	if t.settings.handle == nil {
		return fallback
	}
	secrets, err := t.settings.handle(t.ctx, t.given)
	t.must("DriverHandle", err)
	t.closes(secrets)
	return t.watch(secrets)
}

func driverHandleCases() []DriverCase {
	return []DriverCase{
		{"handles-read", "all processes see the same secrets", func(t *driverTrial) {
			b := t.another()
			r := t.store("a", value("1"), "")
			t.holdsFor(b, "a", value("1"), r)
			r2, err := t.put(b, "a", value("2"), r)
			t.must("Put by another process with the revision of the first", err)
			t.holds("a", value("2"), r2)
			t.must("Delete by another process", b.Delete(t.ctx, t.named("a"), r2))
			t.missing("a")
			t.missingFor(b, "a")
		}},
		{"handles-stale", "Put and Delete decide on the service's current state, never on a cached one: a write by another process makes them conflict", func(t *driverTrial) {
			b := t.another()
			first := t.store("a", value("1"), "")
			t.holds("a", value("1"), first)
			second, err := t.put(b, "a", value("2"), first)
			t.must("Put by another process", err)
			_, err = t.put(t.secrets, "a", value("lost"), first)
			t.conflicts("Put with a revision that another process has replaced", err)
			t.conflicts("Delete with a revision that another process has replaced", t.secrets.Delete(t.ctx, t.named("a"), first))
			_, err = t.put(b, "a", value("lost"), "")
			t.conflicts("Put without a revision by another process", err)
			t.holds("a", value("2"), second)
		}},
		{"handles-new", "a name that another process has taken is taken, and one that it has deleted is free", func(t *driverTrial) {
			b := t.another()
			t.missing("a")
			first, err := t.put(b, "a", value("1"), "")
			t.must("Put by another process", err)
			_, err = t.put(t.secrets, "a", value("lost"), "")
			t.conflicts("Put of a name that another process has taken", err)
			t.holds("a", value("1"), first)
			t.must("Delete by another process", b.Delete(t.ctx, t.named("a"), first))
			second := t.store("a", value("1"), "")
			_, err = t.put(b, "a", value("late"), first)
			t.conflicts("Put by another process with a revision of an earlier life", err)
			t.conflicts("Delete by another process with a revision of an earlier life", b.Delete(t.ctx, t.named("a"), first))
			t.holdsFor(b, "a", value("1"), second)
		}},
	}
}

func driverRestoreCases() []DriverCase {
	return []DriverCase{
		{"restored", "Get returns data that was put back by the service's own means, with a revision that no earlier write has replaced", func(t *driverTrial) {
			second := t.restored("a")
			t.holds("a", value("1"), "")
			_, err := t.put(t.secrets, "a", value("lost"), second)
			t.conflicts("Put with the revision from before older data was put back", err)
			t.conflicts("Delete with that revision", t.secrets.Delete(t.ctx, t.named("a"), second))
			third := t.store("a", value("3"), t.get("a").Revision)
			t.holds("a", value("3"), third)
		}},
		{"restored-seen", "Secret.Restored reports that older data was put back, until the next write", func(t *driverTrial) {
			t.restored("a")
			t.holds("a", value("1"), "")
			back := t.get("a")
			if !back.Restored {
				t.fails("Get does not report that older data was put back")
			}
			if batch, ok := driver.As[driver.BatchGetter](t.secrets); ok {
				t.settled(func() bool {
					got, err := batch.GetBatch(t.ctx, []string{t.named("a")})
					return err == nil && len(got) == 1 && got[0].Restored
				}, func() { t.fails("GetBatch does not report that older data was put back") })
			}
			third, err := t.secrets.Put(t.ctx, driver.Secret{Name: t.named("a"), Data: value("3"), Revision: back.Revision, Restored: true})
			t.must("Put", err)
			t.holds("a", value("3"), third)
			if t.get("a").Restored {
				t.fails("after a Put, Get still reports that older data was put back")
			}
		}},
	}
}

// restored stores a secret twice, puts the first data back, and returns the
// revision of the second.
func (t *driverTrial) restored(name string) string {
	t.need(t.settings.restore != nil, "DriverRestore")
	second := t.store(name, value("2"), t.store(name, value("1"), ""))
	t.holds(name, value("2"), second)
	if t.get(name).Restored {
		t.fails("Get of data that was just written reports that older data was put back")
	}
	t.must("DriverRestore", t.settings.restore(t.ctx, t.given, t.named(name)))
	return second
}
