// The decoder of objects reads everything as encoding/json does.

package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// decoded is the reference: what encoding/json makes of an object.
func decoded(data []byte) ([]Field, bool) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil || values == nil {
		return nil, false
	}
	var fields []Field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fields = append(fields, decodeField(name, values[name]))
	}
	return fields, true
}

// checkDecoding compares DecodeObject with the reference.
func checkDecoding(t *testing.T, data []byte) {
	t.Helper()
	want, ok := decoded(data)
	got, err := DecodeObject(data)
	switch {
	case !ok:
		if !errors.Is(err, ErrUnreadable) {
			t.Fatalf("%q: error %v, and encoding/json refuses it", data, err)
		}
		return
	case err != nil:
		t.Fatalf("%q: %v, and encoding/json accepts it", data, err)
	case !slices.Equal(got.fields, want):
		t.Fatalf("%q is %s, want %s", data, got.Encode(), Object{want}.Encode())
	}
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		return // A number out of the range of float64, which an Object keeps as it is.
	}
	for _, f := range got.fields {
		text, err := f.Text()
		switch v := values[f.Name].(type) {
		case string:
			if text != v || err != nil {
				t.Fatalf("%q: %q is %q, %v, want %q", data, f.Name, text, err, v)
			}
		case nil:
			if text != "" || err != nil {
				t.Fatalf("%q: null is %q, %v", data, text, err)
			}
		case bool:
			if text != fmt.Sprint(v) || err != nil {
				t.Fatalf("%q: %v is %q, %v", data, v, text, err)
			}
		case float64:
			if err != nil || !json.Valid([]byte(text)) {
				t.Fatalf("%q: a number is %q, %v", data, text, err)
			}
		default:
			if !errors.Is(err, ErrUnreadable) {
				t.Fatalf("%q: %T is %q, %v", data, v, text, err)
			}
		}
	}
}

// oddities are objects, and strings that are none, about which decoders are known to disagree.
var oddities = []string{
	``, ` `, `{}`, ` { } `, `{}x`, `{} {}`, "{}\x00", "\x00{}", `null`, `[]`, `"x"`, `{`, `}`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":"`, `{"a":"b"`, `{"a":"b",`, `{"a":"b",}`, `{,}`, `{"a"}`, `{"a":}`, `{"a" "b"}`, `{a:"b"}`, `{'a':'b'}`,
	"\ufeff{}", "{\ufeff}", "\u00a0{}", "\v{}", "\t\r\n {\t\r\n \"a\"\t\r\n :\t\r\n \"b\"\t\r\n }\t\r\n ", `{"a":"b"} // no`,
	`{"a":"1","a":"2"}`, `{"b":"1","a":"2","b":"3","a":"4"}`, `{"a":"1","\u0061":"2"}`, `{"\u0061":"1","a":"2"}`, `{"a":{},"a":"1"}`, `{"a":"1","A":"2"}`, `{"":"","":"x"}`,
	`{"a":"\u00e4\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\ude00\ud83d"}`, `{"\ud83d":"x","\ud83e":"y"}`, `{"a":"\uD83Dx"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, `{"a":"\x41"}`, `{"a":"\"}`, `{"a":"\\"}`, `{"a":"\\\""}`, `{"a":"\/\b\f\n\r\t"}`, `{"a":"\'"}`,
	"{\"a\":\"\xff\"}", "{\"\xff\":\"1\",\"\xfe\":\"2\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xc3\"}", "{\"a\":\"\n\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\x7f\"}", "{\"\n\":\"\"}", "{\"a\":\"\u2028\u2029<>&\"}", "{\"ä\":\"ö\",\"z\":\"\"}",
	`{"a":0}`, `{"a":-0}`, `{"a":00}`, `{"a":01}`, `{"a":-}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1.5e}`, `{"a":1e5}`, `{"a":1E+05}`, `{"a":1e-}`, `{"a":1.50}`, `{"a":1_0}`, `{"a":0x1}`, `{"a":1e999999}`, `{"a":` + strings.Repeat("9", 400) + `}`, `{"a":NaN}`, `{"a":-1.0e+10 ,"b":2}`, `{"a":1 2}`,
	`{"a":true,"b":false,"c":null}`, `{"a":tru}`, `{"a":truex}`, `{"a":nul}`, `{"a":True}`, `{"a":null}`, `{"a":nulll}`,
	`{"a":[1, {"b" : [ ]}], "c":{"d":"e"}}`, `{"a":[}`, `{"a":{"b":"c","b":"d"}}`, `{"a":[1,]}`,
	`{"a":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`, `{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	`{"12345678":"1234567\"","1234567é":"12345678\\"}`, `{"a":"1234567","b":"123456789` + "\x7f" + `"}`, `{"k":"` + strings.Repeat("x", 4096) + `"}`,
}

func TestObjectsAreReadAsByEncodingJSON(t *testing.T) {
	for _, text := range oddities {
		checkDecoding(t, []byte(text))
	}
	// Every byte in every place of a word, since plainLen takes eight at a time.
	for at := range 20 {
		for c := range 256 {
			text := []byte(strings.Repeat("~", 20))
			text[at] = byte(c)
			if want := plainByte(byte(c)); plain(string(text)) != want || plainLen(string(text)) != map[bool]int{true: 20, false: at}[want] {
				t.Fatalf("byte %d at %d: plain up to %d", c, at, plainLen(string(text)))
			}
			checkDecoding(t, fmt.Appendf(nil, `{"a":"%s"}`, text))
			checkDecoding(t, fmt.Appendf(nil, `{"%s":"a"}`, text))
		}
	}
}

// TestScanTakesWhatPeopleLeave keeps the fallback for what is rare.
func TestScanTakesWhatPeopleLeave(t *testing.T) {
	for _, text := range []string{
		"{\n  \"user_name\": \"fake\",\n  \"id\": 17,\n  \"note\": \"by \\\"hand\\\" \u00e4\",\n  \"spent\": null\n}\n", `{"b":"2","a":"1"}`, `{}`,
	} {
		if _, ok := scan(text); !ok {
			t.Errorf("it declines %s", text)
		}
	}
}

// TestRandomObjectsAreReadAsByEncodingJSON puts pieces of objects together, mostly as JSON.
func TestRandomObjectsAreReadAsByEncodingJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	for range 20_000 {
		text := pick("{", " {", "{ ")
		for i := range random.IntN(5) {
			if i > 0 {
				text += pick(",", " ,", ",\n ", ",,")
			}
			text += pick(`"a"`, `"b"`, `"\u0062"`, `"\""`, `"ü"`, `""`, `"aa"`, "\"\x01\"") + pick(":", " : ", ":", "") +
				pick(`"x"`, `""`, `"\ud800"`, `"\\"`, `"ä"`, "\"\xff\"", `17`, `-1.5E3`, `01`, `true`, `null`, `[ 1 ]`, `{"a" : 1}`, `"x`)
		}
		checkDecoding(t, []byte(text+pick("}", " }", "}\n", "", "}}")))
	}
}

func FuzzDecodeObject(f *testing.F) {
	for _, text := range oddities {
		if len(text) < 1000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(checkDecoding)
}
