package sqlstore

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// A URL either names a path and proper options, or is refused without being
// quoted. Nothing is opened.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"tokens.db", ":memory:", "/a/b?table=x&busy_timeout=1s", "%3f#", "//host/x", "?upgrade=1", "a?table=%60", "a%00", "a?b=c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		u, err := url.Parse("sqlite:" + rest)
		if err != nil {
			return
		}
		path, options, err := parseURL(u)
		if err != nil {
			if !errors.Is(err, tokenstore.ErrInvalidArgument) {
				t.Errorf("%v", err)
			}
			return
		}
		if path == "" || strings.ContainsRune(path, 0) {
			t.Errorf("path %q", path)
		}
		c, err := configure(options)
		if err == nil && (!identifier.MatchString(c.table) || c.busyTimeout < 0) {
			t.Errorf("table %q, busy timeout %v", c.table, c.busyTimeout)
		}
		// However the path looks, the driver finds no parameter in it.
		source := dataSource(path)
		if strings.Contains(source, "?") || strings.Contains(source, "#") {
			t.Errorf("data source %q", source)
		}
	})
}
