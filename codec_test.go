package tokenstore_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

func TestStoredFormIsFlatText(t *testing.T) {
	data, err := tokenstore.EncodeToken(full())
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]string
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatalf("a value is not a text: %v", err)
	}
	names := "id user_name client_id client_secret refresh_token access_token grant_token expiry_time redirect_url api_domain"
	if len(fields) != 10 {
		t.Errorf("%d fields, want 10", len(fields))
	}
	for name := range strings.FieldsSeq(names) {
		if fields[name] == "" {
			t.Errorf("field %s is missing", name)
		}
	}
	if fields["expiry_time"] != "1763900000123" {
		t.Errorf("expiry_time = %s", fields["expiry_time"])
	}
	back, err := tokenstore.DecodeToken(data)
	if err != nil || back != full() {
		t.Errorf("read back as %v, %v", back, err)
	}
}

func TestEmptyFieldsAreNotStored(t *testing.T) {
	data, err := tokenstore.EncodeToken(tokenstore.OAuthToken{ID: "1"})
	if err != nil || string(data) != `{"id":"1"}` {
		t.Errorf("EncodeToken = %s, %v", data, err)
	}
}

func TestReadingIsLenient(t *testing.T) {
	want := tokenstore.OAuthToken{ID: "7", UserName: "true", AccessToken: "<&>", Expiry: time.Unix(1763900000, 0).UTC()}
	got, err := tokenstore.DecodeToken([]byte(` {"id":7, "user_name":true, "access_token":"<&>", "refresh_token":null, "expiry_time":1763900000, "extra":{"a":[1]}} `))
	if err != nil || got != want {
		t.Errorf("DecodeToken = %v, %v", got, err)
	}
}

func TestUnreadableDataIsNotQuoted(t *testing.T) {
	for _, data := range []string{
		``, `null`, `[]`, `"fake-secret"`, `fake-secret`, `{"access_token":"fake-secret"`, `{"id":{"fake-secret":1}}`,
		`{"access_token":["fake-secret"]}`, `{"id":"1"} fake-secret`,
	} {
		_, err := tokenstore.DecodeToken([]byte(data))
		if !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("DecodeToken(%s) gave %v, want ErrUnreadable", data, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the data: %v", err)
		}
	}
}

// TestExpiryThatCannotBeUnderstood reads tokens whose expiry a person has typed: it
// is unknown, is kept as it is until there is another or a new access token, and costs
// no token.
func TestExpiryThatCannotBeUnderstood(t *testing.T) {
	for _, text := range []string{`"1763900000123 "`, `"1.7e12"`, `1.7e12`, `"2026-11-28T12:00:00Z"`, `"-5"`, `"+17639000001"`, `{"a":1}`, `["1763900000123"]`} {
		data := `{"id":"1","refresh_token":"fake-refresh","expiry_time":` + text + `}`
		token, err := tokenstore.DecodeToken([]byte(data))
		if want := (tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh"}); err != nil || token != want {
			t.Errorf("%s: %v, %v", text, token, err)
		}
		object, err := driver.DecodeObject([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if warnings := tokenstore.FieldWarnings(object); len(warnings) != 1 || !strings.HasPrefix(warnings[0], "expiry_time: ") {
			t.Errorf("%s: warnings %q", text, warnings)
		}
		token.RefreshToken = "fake-refresh-2"
		tokenstore.EncodeFields(token, &object)
		if got := string(object.Encode()); !strings.Contains(got, `"expiry_time":`+text) || !strings.Contains(got, "fake-refresh-2") {
			t.Errorf("%s was written as %s", text, got)
		}
		token.Expiry = time.UnixMilli(1_763_900_000_123)
		tokenstore.EncodeFields(token, &object)
		if got := string(object.Encode()); !strings.Contains(got, `"expiry_time":"1763900000123"`) {
			t.Errorf("a new expiry was written as %s", got)
		}
		object, _ = driver.DecodeObject([]byte(data))
		token.AccessToken, token.Expiry = "fake-access", time.Time{}
		tokenstore.EncodeFields(token, &object)
		if got := string(object.Encode()); strings.Contains(got, "expiry_time") {
			t.Errorf("%s stays beside a new access token: %s", text, got)
		}
	}
}

// TestFieldWarnings finds white space around credentials, and quotes none of them.
func TestFieldWarnings(t *testing.T) {
	object, err := driver.DecodeObject([]byte(`{"refresh_token":"fake-refresh\n","access_token":" fake-access","client_secret":"fake secret","user_name":"u ","expiry_time":"1763900000123"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"refresh_token: white space before or after the value", "access_token: white space before or after the value"}
	if got := tokenstore.FieldWarnings(object); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestExpiryRoundTrip(t *testing.T) {
	for _, ms := range []int64{0, 111, 1_000_000_000, 9_999_999_999, 1_763_900_000_123, 9_999_999_999_999} {
		at := time.UnixMilli(ms).UTC()
		text := tokenstore.FormatExpiry(at)
		if len(text) != 13 {
			t.Errorf("FormatExpiry(%d) = %q, want 13 digits", ms, text)
		}
		if back, err := tokenstore.ParseExpiry(text); err != nil || !back.Equal(at) {
			t.Errorf("ParseExpiry(%q) = %v, %v", text, back, err)
		}
	}
	if text := tokenstore.FormatExpiry(time.Time{}); text != "" {
		t.Errorf("the zero time is stored as %q", text)
	}
}

func TestInvalidTokensAreRefused(t *testing.T) {
	for name, token := range map[string]tokenstore.OAuthToken{
		"UTF-8": {AccessToken: "a\xff"}, "past": {Expiry: time.Unix(-1, 0)}, "far future": {Expiry: time.UnixMilli(10_000_000_000_000)},
	} {
		if _, err := tokenstore.EncodeToken(token); !errors.Is(err, tokenstore.ErrInvalidToken) {
			t.Errorf("%s: %v, want ErrInvalidToken", name, err)
		}
	}
}
