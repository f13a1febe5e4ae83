// Cases of data that adapters are likely to change, of size limits, and of data in errors.

package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
)

// objects are data that adapters are likely to change, named by their contents.
var objects = []struct{ name, data string }{
	{"empty", `{}`},
	{"types", `{"value":"fakecred-1","number":"1","really a number":1,"true":true,"text":"true","null":null,"none":"null","empty":""}`},
	{"numbers", `{"value":"fakecred-2","large":12345678901234567890,"small":0.1,"negative":-7,"digits":"0012","float":1.5e300,"text":"1e3"}`},
	{"nested", `{"value":"fakecred-3","list":[1,"2",[],{},null,[{"a":{"b":["c"]}}]],"object":{"a":{"b":{"c":"d"}},"e":[]}}`},
	{"unicode", `{"value":"fakecred-é日本語🔑","cafe\u0301":"e\u0301","ключ":"\u0000\u0001\u007f\u2028\u2029\ud83d\ude00","\"":"\\\"/\b\f\n\r\t"}`},
	{"markup", `{"value":"fakecred-<a href='x'>&amp;</a>","<>&":"<script>","percent":"100%25","dollar":"${HOME} $(id) {{x}}","sql":"'; --"}`},
	{"names", `{"value":"fakecred-4","data":"1","metadata":"2","options":{"cas":1},"name":"3","version":"4","revision":"5","id":"6","deleted":"7","Value":"8","VALUE":"9","driver":"10","a.b":"11","a/b":"12","":"13"," ":"14"}`},
	{"spaces", " {\n\t\"value\" :  \"fakecred-5\" ,\r\n \"list\" : [ 1 , 2 ]\n } \n"},
	{"text in text", `{"value":"{\"value\":\"fakecred-6\"}","base64":"ZmFrZWNyZWQ=","list":"[1,2]"}`},
}

func driverDataCases() []DriverCase {
	const rule = "Get returns an object equal to the one that was put"
	return []DriverCase{
		{"data", rule, func(t *driverTrial) {
			for _, o := range objects {
				r := t.store("new "+o.name, []byte(o.data), "")
				t.holds("new "+o.name, []byte(o.data), r)
			}
			r := t.store("one", value("1"), "")
			for _, o := range objects {
				r = t.store("one", []byte(o.data), r)
				t.holds("one", []byte(o.data), r)
			}
		}},
		{"data-large", rule + ", up to 60,000 bytes", func(t *driverTrial) {
			for i, data := range [][]byte{largeText(60_000), largeObject(60_000), largeText(40_000)} {
				name := fmt.Sprint(i)
				r := t.store(name, data, "")
				t.holds(name, data, r)
				r = t.store(name, value("small"), r)
				t.holds(name, value("small"), r)
				r = t.store(name, data, r)
				t.holds(name, data, r)
			}
			most := 0
			if limited, ok := driver.As[driver.Limited](t.given); ok {
				most = limited.Limits().MaxSize
			}
			for _, size := range []int{65_535, 65_537, 140_000} {
				if most > 0 && size > most {
					break // Another case tests that it is refused.
				}
				name := fmt.Sprint("of ", size)
				r, err := t.put(t.secrets, name, largeText(size), "")
				if errors.Is(err, driver.ErrTooLarge) && most == 0 {
					t.missing(name) // The limit is not known.
					continue
				}
				t.must("Put", err)
				t.holds(name, largeText(size), r)
			}
		}},
		{"data-refused", "data that is not one JSON object is refused with ErrInvalid, and nothing is written", func(t *driverTrial) {
			kept := t.store("kept", value("1"), "")
			for _, data := range []string{"", " ", "fakecred", `"fakecred"`, `["fakecred"]`, "null", "1", `{"a":"fakecred"`, `{"a":"fakecred"}{}`, `{"a":"fakecred"} x`, `{a:"fakecred"}`} {
				_, err := t.put(t.secrets, "a", []byte(data), "")
				_, overErr := t.put(t.secrets, "kept", []byte(data), kept)
				if !errors.Is(err, driver.ErrInvalid) || !errors.Is(overErr, driver.ErrInvalid) {
					t.fails("Put of %q: %s; over a stored secret: %s", data, safe(err), safe(overErr))
					return
				}
			}
			t.missing("a")
			t.holds("kept", value("1"), kept)
		}},
		{"data-limit", "data larger than Limits().MaxSize is refused with ErrTooLarge before anything is written; data of exactly that size is stored", sizeLimit},
		{"errors", ruleNoData, errorsWithoutData},
	}
}

// largeText returns an object of size bytes with one long string.
func largeText(size int) []byte {
	const head, tail = `{"value":"fakecred-`, `"}`
	return []byte(head + strings.Repeat("x", size-len(head)-len(tail)) + tail)
}

// largeObject returns an object of nearly size bytes with many fields.
func largeObject(size int) []byte {
	object := map[string]string{}
	for i := range size / 50 {
		object[fmt.Sprintf("field%05d", i)] = mark + strings.Repeat("y", 20)
	}
	data, err := json.Marshal(object)
	if err != nil {
		return nil // not reached: strings can be marshalled
	}
	return data
}

func sizeLimit(t *driverTrial) {
	limited, ok := driver.As[driver.Limited](t.given)
	if !ok {
		t.lacks("the driver does not implement driver.Limited")
	}
	limits := limited.Limits()
	if min(limits.MaxSize, limits.WritesPerDay) < 0 || min(limits.CreatesPerSecond, limits.UpdatesPerSecond) < 0 {
		t.fails("Limits returned a negative limit: %+v", limits)
	}
	if limits.MaxSize <= 0 {
		return
	}
	r := t.store("full", largeText(limits.MaxSize), "")
	t.holds("full", largeText(limits.MaxSize), r)
	for _, over := range []int{1, 1000} {
		tooLarge := largeText(limits.MaxSize + over)
		_, err := t.put(t.secrets, "a", tooLarge, "")
		_, overErr := t.put(t.secrets, "full", tooLarge, r)
		if !errors.Is(err, driver.ErrTooLarge) || !errors.Is(overErr, driver.ErrTooLarge) {
			t.fails("Put of %d bytes more than the limit: %s; of a stored secret: %s", over, safe(err), safe(overErr))
		}
	}
	t.missing("a")
	t.lists("", "full")
	t.holds("full", largeText(limits.MaxSize), r)
	t.store("full", value("1"), r)
}

// errorsWithoutData provokes errors while the data holds the mark. Every case checks that
// no error shows it.
func errorsWithoutData(t *driverTrial) {
	old := t.store("a", value("1"), "")
	r := t.store("a", value("2"), old)
	provoke := func(what string, err error) {
		if err == nil {
			t.fails("%s returned no error", what)
		}
	}
	for _, stale := range []string{"", old} {
		_, err := t.put(t.secrets, "a", value("3"), stale)
		provoke("a Put that conflicts", err)
	}
	provoke("a Delete that conflicts", t.secrets.Delete(t.ctx, t.named("a"), old))
	_, err := t.secrets.Get(t.ctx, t.named("b"))
	provoke("a Get of a missing secret", err)
	_, err = t.secrets.Put(t.ctx, driver.Secret{Name: t.named("a//b"), Data: value("3")})
	provoke("a Put of an invalid name", err)
	for _, data := range []string{`{"value":"fakecred`, `fakecred`, `{"value":fakecred}`} {
		// Another case tests whether it is refused.
		if got, err := t.put(t.secrets, "a", []byte(data), r); err == nil {
			r = got
		}
	}
}
