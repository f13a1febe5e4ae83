package vault

import (
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// TestEscape: names that are not alike have paths that are not alike, and come
// back from them; what others wrote is told from it.
func TestEscape(t *testing.T) {
	names := []string{"a", "A", "a.b", "a..b", "...", "a=b", "a=3db", "ü/ö", "a b", "a\x00", "\xff", "%", "a/b", ".a", "tokens/x_y-z"}
	seen := map[string]string{}
	for _, name := range names {
		path := paths.Escape(name)
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q share a path", name, other)
		}
		seen[path] = name
		if back, ok := nameOf(path); !ok || back != name {
			t.Errorf("%q comes back as %q", name, back)
		}
		if strings.Contains(path, "..") || url.PathEscape(strings.ReplaceAll(path, "/", "")) != strings.ReplaceAll(path, "/", "") && !strings.Contains(path, "=") {
			t.Errorf("%q has the path %q", name, path)
		}
	}
	for _, path := range []string{"A Note", "a=2", "a=", "a=2F", "a=61", "a..b", "ü"} {
		if name, ok := nameOf(path); ok {
			t.Errorf("%q passes for the path of %q", path, name)
		}
	}
}

// TestExact: numbers that Vault rounds come back as they were put, unless a
// person has changed the field since.
func TestExact(t *testing.T) {
	const put = `{"big":9007199254740993,"deep":{"a":[1.50,12345678901234567890]},"huge":1e999,"small":7,"text":"9007199254740993"}`
	w, err := newWrite([]byte(put))
	if err != nil {
		t.Fatal(err)
	}
	asVault := func() map[string]json.RawMessage {
		var v map[string]any
		if err := json.Unmarshal(mustMarshal(w.fields), &v); err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(mustMarshal(v), &fields); err != nil {
			t.Fatal(err)
		}
		return fields
	}
	if got := string(data(asVault())); got != put {
		t.Errorf("got %s", got)
	}
	edited := asVault()
	edited["big"] = json.RawMessage("5")
	delete(edited, "deep")
	if got := string(data(edited)); got != `{"big":5,"huge":1e999,"small":7,"text":"9007199254740993"}` {
		t.Errorf("after an edit: %s", got)
	}
}

func TestRevisions(t *testing.T) {
	r := revision{12, "2030-01-02T03:04:05.678Z"}
	if back, ok := parseRevision(r.String()); !ok || back != r {
		t.Errorf("%v comes back as %v", r, back)
	}
	for _, text := range []string{"", "1", "@", "0@t", "-1@t", "x@t", "1@"} {
		if _, ok := parseRevision(text); ok {
			t.Errorf("%q passes for a revision", text)
		}
	}
}

// TestPatchBody: what a merge patch cannot say is written whole.
func TestPatchBody(t *testing.T) {
	for data, want := range map[string]bool{`{"a":"b"}`: true, `{"a":["b"]}`: true, `{"a":{"b":"c"}}`: false, `{"a":null}`: false, `{}`: true} {
		w, err := newWrite([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := w.patch(1, []string{"old"}); ok != want {
			t.Errorf("%s can be patched: %v", data, ok)
		}
	}
}

// TestMarks: old marks are handed out once, some at a time, young ones not.
func TestMarks(t *testing.T) {
	m := newMarks()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(age time.Duration) revision { return revision{1, now.Add(-age).Format(time.RFC3339Nano)} }
	for i := range 5 {
		m.add("old-"+strconv.Itoa(i), at(2*time.Hour))
	}
	m.add("young", at(time.Minute))
	total := 0
	for _, want := range []int{2, 2, 1, 0, 0} {
		taken := m.takeOld(now.Add(-time.Hour), 2)
		if len(taken) != want {
			t.Errorf("%d marks instead of %d", len(taken), want)
		}
		total += len(taken)
		if _, ok := taken["young"]; ok {
			t.Error("a young mark was taken")
		}
	}
	if total != 5 || !m.has("young") || m.has("old-1") {
		t.Errorf("%d marks", total)
	}
	if got := m.takeOld(now, 2); len(got) != 1 {
		t.Errorf("%d marks after an hour", len(got))
	}
}

func TestURLOptions(t *testing.T) {
	for raw, want := range map[string]config{
		"vault://secret":                        {mount: "secret", prefix: "tokenstore/"},
		"vault://kv/a/b/":                       {mount: "kv", prefix: "a/b/"},
		"vault:///p?mount=team/kv&namespace=ns": {mount: "team/kv", prefix: "p/", namespace: "ns"},
		"vault://kv?reads=active":               {mount: "kv", prefix: "tokenstore/", reads: ReadsActiveNode},
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		options, err := urlOptions(u)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		c := defaults()
		for _, option := range options {
			option(&c)
		}
		if c.mount != want.mount || c.prefix != want.prefix || c.namespace != want.namespace || c.reads != want.reads {
			t.Errorf("%s: %q %q %q %v", raw, c.mount, c.prefix, c.namespace, c.reads)
		}
	}
	for _, raw := range []string{"vault:", "vault:secret", "vault://host:8200/p", "vault://kv?mount=other", "vault://kv?reads=never", "vault:///p"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := urlOptions(u); err == nil {
			t.Errorf("%s is taken", raw)
		}
	}
}

// TestRenewNothing: a session whose token has been dropped since, by another
// Run, has nothing to renew and goes on to the next login.
func TestRenewNothing(t *testing.T) {
	(&Session{}).renew(t.Context())
}

// TestLoginErrors: what Vault answers to wrong credentials, status 400, is
// denied, though in other calls it is not.
func TestLoginErrors(t *testing.T) {
	for status, want := range map[int]error{400: driver.ErrDenied, 405: driver.ErrDenied, 403: driver.ErrDenied, 429: driver.ErrThrottled, 473: driver.ErrUnavailable, 503: driver.ErrUnavailable} {
		if err := loginError(t.Context(), &api.ResponseError{StatusCode: status}); !errors.Is(tokenstore.Kind(err), want) || errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
