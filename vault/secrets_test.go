package vault_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore/driver"
)

// TestRestored: content found under another number than the one it was stored with was
// restored or copied. Content without a number was not.
func TestRestored(t *testing.T) {
	for fields, want := range map[string]bool{
		`{"a":"1"}`:                        false,
		`{"a":"1","driver_version":"7"}`:   false,
		`{"a":"1","driver_version":"5"}`:   true,
		`{"a":"1","driver_version":"12"}`:  true,
		`{"a":"1","driver_version":""}`:    false,
		`{"a":"1","driver_version":"old"}`: true,
	} {
		_, client := play(t, always(200, stored(7, fields)))
		got, err := secretsOf(t, client).Get(t.Context(), "a")
		if err != nil || got.Restored != want || string(got.Data) != `{"a":"1"}` {
			t.Errorf("%s: %v, %s, %v", fields, got.Restored, got.Data, err)
		}
	}
}

// TestNumbered: every write stores the number of the version that it makes, including
// patches, writes over a deleted name, and a deletion's mark.
func TestNumbered(t *testing.T) {
	m := &memory{}
	_, client := play(t, func(r sent) (int, string) {
		if strings.HasPrefix(r.path, "/v1/secret/destroy/") {
			return 204, ""
		}
		return m.say(r)
	})
	secrets := secretsOf(t, client)
	revision := ""
	for range 3 {
		var err error
		if revision, err = secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"a":"1"}`), Revision: revision}); err != nil {
			t.Fatal(err)
		}
		if got, err := secrets.Get(t.Context(), "a"); err != nil || got.Restored {
			t.Errorf("after a write: restored is %v, %v", got.Restored, err)
		}
	}
	if err := secrets.Delete(t.Context(), "a", revision); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"a":"1"}`)}); err != nil {
		t.Fatal(err)
	}
	for i, v := range m.versions {
		if want := string(rune('1' + i)); v["driver_version"] != want {
			t.Errorf("version %s has the number %v", want, v["driver_version"])
		}
	}
	m.versions = append(m.versions, m.versions[1]) // vault kv rollback -version=2
	if got, err := secrets.Get(t.Context(), "a"); err != nil || !got.Restored {
		t.Errorf("after a rollback: restored is %v, %v", got.Restored, err)
	}
}

// TestListWithoutExclusion: a server that does not leave deleted names out of a list is
// asked for their metadata. If it has none, all names stay.
func TestListWithoutExclusion(t *testing.T) {
	const (
		keys    = `{"data":{"keys":["dead","gone","alive","doomed"]},"warnings":["Endpoint ignored these unrecognized parameters: [exclude_deleted]"]}`
		details = `{"data":{"keys":["dead","gone","alive","doomed"],"key_info":{
			"dead":{"current_version":2,"versions":{"1":{"deletion_time":"","destroyed":false},"2":{"deletion_time":"2026-11-28T17:34:25Z","destroyed":false}}},
			"gone":{"current_version":1,"versions":{"1":{"deletion_time":"","destroyed":true}}},
			"alive":{"current_version":2,"versions":{"1":{"deletion_time":"2026-11-28T17:34:25Z","destroyed":true},"2":{"deletion_time":"","destroyed":false}}},
			"doomed":{"current_version":1,"versions":{"1":{"deletion_time":"2126-11-28T17:34:25Z","destroyed":false}}}}}}`
	)
	all := []string{"alive", "dead", "doomed", "gone"}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []string
	}{
		{"OpenBao", 200, details, []string{"alive", "doomed"}},
		{"no permission", 403, denied, all},
		{"an older Vault", 404, noRoute, all},
		{"an older OpenBao", 405, `{"errors":["unsupported operation"]}`, all},
		{"sealed meanwhile", 503, `{"errors":["Vault is sealed"]}`, nil},
	} {
		_, client := play(t, func(r sent) (int, string) {
			switch {
			case strings.HasPrefix(r.path, "/v1/secret/detailed-metadata"):
				return c.status, c.body
			case strings.HasPrefix(r.path, "/v1/secret/metadata"):
				return 200, keys
			case strings.HasSuffix(r.path, "/dead"), strings.HasSuffix(r.path, "/gone"):
				return 404, deletedOne
			}
			return always(http.StatusOK, stored(1, `{}`))(r)
		})
		var got []string
		for name, err := range secretsOf(t, client).List(t.Context(), "") {
			if c.want == nil != errors.Is(err, driver.ErrUnavailable) || c.want != nil && err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if err == nil {
				got = append(got, name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
