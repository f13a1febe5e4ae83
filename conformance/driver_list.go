// Cases of List. Names missing from a list hide tokens from GetTokens and from the repair.

package conformance

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

func driverListCases() []DriverCase {
	return []DriverCase{
		{"list-none", "List of a prefix that no name has is empty, without an error", func(t *driverTrial) {
			t.lists("")
			t.lists("a")
			t.store("a/b", value("1"), "")
			t.lists("b")
			t.lists("a/b/c")
		}},
		{"list-prefix", "List yields the names that begin with prefix, byte for byte; the prefix may end anywhere in a name", func(t *driverTrial) {
			for _, name := range []string{"ab", "abc/d", "abc/e/f", "abd", "ac", "Ab", "b/ab"} {
				t.store(name, value(name), "")
			}
			t.lists("", "ab", "abc/d", "abc/e/f", "abd", "ac", "Ab", "b/ab")
			t.lists("a", "ab", "abc/d", "abc/e/f", "abd", "ac")
			t.lists("ab", "ab", "abc/d", "abc/e/f", "abd")
			t.lists("abc", "abc/d", "abc/e/f")
			t.lists("abc/", "abc/d", "abc/e/f")
			t.lists("abc/e", "abc/e/f")
			t.lists("abc/e/f", "abc/e/f")
			t.lists("ab/")
			t.lists("A", "Ab")
		}},
		{"list-prefix-signs", "no character of a prefix is a pattern, and a prefix may end inside of a character", func(t *driverTrial) {
			names := []string{"a_b", "a%b", "a*b", "a?b", "a[b]", "a.b", `a\b`, "axb", "éa", "èa", "ab"}
			for _, name := range names {
				t.store(name, value(name), "")
			}
			for _, sign := range []string{"_", "%", "*", "?", "[", ".", `\`} {
				var want []string
				for _, name := range names {
					if strings.HasPrefix(name, "a"+sign) {
						want = append(want, name)
					}
				}
				t.lists("a"+sign, want...)
			}
			t.lists("é"[:1], "éa", "èa")
			t.lists("é", "éa")
			t.lists("*")
		}},
		{"list-all", "List of the empty prefix yields all names", func(t *driverTrial) {
			t.store("a", value("1"), "")
			t.store("b/c", value("2"), "")
			var problem string
			t.settled(func() bool {
				got, err := t.listRaw("")
				if problem = namesDiffer(got, []string{"a", "b/c"}); err != nil {
					problem = safe(err)
				}
				return problem == ""
			}, func() { t.fails("List of the empty prefix: %s", problem) })
		}},
		{"list-paging", "List yields every name once, however many there are", func(t *driverTrial) {
			var names []string
			for i := range t.settings.secrets {
				name := fmt.Sprintf("many/%03d", i)
				t.store(name, value(name), "")
				names = append(names, name)
			}
			t.store("other", value("other"), "")
			t.lists("many/", names...)
			t.lists("other", "other")
		}},
		{"list-deleted", "List does not yield the names of deleted secrets", func(t *driverTrial) {
			kept := t.store("a", value("1"), "")
			gone := t.store("b", value("2"), "")
			t.remove("b", gone)
			t.lists("", "a")
			t.store("b", value("3"), "")
			t.lists("", "a", "b")
			t.remove("a", kept)
			t.lists("", "b")
		}},
		{"list-break", "a list can be stopped early, and started again", func(t *driverTrial) {
			for _, name := range []string{"a", "b", "c"} {
				t.store(name, value(name), "")
			}
			t.lists("", "a", "b", "c")
			list := t.secrets.List(t.ctx, t.prefix)
			for range 2 {
				n := 0
				t.settled(func() bool {
					n = leaveAfter(2, list)
					return n == 2
				}, func() { t.fails("a list of three that is stopped after two yielded %d", n) })
			}
		}},
		{"list-inside", "other calls can be made during a list", func(t *driverTrial) {
			revisions := map[string]string{}
			for _, name := range []string{"a", "b", "c"} {
				revisions[name] = t.store(name, value(name), "")
			}
			t.lists("", "a", "b", "c")
			t.must("List", repeated(func() error {
				for full, err := range t.secrets.List(t.ctx, t.prefix) {
					if err != nil {
						return err
					}
					name := strings.TrimPrefix(full, t.prefix)
					if _, left := revisions[name]; !left {
						continue // Removed before the list was throttled, and read again.
					}
					t.holds(name, value(name), revisions[name])
					t.remove(name, revisions[name])
					delete(revisions, name)
				}
				return nil
			}, refusedForNow))
			if len(revisions) > 0 && t.settings.settle == nil {
				t.fails("a list during which the listed secrets are deleted leaves out %d of 3", len(revisions))
			}
			t.lists("", slices.Collect(maps.Keys(revisions))...)
		}},
	}
}

// leaveAfter reads up to n names of a list and stops; it returns how many there were. A list
// that is throttled is read again.
func leaveAfter(n int, list iter.Seq2[string, error]) (taken int) {
	_ = repeated(func() error {
		taken = 0
		for _, err := range list {
			if err != nil {
				return err
			}
			if taken++; taken == n {
				break
			}
		}
		return nil
	}, refusedForNow)
	return taken
}
