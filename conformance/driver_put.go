// Cases of Get, Put and Delete: the compare-and-swap that the engine rests on.

package conformance

import (
	"errors"

	"example.com/tokenstore/driver"
)

func driverPutCases() []DriverCase {
	return []DriverCase{
		{"get-missing", "Get of a name that is not stored returns an error that matches ErrNotFound", func(t *driverTrial) {
			t.missing("a")
			t.store("a/b", value("below"), "")
			t.missing("a")
			t.missing("a/b/c")
			_, err := t.secrets.Get(t.ctx, t.named("a"))
			if errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrUnreadable) {
				t.fails("the error for a missing name also matches another sentinel: %s", safe(err))
			}
		}},
		{"put-new", "Put without a revision stores a new secret and returns its revision", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			t.holds("a", value("1"), r)
			t.lists("", "a")
		}},
		{"put-taken", "a Put without a revision requires that there is no secret of that name; otherwise nothing changes and the error matches ErrConflict", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			_, err := t.put(t.secrets, "a", value("2"), "")
			t.conflicts("Put without a revision over a stored secret", err)
			t.holds("a", value("1"), r)
			_, err = t.put(t.secrets, "a", value("1"), "")
			t.conflicts("Put without a revision of the data that is stored already", err)
			t.store("a", value("3"), r)
		}},
		{"put-current", "Put with the current revision replaces the data and returns a new revision", func(t *driverTrial) {
			r := t.store("a", value("0"), "")
			for _, text := range []string{"1", "2", "3"} {
				r = t.store("a", value(text), r)
				t.holds("a", value(text), r)
			}
		}},
		{"put-read", "the revision that Get returns is the one that a Put replaces", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			t.holds("a", value("1"), r)
			got := t.get("a")
			r = t.store("a", value("2"), got.Revision)
			t.holds("a", value("2"), r)
		}},
		{"put-stale", "a Put with a revision that is not the current one changes nothing, and the error matches ErrConflict", func(t *driverTrial) {
			first := t.store("a", value("1"), "")
			second := t.store("a", value("2"), first)
			_, err := t.put(t.secrets, "a", value("lost"), first)
			t.conflicts("Put with the revision before", err)
			t.holds("a", value("2"), second)
			third := t.store("a", value("3"), second)
			for _, old := range []string{first, second} {
				_, err := t.put(t.secrets, "a", value("lost"), old)
				t.conflicts("Put with an earlier revision", err)
			}
			t.holds("a", value("3"), third)
		}},
		{"put-gone", "a Put with a revision never creates a secret: the error matches ErrConflict", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			_, err := t.put(t.secrets, "b", value("2"), r)
			t.conflicts("Put with a revision of a name that was never stored", err)
			t.missing("b")
			t.remove("a", r)
			_, err = t.put(t.secrets, "a", value("2"), r)
			t.conflicts("Put with the last revision of a deleted secret", err)
			t.missing("a")
		}},
		{"put-whole", "Put replaces the whole object: fields that the new data lacks are gone", func(t *driverTrial) {
			r := t.store("a", []byte(`{"value":"fakecred-1","other":"fakecred-2","nested":{"x":"1","y":"2"}}`), "")
			r = t.store("a", []byte(`{"other":"fakecred-3","nested":{"x":"1"}}`), r)
			t.holds("a", []byte(`{"other":"fakecred-3","nested":{"x":"1"}}`), r)
			r = t.store("a", []byte(`{}`), r)
			t.holds("a", []byte(`{}`), r)
		}},
		{"put-apart", "a write to one secret changes no other", func(t *driverTrial) {
			a, b := t.store("a", value("a"), ""), t.store("b", value("b"), "")
			a2 := t.store("a", value("a2"), a)
			t.holds("b", value("b"), b)
			b2 := t.store("b", value("b2"), b)
			t.holds("a", value("a2"), a2)
			t.remove("a", a2)
			t.holds("b", value("b2"), b2)
		}},
		{"data-unchanged", ruleUnchanged, dataUnchanged},
	}
}

// dataUnchanged makes the calls after which a driver might change what it was given, or use
// a buffer again that it has returned. Every case checks that it does not.
func dataUnchanged(t *driverTrial) {
	const spaced = ` {"value": "fakecred-2" } `
	b := t.store("b", value("b"), "")
	last := value("1")
	r := t.store("a", last, "")
	for _, data := range [][]byte{[]byte(spaced), value("3"), largeText(4_000), value("4")} {
		t.holds("a", last, r)
		t.holds("b", value("b"), b)
		if batch, ok := driver.As[driver.BatchGetter](t.secrets); ok {
			_, err := batch.GetBatch(t.ctx, []string{t.named("a"), t.named("b")})
			t.must("GetBatch", err)
		}
		old := r
		r, last = t.store("a", data, r), data
		_, err := t.put(t.secrets, "a", value("late"), old)
		t.conflicts("Put with the revision before", err)
	}
	t.holds("a", last, r)
	t.remove("a", r)
	t.holds("b", value("b"), b)
}

