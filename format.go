// Printing, logging or marshalling a token shows no credential, whatever the verb or
// the encoding; and what would lose or expose credentials fails instead.

package tokenstore

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Credentials returns the names of the stored fields that hold a credential
// and are set.
func (t OAuthToken) Credentials() []string {
	var set []string
	for _, f := range fields {
		if f.credential && *t.field(f.name) != "" {
			set = append(set, f.name)
		}
	}
	return set
}

// String returns the token without its credentials: its ID, user, API domain
// and expiry, and which credentials it has.
func (t OAuthToken) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "OAuthToken{id: %q, user: %q, api domain: %q", t.ID, t.UserName, t.APIDomain)
	if !t.Expiry.IsZero() {
		b.WriteString(", expiry: " + t.Expiry.UTC().Format(time.RFC3339))
	}
	b.WriteString(", has: " + strings.Join(t.Credentials(), " ") + "}")
	return b.String()
}

// Format writes what String returns, whatever the verb.
func (t OAuthToken) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) }

// LogValue returns the token without its credentials.
func (t OAuthToken) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("id", t.ID), slog.String("user", t.UserName), slog.String("api_domain", t.APIDomain)}
	if !t.Expiry.IsZero() {
		attrs = append(attrs, slog.Time("expiry", t.Expiry.UTC()))
	}
	return slog.GroupValue(append(attrs, slog.Any("has", t.Credentials()))...)
}

// MarshalText returns what String returns, without credentials; encoding/xml and
// others use it.
func (t OAuthToken) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON returns the token without its credentials, for reports and logs.
// [EncodeToken] returns the stored form.
func (t OAuthToken) MarshalJSON() ([]byte, error) {
	view := struct {
		ID        string     `json:"id,omitempty"`
		User      string     `json:"user_name,omitempty"`
		APIDomain string     `json:"api_domain,omitempty"`
		Expiry    *time.Time `json:"expiry,omitempty"`
		Has       []string   `json:"has"`
	}{t.ID, t.UserName, t.APIDomain, nil, append([]string{}, t.Credentials()...)}
	if !t.Expiry.IsZero() {
		expiry := t.Expiry.UTC()
		view.Expiry = &expiry
	}
	return json.Marshal(view)
}

// UnmarshalText always fails, as [OAuthToken.UnmarshalJSON] does; encoding/xml and
// others use it.
func (*OAuthToken) UnmarshalText([]byte) error { return errNotCarried }

// UnmarshalJSON always fails: MarshalJSON leaves out the credentials, so round-tripping
// a token through it would lose them. [DecodeToken] decodes the stored form.
func (*OAuthToken) UnmarshalJSON([]byte) error { return errNotCarried }

// GobEncode always fails, because it would write the credentials in clear text where
// nobody expects them. [EncodeToken] returns the stored form.
func (OAuthToken) GobEncode() ([]byte, error) { return nil, errNotCarried }

// GobDecode always fails, as GobEncode does.
func (*OAuthToken) GobDecode([]byte) error { return errNotCarried }

var errNotCarried = fmt.Errorf("%w: tokens cannot be marshalled with their credentials; use tokenstore.EncodeToken and DecodeToken", ErrInvalidArgument)
