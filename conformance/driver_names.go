// Cases of names. Services restrict names, so adapters escape them: two names must never
// end up on one secret.

package conformance

import (
	"errors"
	"strings"

	"example.com/tokenstore/driver"
)

// hostileNames are names that adapters are likely to confuse, grouped by what they have
// in common.
var hostileNames = map[string][]string{
	"letters": {"a", "A", "AB", "Ab", "aB", "ab", "straße", "strasse", "STRASSE", "ı", "i", "I", "İ"},
	"escapes": {
		"x/y", "x%2Fy", "x%2fy", "x%252Fy", "x_y", "x__y", "x_2fy", "x_2Fy", "x-y", "x--y", "x-2fy", "x=y", "x=2Fy",
		"x.y", "x..y", "x.2fy", "x+y", "x y", "x%20y", "x~y", "x@y", `x\y`, `x\\y`, `x\/y`, "x:y", "x|y", "x*y", "x?y", "x#y", "x&y", "x;y",
	},
	"ends": {
		"key", "key ", " key", "key.", ".key", "key-", "-key", "key_", "_key", "key%", "%key", "key=", "key~", "...", ".. ", "-", "_", "%", "=", "~",
	},
	"suffixes": {
		"key", "key-AbCdEf", "key-abcdef", "key-123456", "key-AbCdEf-AbCdEf", "key.tmp", "key.lock", "key.json", "key.bak", "lock", "index", "con", "nul",
	},
	"depth": {"d", "d/e", "d/e/f", "d/e/f/g", "d-e", "de", "d/metadata/e", "d/data/e", "data/d/e", "metadata/d"},
	"unicode": {
		"caf\u00e9", "cafe\u0301", "日本語/鍵", "ключ", "🔑", "🔑🔑", "\u212b", "\u00c5", "a\u200bb", "a\u00a0b", "ﬁ", "fi", `"quoted"`, "'quoted'", "<a>", "{a}", "[a]", "$a", "`a`",
	},
}

func driverNameCases() []DriverCase {
	const rule = "two names never share a secret, whatever the service allows in a name; a list yields the names as they were given"
	cases := []DriverCase{
		{"names-refused", "a name that is empty, or has an empty, . or .. segment, is refused with ErrInvalid", namesRefused},
	}
	for _, group := range []string{"letters", "escapes", "ends", "suffixes", "depth", "unicode"} {
		cases = append(cases, DriverCase{"names-" + group, rule, func(t *driverTrial) { t.tellsApart(hostileNames[group]) }})
	}
	return append(cases,
		DriverCase{"names-long", rule, func(t *driverTrial) { t.tellsApart(longNames()) }},
		DriverCase{"names-bytes", rule, func(t *driverTrial) {
			t.tellsApart([]string{"a\nb", "a\tb", "a\rb", "a\x7fb", "a\x01b", "a\x00b", "a\x00", "a\xffb", "a\xfeb", "a\ufffdb"})
		}},
	)
}

// longNames are names of 300 characters that differ in one place, also in parts that a
// limit cuts off or a hash shortens.
func longNames() []string {
	long := strings.Repeat("abcdefghi/", 30)[:299]
	return []string{
		long + "1", long + "2", long, "1" + long, "2" + long,
		long[:150] + "X" + long[151:] + "1", long[:150] + "x" + long[151:] + "1",
		long + "1/below", strings.Repeat("s", 300), strings.Repeat("s", 299) + "S", strings.Repeat("s", 301),
		strings.Repeat("é", 150), strings.Repeat("é", 149) + "è", strings.Repeat("%", 300), strings.Repeat("%", 299) + "_",
		strings.Repeat("-", 64), strings.Repeat("s", 128), strings.Repeat("s", 127), strings.Repeat("s", 255), strings.Repeat("s", 256),
	}
}

// tellsApart stores a secret under each of the names and checks that each name leads to its
// own secret only.
func (t *driverTrial) tellsApart(names []string) {
	revisions := map[string]string{}
	stored := func(n int) []byte { return value("name-" + strings.Repeat("i", n)) }
	for i, name := range names {
		r, err := t.put(t.secrets, name, stored(i), "")
		if err != nil {
			t.fails("Put of the new name %s: %s", show(name, false), safe(err))
			giveUp()
		}
		revisions[name] = r
	}
	for i, name := range names {
		t.holds(name, stored(i), revisions[name])
	}
	t.lists("", names...)
	for i, name := range names {
		if i%2 == 0 {
			t.must("Delete of "+show(name, false), t.secrets.Delete(t.ctx, t.named(name), revisions[name]))
		}
	}
	var kept []string
	for i, name := range names {
		if i%2 == 0 {
			t.missing(name)
			continue
		}
		t.holds(name, stored(i), revisions[name])
		kept = append(kept, name)
	}
	t.lists("", kept...)
}

func namesRefused(t *driverTrial) {
	whole := []string{"", ".", "..", "/", "//", "/" + t.named("a"), "../" + t.named("a"), "./" + t.named("a")}
	for _, name := range []string{"a/", "a//b", "/a", "", ".", "..", "a/..", "a/../b", "a/.", "a/./b", "../a"} {
		whole = append(whole, t.named(name))
	}
	invalid := func(method, name string, err error) {
		if !errors.Is(err, driver.ErrInvalid) {
			t.fails("%s of the name %s: %s", method, t.short(name), safe(err))
		}
	}
	for _, name := range whole {
		_, err := t.secrets.Get(t.ctx, name)
		invalid("Get", name, err)
		_, err = t.secrets.Put(t.ctx, driver.Secret{Name: name, Data: value("1")})
		invalid("Put", name, err)
		invalid("Delete", name, t.secrets.Delete(t.ctx, name, "1"))
	}
	t.lists("")
}