func driverDeleteCases() []DriverCase {
	return []DriverCase{
		{"delete", "Delete with the current revision removes the secret: it is then neither found nor listed", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			kept := t.store("b", value("2"), "")
			t.remove("a", r)
			t.missing("a")
			t.holds("b", value("2"), kept)
			t.lists("", "b")
		}},
		{"delete-updated", "Delete with the current revision removes a secret that was written more than once", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			r = t.store("a", value("2"), r)
			r = t.store("a", value("3"), r)
			t.remove("a", r)
			t.missing("a")
			t.lists("")
		}},
		{"delete-stale", "a Delete with a revision that is not the current one changes nothing, and the error matches ErrConflict: it never destroys a later write", func(t *driverTrial) {
			first := t.store("a", value("1"), "")
			second := t.store("a", value("2"), first)
			t.conflicts("Delete with the revision before", t.secrets.Delete(t.ctx, t.named("a"), first))
			t.holds("a", value("2"), second)
			t.store("a", value("3"), second)
		}},
		{"delete-unread", "a Delete without a revision removes nothing that is stored: the error matches ErrConflict", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			t.conflicts("Delete without a revision", t.secrets.Delete(t.ctx, t.named("a"), ""))
			t.holds("a", value("1"), r)
		}},
		{"delete-missing", "deleting a name that is not stored is not an error", func(t *driverTrial) {
			r := t.store("a", value("1"), "")
			t.must("Delete of a name that was never stored", t.secrets.Delete(t.ctx, t.named("b"), r))
			t.remove("a", r)
			t.must("Delete of a deleted name", t.secrets.Delete(t.ctx, t.named("a"), r))
			t.missing("a")
			t.missing("b")
		}},
		{"delete-reborn", "a Delete with a revision from before a deletion removes nothing that was created after it", func(t *driverTrial) {
			old := t.store("a", value("1"), "")
			t.remove("a", old)
			r := t.store("a", value("1"), "")
			t.conflicts("Delete with a revision of an earlier life", t.secrets.Delete(t.ctx, t.named("a"), old))
			t.holds("a", value("1"), r)
		}},
	}
}

func driverRevisionCases() []DriverCase {
	return []DriverCase{
		{"recreate", "a name can be used again after its secret was deleted, with a revision that it has never had", func(t *driverTrial) {
			for range 4 {
				// The same data each time: a revision derived from the data would repeat.
				r := t.store("a", value("1"), "")
				t.holds("a", value("1"), r)
				r = t.store("a", value("2"), r)
				t.remove("a", r)
				t.missing("a")
			}
			r := t.store("a", value("1"), "")
			t.lists("", "a")
			t.holds("a", value("1"), r)
		}},
		{"aba", "a writer that stalled during a deletion and a new creation gets ErrConflict, even if the data is the same", func(t *driverTrial) {
			old := t.store("a", value("1"), "")
			t.remove("a", old)
			r := t.store("a", value("1"), "")
			_, err := t.put(t.secrets, "a", value("late"), old)
			t.conflicts("Put with a revision of an earlier life", err)
			t.holds("a", value("1"), r)
		}},
		{"same-data", "every write has a revision of its own, even if it changes nothing", func(t *driverTrial) {
			first := t.store("a", value("1"), "")
			second := t.store("a", value("1"), first)
			_, err := t.put(t.secrets, "a", value("2"), first)
			t.conflicts("Put with the revision before a write of the same data", err)
			third := t.store("a", value("2"), second)
			fourth := t.store("a", value("1"), third)
			for _, old := range []string{first, second, third} {
				_, err := t.put(t.secrets, "a", value("lost"), old)
				t.conflicts("Put with an earlier revision of the same data", err)
			}
			t.holds("a", value("1"), fourth)
		}},
		{"tombstone", "data that replaces a secret, such as a tombstone, makes late writers fail, both until it is deleted and after that", func(t *driverTrial) {
			live := t.store("a", value("1"), "")
			tombstone := []byte(`{"generation":"7","deleted":"1700000000000000"}`)
			buried := t.store("a", tombstone, live)
			late := func(when string, revisions ...string) {
				for _, r := range revisions {
					_, err := t.put(t.secrets, "a", value("late"), r)
					t.conflicts("Put with an earlier revision "+when, err)
				}
			}
			late("over a tombstone", live, "")
			t.conflicts("Delete of a tombstone with the revision before", t.secrets.Delete(t.ctx, t.named("a"), live))
			t.holds("a", tombstone, buried)
			t.remove("a", buried)
			late("after a tombstone was deleted", live, buried)
			t.missing("a")
			r := t.store("a", value("2"), "")
			late("after the name was taken again", live, buried, "")
			t.holds("a", value("2"), r)
		}},
	}
}
