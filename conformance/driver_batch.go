// Cases of driver.BatchGetter: a faulty name must not hide the others.

package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore/driver"
)

func driverBatchCases() []DriverCase {
	return []DriverCase{
		{"batch", "GetBatch returns the named secrets that exist, as Get returns them", func(t *driverTrial) {
			want := map[string]string{"a": t.store("a", value("a"), ""), "b": t.store("b", value("b"), "")}
			gone := t.store("gone", value("gone"), "")
			t.remove("gone", gone)
			t.missing("gone")
			for name, r := range want {
				t.holds(name, value(name), r)
			}
			t.batchGives([]string{"a", "missing", "gone", "b"}, want)
			t.batchGives([]string{"missing"}, nil)
			t.batchGives(nil, nil)
			want["a"] = t.store("a", value("a"), want["a"])
			t.batchGives([]string{"b", "a"}, want)
		}},
		{"batch-many", "GetBatch takes any number of names", func(t *driverTrial) {
			want := map[string]string{}
			var names []string
			for i := range t.settings.secrets {
				name := fmt.Sprintf("%03d", i)
				names = append(names, name)
				if i%7 != 0 {
					want[name] = t.store(name, value(name), "")
				}
			}
			t.batchGives(names, want)
		}},
		{"batch-fault", "a fault of one name does not hide the others: they are returned, with a *NameError for the faulty one", func(t *driverTrial) {
			batch := t.batch()
			for _, name := range []string{"a", "b", "c"} {
				t.holds(name, value(name), t.store(name, value(name), ""))
			}
			bad := t.named("x//y")
			got, err := batch.GetBatch(t.ctx, []string{t.named("a"), bad, t.named("b"), t.named("missing"), t.named("c")})
			if names := t.namesOf(got); !slices.Equal(names, []string{"a", "b", "c"}) {
				t.fails("with one name refused, GetBatch returned the secrets %q instead of a, b and c", names)
			}
			var fault *driver.NameError
			if !errors.As(err, &fault) || fault.Name != bad || !errors.Is(err, driver.ErrInvalid) {
				t.fails("the error does not say which name was refused: %s", safe(err))
			}
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok || len(joined.Unwrap()) != 1 {
				t.breaks(ruleBatchError, "for one fault GetBatch returned an error of type %T", err)
			}
		}},
	}
}

// batch returns the driver's batch reads, or ends the case.
func (t *driverTrial) batch() driver.BatchGetter {
	batch, ok := driver.As[driver.BatchGetter](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.BatchGetter")
	}
	return batch
}

func (t *driverTrial) namesOf(secrets []driver.Secret) []string {
	var names []string
	for _, s := range secrets {
		names = append(names, strings.TrimPrefix(s.Name, t.prefix))
	}
	slices.Sort(names)
	return names
}

// batchGives records a finding if a batch read of names does not return exactly the
// secrets of want, by their revisions. Each holds a value with its own name.
func (t *driverTrial) batchGives(names []string, want map[string]string) {
	batch := t.batch()
	var full, expected []string
	for _, name := range names {
		full = append(full, t.named(name))
		if want[name] != "" {
			expected = append(expected, name)
		}
	}
	slices.Sort(expected)
	var problem string
	t.settled(func() bool {
		got, err := batch.GetBatch(t.ctx, full)
		if err != nil {
			problem = safe(err)
			return false
		}
		problem = namesDiffer(t.namesOf(got), expected)
		for _, s := range got {
			name := strings.TrimPrefix(s.Name, t.prefix)
			if problem == "" && (s.Revision != want[name] || !sameData(s.Data, value(name))) {
				problem = "the secret " + show(name, false) + " is not as it was last written"
			}
		}
		return problem == ""
	}, func() { t.fails("GetBatch of %d names: %s", len(names), problem) })
}
