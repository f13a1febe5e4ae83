// The token that put reads from standard input: strictly, and with errors that name the
// field and quote nothing of it.

package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// readToken reads one token in its stored form.
func readToken(verb *cobra.Command) (tokenstore.OAuthToken, error) {
	if _, ok := terminal(verb.InOrStdin()); ok {
		return tokenstore.OAuthToken{}, &usageError{errors.New("a token is not typed at a terminal, which would show it; redirect a file that only you can read, and remove it afterwards")}
	}
	data, err := readInput(verb.Context(), verb.InOrStdin(), "a token")
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	token, err := parseToken(data)
	if err != nil {
		return tokenstore.OAuthToken{}, &usageError{err}
	}
	return token, nil
}

var errNotOneToken = errors.New("standard input is not one JSON object with the fields of a token, such as " +
	`{"user_name": "...", "client_id": "...", "client_secret": "...", "refresh_token": "..."}`)

// parseToken reads a flat JSON object whose names are those of a token's stored fields and
// whose values are strings. The expiry may be a number.
func parseToken(data []byte) (tokenstore.OAuthToken, error) {
	var t tokenstore.OAuthToken
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return t, errNotOneToken
	}
	seen := map[string]bool{}
	for n := 1; decoder.More(); n++ {
		key, err := decoder.Token()
		name, _ := key.(string)
		if err != nil {
			return t, errNotOneToken
		}
		var raw json.RawMessage
		if decoder.Decode(&raw) != nil {
			return t, errNotOneToken
		}
		if err := parseField(&t, name, raw, n); err != nil {
			return t, err
		}
		if seen[name] {
			return t, fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
	}
	if _, err := decoder.Token(); err != nil {
		return t, errNotOneToken
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return t, errors.New("standard input goes on after the token; put stores one token")
	}
	if len(seen) == 0 {
		return t, errNotOneToken
	}
	return t, t.Validate()
}

// parseField sets the field of a token. A name that is not known is not quoted, since it may
// be a credential in the wrong place.
func parseField(t *tokenstore.OAuthToken, name string, raw json.RawMessage, number int) error {
	value, isText := "", false
	if json.Unmarshal(raw, &value) == nil && string(raw) != "null" {
		isText = true
	}
	if name == "expiry_time" && !isText {
		value = string(raw) // ParseExpiry takes nothing but digits.
		isText = value != "" && strings.Trim(value, "0123456789") == ""
	}
	set, err := setterOf(name, number)
	switch {
	case err != nil:
		return err
	case !isText && name == "expiry_time":
		return errors.New("expiry_time must be a string or a number")
	case !isText:
		return fmt.Errorf("%s must be a string", name)
	case value == "":
		return fmt.Errorf("%s is empty; leave it out", name)
	}
	if err := slip(value); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	if err := set(t, value); err != nil {
		return fmt.Errorf("%s is not valid: %w", name, err)
	}
	return nil
}

// setterOf returns what sets the field with a name in a token that is read.
func setterOf(name string, number int) (func(*tokenstore.OAuthToken, string) error, error) {
	switch name {
	case "id":
		return func(t *tokenstore.OAuthToken, value string) error { t.ID = value; return nil }, nil
	case "user_name":
		return func(t *tokenstore.OAuthToken, value string) error { t.UserName = value; return nil }, nil
	}
	for _, f := range fields {
		if f.name == name {
			return f.set, nil
		}
	}
	return nil, fmt.Errorf("field %d is not a field of a token; the fields are id, user_name, %s", number, strings.Join(fieldNames(settable), ", "))
}
