// The stored form loses its nonce, and nothing else, when it is read.

package awssm

import (
	"bytes"
	"encoding/json"
	"testing"

	"example.com/tokenstore/driver"
)

// checkWithoutNonce compares data cut without decoding with data decoded and encoded again.
func checkWithoutNonce(t *testing.T, value []byte) (cut bool) {
	t.Helper()
	got, ok := withoutNonce(bytes.Clone(value))
	if !ok {
		return false
	}
	object, err := driver.DecodeObject(value)
	if err != nil {
		if json.Valid(got) {
			t.Fatalf("%q is no object, and without the nonce it is %q", value, got)
		}
		return true
	}
	object.SetPrefix(driver.Reserved, nil)
	again, err := driver.DecodeObject(got)
	if err != nil || !bytes.Equal(again.Encode(), object.Encode()) {
		t.Fatalf("%q is %q without the nonce, %v, want %q", value, got, err, object.Encode())
	}
	return true
}

var nonces = map[string]bool{ // whether the nonce is cut without decoding
	`{"a":"b","driver_nonce":"X7","z":"y"}`: true, `{"driver_nonce":"X7","z":"y"}`: true, `{"a":"b","driver_nonce":"X7"}`: true, `{"a":"\"}","driver_nonce":"X7","b":[1]}`: true,
	`{"driver_nonce":"X7"}`: false, `{"a":{"driver_nonce":"X7","b":"c"}}`: false, `{"a":"b","driver_nonce":"X7","driver_x":"y"}`: false, `{"driver_deleted":"1","driver_nonce":"X7"}`: false, `{"a":"b","driver_nonce":"X7","driver_nonce":"X8","c":""}`: false,
	`{"a":"b","driver_nonce":"\u0041"}`: false, `{"a":"b", "driver_nonce":"X7","z":"y"}`: false, `{"a":"b","driver_nonce": "X7"}`: false, `{"a":"b","driver_nonce":7}`: false,
	`{,"driver_nonce":"X7"}`: false, `{"driver_nonce":"X7",}`: false, `{"a":"b","driver_nonce":"X7`: false, `{"a":"b","driver_nonce":"`: false, `["driver_nonce":"X7","z"]`: false,
	`{"a":"\"driver_nonce\":\"X7\","}`: false, `{"a":"{","driver_nonce":"X7"}`: false, `{"a":1,"driver_nonce":"X7"}`: false, `"driver_nonce":"X7","a":"b"}`: false,
	`{"a":"b","driver_nonce":"X7","z":}`: true, `{"driver_deleted":"1","driver_nonce":"X7","z":"y"}`: false,
}

func TestNonceIsCut(t *testing.T) {
	for value, want := range nonces {
		if got := checkWithoutNonce(t, []byte(value)); got != want {
			t.Errorf("%s is cut without decoding: %v, want %v", value, got, want)
		}
	}
	for _, data := range []string{`{}`, `{"a":"b"}`, `{"id":"x","z":"\u00e4"}`, `{"a":{"driver_x":"y"},"z":"x"}`} {
		stored, err := encode([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(stored); string(got) != data {
			t.Errorf("%s comes back as %s", data, got)
		}
	}
}

func FuzzNonceIsCut(f *testing.F) {
	for value := range nonces {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) { checkWithoutNonce(t, value) })
}
