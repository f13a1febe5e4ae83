// The tokens of the cases, and how findings show values without showing a credential.

package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/tokenstore"
)

// token is an abbreviation.
type token = tokenstore.OAuthToken

// mark is part of every fake credential of this suite, and of nothing else.
const mark = "fakecred"

// secret returns a fake credential.
func secret(name string) string { return mark + "-" + name }

// at returns a time of millisecond precision, different for each n.
func at(n int) time.Time { return time.UnixMilli(1_893_456_000_000 + int64(n)).UTC() }

// The rows of the contract's cases. c1 and s1 are the client values of r1 and r2.
var (
	c1, s1 = secret("client-1"), secret("clientsecret-1")
	c3, s3 = secret("client-3"), secret("clientsecret-3")
	zz, zs = secret("client-zz"), secret("clientsecret-zz")

	r1 = row("1", "u1", c1, s1)
	r2 = row("2", "u2", c1, s1)
	r3 = token{
		ID: "3", ClientID: c3, ClientSecret: s3, RefreshToken: secret("refresh-3"), AccessToken: secret("access-3"), Expiry: at(333),
	}
)

// row returns a token with every field set; its values contain the ID.
func row(id, user, client, clientSecret string) token {
	return token{
		ID: id, UserName: user, ClientID: client, ClientSecret: clientSecret,
		RefreshToken: secret("refresh-" + id), AccessToken: secret("access-" + id), GrantToken: secret("grant-" + id),
		RedirectURL: "https://app.example/back-" + id, APIDomain: "https://api.example/" + id, Expiry: at(111 * int(id[len(id)-1]-'0')),
	}
}

// edited returns t with changes.
func edited(t token, change func(*token)) token {
	change(&t)
	return t
}

// withoutID returns t without its ID, like a token from a caller that does not know it.
func withoutID(t token) token {
	t.ID = ""
	return t
}

// texts are the string fields of a token other than the ID, by their stored names.
var texts = []struct {
	name       string
	credential bool
	of         func(*token) *string
}{
	{"user_name", false, func(t *token) *string { return &t.UserName }},
	{"client_id", true, func(t *token) *string { return &t.ClientID }},
	{"client_secret", true, func(t *token) *string { return &t.ClientSecret }},
	{"refresh_token", true, func(t *token) *string { return &t.RefreshToken }},
	{"access_token", true, func(t *token) *string { return &t.AccessToken }},
	{"grant_token", true, func(t *token) *string { return &t.GrantToken }},
	{"redirect_url", false, func(t *token) *string { return &t.RedirectURL }},
	{"api_domain", false, func(t *token) *string { return &t.APIDomain }},
}

// difference describes the fields in which got and want differ; "" if they are equal.
func difference(got, want token) string {
	var diffs []string
	add := func(name, g, w string) { diffs = append(diffs, fmt.Sprintf("%s is %s instead of %s", name, g, w)) }
	if got.ID != want.ID {
		add("id", show(got.ID, false), show(want.ID, false))
	}
	for _, f := range texts {
		if g, w := *f.of(&got), *f.of(&want); g != w {
			add(f.name, show(g, f.credential), show(w, f.credential))
		}
	}
	if got.Expiry != want.Expiry {
		add("expiry", got.Expiry.Format(time.RFC3339Nano), want.Expiry.Format(time.RFC3339Nano))
	}
	return strings.Join(diffs, ", ")
}

// show quotes a string for a finding, shortened. It does not show a credential that is
// not one of the suite's fakes.
func show(text string, credential bool) string {
	switch {
	case text == "":
		return "empty"
	case credential && !strings.Contains(text, mark):
		return fmt.Sprintf("a string of %d bytes that is not from this suite", len(text))
	case len(text) > 80:
		return fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(text[:40], ""), len(text))
	case !utf8.ValidString(text):
		return fmt.Sprintf("%+q", text)
	}
	return fmt.Sprintf("%q", text)
}

// leaks reports whether err or an error that it wraps, formatted by fmt in any way, holds
// a credential of this suite.
func leaks(err error) bool {
	if err == nil {
		return false
	}
	for _, verb := range []string{"%v", "%+v", "%q", "%#v"} {
		if strings.Contains(fmt.Sprintf(verb, err), mark) {
			return true
		}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if leaks(e) {
				return true
			}
		}
	}
	return leaks(errors.Unwrap(err))
}

// safe returns the error's text for a finding, unless it holds a credential.
func safe(err error) string {
	switch {
	case err == nil:
		return "no error"
	case leaks(err):
		return "an error that holds a credential"
	}
	return "error: " + err.Error()
}
