// The stored form of a token: the same flat JSON object in every secret manager, so
// that a person can edit it and one store can read what another wrote.

package tokenstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/tokenstore/driver"
)

// field is one string field of a token in its stored form.
type field struct {
	name       string
	credential bool
}

const (
	accessField = "access_token"
	// expiryField is the name of the one stored field that is not a plain string.
	expiryField = "expiry_time"
)

// fields are the string fields, by the names that the SDKs use.
var fields = []field{
	{"id", false}, {"user_name", false}, {"client_id", true}, {"client_secret", true}, {"refresh_token", true},
	{accessField, true}, {"grant_token", true}, {"redirect_url", false}, {"api_domain", false},
}

// field returns the string field of t with that name, or nil if there is none.
func (t *OAuthToken) field(name string) *string {
	switch name {
	case "id":
		return &t.ID
	case "user_name":
		return &t.UserName
	case "client_id":
		return &t.ClientID
	case "client_secret":
		return &t.ClientSecret
	case "refresh_token":
		return &t.RefreshToken
	case accessField:
		return &t.AccessToken
	case "grant_token":
		return &t.GrantToken
	case "redirect_url":
		return &t.RedirectURL
	case "api_domain":
		return &t.APIDomain
	}
	return nil
}

// EncodeToken returns the token's stored form: one flat JSON object in which
// every value is a string, under the names that the SDKs use, without empty
// fields. It contains the credentials. If the token is not valid (see
// [OAuthToken.Validate]), the error matches ErrInvalidToken.
func EncodeToken(t OAuthToken) ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	var object driver.Object
	EncodeFields(t, &object)
	return object.Encode(), nil
}

// EncodeFields writes the token's fields into object and removes the empty ones. It is
// for stores that keep unknown fields. If object has an expiry that cannot be
// understood, it stays until the token has one, or another access token.
func EncodeFields(t OAuthToken, object *driver.Object) {
	if access, _ := object.Text(accessField); access != t.AccessToken {
		object.Set(expiryField, "") // It belongs to the access token that is replaced.
	}
	for _, f := range fields {
		object.Set(f.name, *t.field(f.name))
	}
	if _, err := decodeExpiry(*object); err == nil || !t.Expiry.IsZero() {
		object.Set(expiryField, FormatExpiry(t.Expiry))
	}
}

// DecodeToken decodes the stored form. It is lenient: a number or a boolean is read as
// its literal and null as "", unknown fields are ignored, an expiry of 10 digits is
// taken as seconds, and an expiry that cannot be understood counts as unknown (see
// [FieldWarnings]). Anything else that cannot be understood gives an error that
// matches ErrUnreadable and quotes none of the data.
func DecodeToken(data []byte) (OAuthToken, error) {
	object, err := driver.DecodeObject(data)
	if err != nil {
		return OAuthToken{}, err
	}
	t, err := DecodeFields(object)
	if err != nil {
		return OAuthToken{}, err
	}
	return t, nil
}

// DecodeFields is [DecodeToken] for stores that keep the fields which they do not
// know. If some fields cannot be understood, it returns the others with an error
// that names those.
func DecodeFields(object driver.Object) (OAuthToken, error) {
	var t OAuthToken
	faulty := false
	for _, stored := range object.WithPrefix("") {
		if field := t.field(stored.Name); field != nil {
			text, err := stored.Text()
			*field, faulty = text, faulty || err != nil
		}
	}
	t.Expiry, _ = decodeExpiry(object) // What cannot be understood is unknown.
	if faulty {
		return t, fieldFaults(object)
	}
	return t, nil
}

// fieldFaults returns an error that names the fields that cannot be understood.
func fieldFaults(object driver.Object) error {
	var faults []error
	for _, f := range fields {
		if _, err := object.Text(f.name); err != nil {
			faults = append(faults, fmt.Errorf("field %s: %w", f.name, err))
		}
	}
	return errors.Join(faults...)
}

// decodeExpiry decodes the expiry of a stored token.
func decodeExpiry(object driver.Object) (time.Time, error) {
	text, err := object.Text(expiryField)
	if err != nil {
		return time.Time{}, err
	}
	return ParseExpiry(text)
}

// FieldWarnings returns what look like slips in a manual edit of a stored token, each
// as "field: what is wrong": an expiry that cannot be understood, and white space or a
// line break before or after a credential. It quotes no value.
func FieldWarnings(object driver.Object) []string {
	var warnings []string
	for _, f := range fields {
		if text, err := object.Text(f.name); err == nil && f.credential && strings.TrimSpace(text) != text {
			warnings = append(warnings, f.name+": white space before or after the value")
		}
	}
	if _, err := decodeExpiry(object); err != nil {
		warnings = append(warnings, expiryField+": "+errExpiry.Error())
	}
	return warnings
}

const (
	maxExpiry       = 9_999_999_999_999 // the year 2286
	millisDigits    = 13                // filestore looks for these digits, too
	secondsDigits   = 10
	millisPerSecond = 1000
)

var errExpiry = errors.New("not a time in epoch milliseconds (13 digits) or seconds (10 digits)")

// FormatExpiry returns the stored form of an expiry: epoch milliseconds in 13
// digits, padded with zeros because 10 digits would be read as seconds. It returns
// "" for the zero time and for times that do not fit in 13 digits.
func FormatExpiry(t time.Time) string {
	if t.IsZero() || t.UnixMilli() < 0 || t.UnixMilli() > maxExpiry {
		return ""
	}
	return fmt.Sprintf("%013d", t.UnixMilli())
}

// ParseExpiry parses the stored form of an expiry: epoch milliseconds in 13 digits,
// or seconds in 10. The empty string gives the zero time. Anything else, such as a
// duration in seconds, gives an error that does not quote it.
func ParseExpiry(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0 || text[0] == '+':
	case len(text) == millisDigits:
		return time.UnixMilli(n).UTC(), nil
	case len(text) == secondsDigits:
		return time.UnixMilli(n * millisPerSecond).UTC(), nil
	}
	return time.Time{}, errExpiry
}

// Validate returns an error that matches ErrInvalidToken if the token cannot be
// stored: a field is not valid UTF-8, or the expiry is before 1970 or after 2286.
func (t OAuthToken) Validate() error {
	for _, f := range fields {
		if !utf8.ValidString(*t.field(f.name)) {
			return fmt.Errorf("%w: %s is not valid UTF-8", ErrInvalidToken, f.name)
		}
	}
	if ms := t.Expiry.UnixMilli(); !t.Expiry.IsZero() && (ms < 0 || ms > maxExpiry) {
		return fmt.Errorf("%w: the expiry must be between the years 1970 and 2286", ErrInvalidToken)
	}
	return nil
}
