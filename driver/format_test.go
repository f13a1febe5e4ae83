package driver_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"example.com/tokenstore/driver"
)

// TestNothingShowsData prints, logs and marshals whatever holds a secret's data.
func TestNothingShowsData(t *testing.T) {
	const hidden = "fake-refresh"
	data := []byte(`{"refresh_token":"` + hidden + `"}`)
	object, err := driver.DecodeObject(data)
	if err != nil {
		t.Fatal(err)
	}
	secret := driver.Secret{Name: "tokenstore/tokens/1", Data: data, Revision: "7"}
	shown := func(how, text string) {
		t.Helper()
		for _, form := range []string{hidden, fmt.Sprintf("%x", hidden), strings.Trim(fmt.Sprint([]byte(hidden)), "[]")} {
			if strings.Contains(strings.ToLower(text), form) {
				t.Errorf("%s shows data: %s", how, text)
			}
		}
	}
	for name, v := range map[string]any{
		"secret": secret, "pointer": &secret, "secrets": []driver.Secret{secret}, "in a struct": struct{ S driver.Secret }{secret},
		"object": object, "field": object.WithPrefix("refresh")[0], "fields": object.WithPrefix("refresh"),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3v"} {
			shown(name+" with "+verb, fmt.Sprintf(verb, v))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("read", "it", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("read", "it", v)
		shown("slog of "+name, log.String())
		text, _ := json.Marshal(v)
		shown("json of "+name, string(text))
		text, _ = xml.Marshal(v)
		shown("xml of "+name, string(text))
		var binary bytes.Buffer
		_ = gob.NewEncoder(&binary).Encode(v)
		shown("gob of "+name, binary.String())
	}
}

// TestNothingIsReadBackWithoutData unmarshals what was marshalled without data.
func TestNothingIsReadBackWithoutData(t *testing.T) {
	for name, v := range map[string]any{"secret": &driver.Secret{}, "object": &driver.Object{}} {
		text, err := xml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(text, v); err == nil {
			t.Errorf("%s comes back from XML, empty and without an error", name)
		}
		if text, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, v); err == nil {
			t.Errorf("%s comes back from JSON, empty and without an error", name)
		}
	}
}

// TestFormOfALaterRelease refuses a form by its name, and shows no other text.
func TestFormOfALaterRelease(t *testing.T) {
	for data, want := range map[string]string{
		`{"form":"leases-2"}`: `"leases-2"`, `{"form":7}`: `"7"`, `{"form":"a fake-secret"}`: "does not know", `{"form":{"a":"fake-secret"}}`: "does not know",
		`{}`: "", `{"form":""}`: "", `{"form":null}`: "", `{"former":"x"}`: "",
	} {
		object, err := driver.DecodeObject([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		err = object.CheckForm()
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", data, err)
			}
			continue
		}
		if !errors.Is(err, driver.ErrUnreadable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "fake-secret") {
			t.Errorf("%s: %v", data, err)
		}
	}
}
