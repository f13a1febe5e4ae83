// The names that a token's fields have as columns. The SDKs have used several, and so
// have the stores that people wrote themselves: files and tables read the same ones.

package rowstore

import (
	"slices"
	"strings"

	"example.com/tokenstore"
)

// Column is a field of a token, by its place in the SDKs' files and tables.
type Column int

// The columns, in the SDKs' order.
const (
	IDColumn Column = iota
	UserColumn
	ClientIDColumn
	ClientSecretColumn
	RefreshColumn
	AccessColumn
	GrantColumn
	ExpiryColumn
	RedirectColumn
	DomainColumn
	// Columns is how many there are.
	Columns int = iota
	// UnknownColumn is what is not understood.
	UnknownColumn Column = -1
)

// columnNames are the names of each column, without regard to case, underscores,
// hyphens and spaces: clientId is client_id. The first is that of the present SDKs.
// Where a file or table has several names of one column, the first of them is read.
//
// A name is here only if it can mean nothing else. user_id, for example, may be the
// user's key in a table of the application.
var columnNames = [Columns][]string{
	IDColumn: {"id", "token_id"},
	UserColumn: {"user_name", "user_mail", "user_email", "user_identifier", "user_email_id", "email", "email_id", "email_address",
		"mail", "user"},
	ClientIDColumn:     {"client_id", "oauth_client_id"},
	ClientSecretColumn: {"client_secret", "oauth_client_secret"},
	RefreshColumn:      {"refresh_token", "oauth_refresh_token"},
	AccessColumn:       {"access_token", "oauth_access_token"},
	GrantColumn:        {"grant_token", "grant_code", "authorization_code", "auth_code", "code"},
	ExpiryColumn: {"expiry_time", "expires_in", "expires_at", "expiry", "expires", "expires_on", "expire_time", "expiry_date", "expire_at",
		"expiration", "expiration_time", "expiration_date", "token_expiry", "token_expires_at", "access_token_expiry",
		"access_token_expiry_time", "access_token_expires_at", "expires_in_sec"},
	RedirectColumn: {"redirect_url", "redirect_uri", "callback_url", "callback_uri"},
	DomainColumn:   {"api_domain", "api_base_url", "api_url"},
}

// String returns the column's name in the present SDKs.
func (c Column) String() string {
	if c == UnknownColumn {
		return "unknown"
	}
	return columnNames[c][0]
}

// Get returns the token's text for the column.
func (c Column) Get(t tokenstore.OAuthToken) string {
	switch c {
	case UnknownColumn:
		return ""
	case ExpiryColumn:
		return tokenstore.FormatExpiry(t.Expiry)
	}
	return *c.Text(&t)
}

// Text returns the token's text field of a column that is neither the expiry nor
// unknown.
func (c Column) Text(t *tokenstore.OAuthToken) *string {
	return [Columns]*string{
		&t.ID, &t.UserName, &t.ClientID, &t.ClientSecret, &t.RefreshToken, &t.AccessToken, &t.GrantToken,
		nil, &t.RedirectURL, &t.APIDomain,
	}[c]
}

// plainName returns a name without what does not tell it from another.
func plainName(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// columnNamed returns the column that has the name, and the name's place among the
// names of that column.
func columnNamed(name string) (c Column, rank int) {
	plain := plainName(name)
	for c, all := range columnNames {
		for rank, n := range all {
			if plainName(n) == plain {
				return Column(c), rank
			}
		}
	}
	return UnknownColumn, 0
}

// ColumnsOf returns the column that each of the names means. Of several that mean
// one column, the others are unknown. Twice reports whether one name is there twice.
func ColumnsOf(names []string) (columns []Column, twice bool) {
	columns = make([]Column, len(names))
	ranks := make([]int, len(names))
	for i, name := range names {
		columns[i], ranks[i] = columnNamed(name)
		if columns[i] == UnknownColumn {
			continue
		}
		other := slices.Index(columns[:i], columns[i])
		switch {
		case other < 0:
		case ranks[other] == ranks[i]:
			twice = true
			columns[i] = UnknownColumn
		case ranks[other] < ranks[i]:
			columns[i] = UnknownColumn
		default:
			columns[other] = UnknownColumn
		}
	}
	return columns, twice
}
