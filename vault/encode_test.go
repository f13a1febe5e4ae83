package vault

import (
	"encoding/json"
	"testing"
)

// TestExact: numbers that Vault rounds come back as they were put, unless a person has
// changed the field in between.
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

// TestPatchBody: data that a merge patch cannot express is written whole.
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

// TestStoredForm freezes the stored form: these bytes are in users' servers. Data from
// before driver_version is read unchanged.
func TestStoredForm(t *testing.T) {
	w, err := newWrite([]byte(`{"refresh_token":"fake-refresh","count":12345678901234567890,"driver_version":"9"}`))
	if err != nil {
		t.Fatal(err)
	}
	w.fields[nonceField] = mustMarshal("fake-nonce")
	const put = `{"data":{"count":12345678901234567000,"driver_exact":"{\"count\":\"12345678901234567890\"}","driver_nonce":"fake-nonce","driver_version":"5","refresh_token":"fake-refresh"},"options":{"cas":4}}`
	if got := string(w.body(4)); got != put {
		t.Errorf("a write: %s", got)
	}
	const patched = `{"data":{"count":12345678901234567000,"driver_exact":"{\"count\":\"12345678901234567890\"}","driver_nonce":"fake-nonce","driver_version":"5","gone":null,"refresh_token":"fake-refresh"},"options":{"cas":4}}`
	if got, ok := w.patch(4, []string{"gone", "refresh_token", "driver_version"}); !ok || string(got) != patched {
		t.Errorf("a patch: %s", got)
	}
	m, err := mark(stageKept)
	if err != nil {
		t.Fatal(err)
	}
	m.fields[nonceField] = mustMarshal("fake-nonce")
	const marked = `{"data":{"driver_deleted":"kept","driver_nonce":"fake-nonce","driver_version":"1"},"options":{"cas":0}}`
	if got := string(m.body(0)); got != marked {
		t.Errorf("a mark: %s", got)
	}
}
