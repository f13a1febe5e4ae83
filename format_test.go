package tokenstore_test

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
	"time"

	"example.com/tokenstore"
)

// full is a token in which every field is set.
func full() tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		ID: "k1", UserName: "amelia@zylker.example:1", ClientID: "fake-client-id", ClientSecret: "fake-client-secret",
		RefreshToken: "fake-refresh", AccessToken: "fake-access", GrantToken: "fake-grant",
		RedirectURL: "https://zylker.example/cb", APIDomain: "https://www.zohoapis.eu",
		Expiry: time.UnixMilli(1763900000123).UTC(),
	}
}

func credentialsOf(t tokenstore.OAuthToken) []string {
	return []string{t.ClientID, t.ClientSecret, t.RefreshToken, t.AccessToken, t.GrantToken}
}

func assertHidden(t *testing.T, how, shown string) {
	t.Helper()
	if shown == "" {
		t.Errorf("%s shows nothing at all", how)
	}
	for _, credential := range credentialsOf(full()) {
		if strings.Contains(shown, credential) || strings.Contains(shown, fmt.Sprintf("%x", credential)) {
			t.Errorf("%s shows a credential: %s", how, shown)
		}
	}
}

func TestFmtShowsNoCredential(t *testing.T) {
	type holder struct {
		Token   tokenstore.OAuthToken
		Pointer *tokenstore.OAuthToken
		Any     any
	}
	token := full()
	values := map[string]any{
		"value": token, "pointer": &token, "slice": []tokenstore.OAuthToken{token}, "pointers": []*tokenstore.OAuthToken{&token},
		"map": map[string]tokenstore.OAuthToken{"x": token}, "key": map[tokenstore.OAuthToken]int{token: 1},
		"struct": holder{token, &token, token}, "pointer to struct": &holder{token, &token, &token}, "array": [1]tokenstore.OAuthToken{token},
		"error": fmt.Errorf("token %v", token),
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]v", "%t", "%e", "%10.3v", "%-+ #0v"} {
			assertHidden(t, name+" with "+verb, fmt.Sprintf(verb, v))
		}
	}
}

func TestSlogShowsNoCredential(t *testing.T) {
	token := full()
	for _, v := range []any{token, &token, []tokenstore.OAuthToken{token}, struct{ T tokenstore.OAuthToken }{token}, map[string]any{"t": token}} {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("saved", "token", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("saved", "token", v)
		assertHidden(t, fmt.Sprintf("slog of %T", v), b.String())
	}
}

func TestJSONShowsNoCredential(t *testing.T) {
	token := full()
	for _, v := range []any{token, &token, []tokenstore.OAuthToken{token}, struct{ T tokenstore.OAuthToken }{token}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		assertHidden(t, fmt.Sprintf("json of %T", v), string(b))
	}
}

func TestJSONDoesNotReadBackAMaimedToken(t *testing.T) {
	b, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	var token tokenstore.OAuthToken
	if err := json.Unmarshal(b, &token); err == nil || !strings.Contains(err.Error(), "DecodeToken") {
		t.Errorf("unmarshalling gave %v, want an error that names DecodeToken", err)
	}
}

func TestStringNamesWhatIsThere(t *testing.T) {
	got := tokenstore.OAuthToken{ID: "k1", UserName: "u", RefreshToken: "fake-refresh"}.String()
	want := `OAuthToken{id: "k1", user: "u", api domain: "", has: refresh_token}`
	if got != want {
		t.Errorf("String() = %s, want %s", got, want)
	}
}

// TestTextShowsNoCredential marshals a token as XML, which goes by MarshalText.
func TestTextShowsNoCredential(t *testing.T) {
	text, err := xml.Marshal(full())
	if err != nil || !strings.Contains(string(text), full().UserName) {
		t.Fatalf("%s, %v", text, err)
	}
	for _, credential := range []string{"fake-client-id", "fake-client-secret", "fake-refresh", "fake-access", "fake-grant"} {
		if strings.Contains(string(text), credential) {
			t.Errorf("a credential is in %s", text)
		}
	}
}

// TestNothingIsReadBackWithoutCredentials marshals a token and reads it again: an
// empty token without an error would be saved over a good one.
func TestNothingIsReadBackWithoutCredentials(t *testing.T) {
	text, err := xml.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	var back tokenstore.OAuthToken
	if err := xml.Unmarshal(text, &back); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("XML gave %v", err)
	}
	var holder struct {
		Token tokenstore.OAuthToken `xml:"token,attr"`
	}
	if err := xml.Unmarshal([]byte(`<x token="fake"/>`), &holder); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("an attribute of XML gave %v", err)
	}
	var stream bytes.Buffer
	if err := gob.NewEncoder(&stream).Encode(full()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("gob gave %v", err)
	}
	for _, credential := range credentialsOf(full()) {
		if strings.Contains(stream.String(), credential) {
			t.Error("gob wrote a credential")
		}
	}
	if err := new(tokenstore.OAuthToken).GobDecode(nil); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("gob decodes: %v", err)
	}
}

// TestKeysShowTheirKindOnly prints, logs and marshals keys.
func TestKeysShowTheirKindOnly(t *testing.T) {
	key := tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "fake-refresh"}
	for _, v := range []any{key, &key, []tokenstore.Key{key}, struct{ K tokenstore.Key }{key}, map[tokenstore.Key]int{key: 1}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3v"} {
			assertHidden(t, verb, fmt.Sprintf(verb, v))
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("found", "key", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("found", "key", v)
		text, err := json.Marshal(v)
		assertHidden(t, "slog and json", fmt.Sprintf("%s %s %v", b.String(), text, err))
	}
}
