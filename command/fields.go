// The stored fields of a token by their names, for verbs that compare, set or reveal one.

package command

import (
	"errors"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// field is one field of a token, as text.
type field struct {
	name   string
	shared bool // by the tokens of a client
	get    func(tokenstore.OAuthToken) string
	// set is nil for a field that a verb does not set.
	set func(*tokenstore.OAuthToken, string) error
}

// plain is a field that is a string.
func plain(name string, shared bool, of func(*tokenstore.OAuthToken) *string) field {
	return field{
		name: name, shared: shared,
		get: func(t tokenstore.OAuthToken) string { return *of(&t) },
		set: func(t *tokenstore.OAuthToken, value string) error { *of(t) = value; return nil },
	}
}

// fields are all fields but the ID.
var fields = []field{
	{name: "user_name", get: func(t tokenstore.OAuthToken) string { return t.UserName }},
	plain("client_id", true, func(t *tokenstore.OAuthToken) *string { return &t.ClientID }),
	plain("client_secret", true, func(t *tokenstore.OAuthToken) *string { return &t.ClientSecret }),
	plain("refresh_token", false, func(t *tokenstore.OAuthToken) *string { return &t.RefreshToken }),
	plain("access_token", false, func(t *tokenstore.OAuthToken) *string { return &t.AccessToken }),
	plain("grant_token", false, func(t *tokenstore.OAuthToken) *string { return &t.GrantToken }),
	{
		name: "expiry_time",
		get:  func(t tokenstore.OAuthToken) string { return tokenstore.FormatExpiry(t.Expiry) },
		set: func(t *tokenstore.OAuthToken, value string) (err error) {
			t.Expiry, err = tokenstore.ParseExpiry(value)
			return err
		},
	},
	plain("redirect_url", true, func(t *tokenstore.OAuthToken) *string { return &t.RedirectURL }),
	plain("api_domain", true, func(t *tokenstore.OAuthToken) *string { return &t.APIDomain }),
}

// fieldNames returns the names of the fields that are wanted.
func fieldNames(want func(field) bool) (names []string) {
	for _, f := range fields {
		if want(f) {
			names = append(names, f.name)
		}
	}
	return names
}

func anyField(field) bool   { return true }
func settable(f field) bool { return f.set != nil }
func ofClient(f field) bool { return f.set != nil && f.shared }

// completeField completes the name of a field for a flag.
func completeField(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return fieldNames(anyField), cobra.ShellCompDirectiveNoFileComp // The shell leaves out what does not fit.
}

// fieldNamed returns the field that an argument names. What else was typed is not quoted.
func fieldNamed(name string, known func(field) bool) (field, error) {
	for _, f := range fields {
		if f.name == name && known(f) {
			return f, nil
		}
	}
	return field{}, &usageError{errors.New("unknown field; the fields are " + strings.Join(fieldNames(known), ", "))}
}
