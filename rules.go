// The decisions of the contract, in one place, so that every implementation of
// [Store] makes the same ones.

package tokenstore

import (
	"fmt"
	"time"
)

// FindKeys returns the keys to look query up by, in order, if its ID has found
// nothing. The first key that finds a token decides. Without keys, nothing is
// found.
func FindKeys(query OAuthToken) []Key {
	client := query.ClientID != "" && query.ClientSecret != ""
	switch {
	case query.UserName != "":
		return []Key{{Kind: UserKey, Value: query.UserName}}
	case query.AccessToken != "" && query.ClientID == "" && query.ClientSecret == "":
		return []Key{{Kind: AccessKey, Value: query.AccessToken}}
	case client:
		return grantThenRefresh(query)
	}
	return nil
}

// AdoptionKeys returns the keys, in order, by which saving t adopts a token without
// a user if t's user has no token yet. Without keys, nothing is adopted.
func AdoptionKeys(t OAuthToken) []Key {
	if t.UserName == "" || t.ClientID == "" || t.ClientSecret == "" {
		return nil
	}
	return grantThenRefresh(t)
}

func grantThenRefresh(t OAuthToken) []Key {
	var keys []Key
	if t.GrantToken != "" {
		keys = append(keys, Key{Kind: GrantKey, Value: t.GrantToken})
	}
	if t.RefreshToken != "" {
		keys = append(keys, Key{Kind: RefreshKey, Value: t.RefreshToken})
	}
	return keys
}

// KeysOf returns all keys of t, in this order: user, refresh, grant, access.
func KeysOf(t OAuthToken) []Key {
	all := [...]Key{
		{Kind: UserKey, Value: t.UserName},
		{Kind: RefreshKey, Value: t.RefreshToken},
		{Kind: GrantKey, Value: t.GrantToken},
		{Kind: AccessKey, Value: t.AccessToken},
	}
	keys := make([]Key, 0, len(all))
	for _, k := range all {
		if k.Value != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// QueryFor returns the query that finds a token by k alone. For a refresh or grant
// token it includes the client values that the contract requires and does not
// compare.
func QueryFor(k Key) OAuthToken {
	query := OAuthToken{ClientID: "any", ClientSecret: "any"}
	switch k.Kind {
	case UserKey:
		return OAuthToken{UserName: k.Value}
	case AccessKey:
		return OAuthToken{AccessToken: k.Value}
	case GrantKey:
		query.GrantToken = k.Value
	case RefreshKey:
		query.RefreshToken = k.Value
	}
	return query
}

// Holds reports whether k is one of the keys of t.
func Holds(t OAuthToken, k Key) bool {
	if k.Value == "" {
		return false
	}
	switch k.Kind {
	case UserKey:
		return t.UserName == k.Value
	case RefreshKey:
		return t.RefreshToken == k.Value
	case AccessKey:
		return t.AccessToken == k.Value
	case GrantKey:
		return t.GrantToken == k.Value
	}
	return false
}

// Update returns stored as it is after token has been saved to it: the fields that
// are set in token overwrite the stored ones, the others stay, the ID never
// changes, and a new access token without an expiry drops the old expiry.
func Update(stored, token OAuthToken) OAuthToken {
	updated := stored
	for _, f := range fields {
		if text := *token.field(f.name); text != "" && f.name != "id" {
			*updated.field(f.name) = text
		}
	}
	switch {
	case !token.Expiry.IsZero():
		updated.Expiry = token.Expiry
	case updated.AccessToken != stored.AccessToken:
		updated.Expiry = time.Time{}
	}
	return updated.Normal()
}

// CheckInsert returns an error that matches ErrInvalidToken if t cannot be
// inserted, because it has no refresh, grant or access token or is not valid.
func CheckInsert(t OAuthToken) error {
	if t.RefreshToken == "" && t.GrantToken == "" && t.AccessToken == "" {
		return fmt.Errorf("%w: a new token needs a refresh, grant or access token", ErrInvalidToken)
	}
	return t.Validate()
}

// Normal returns t as a store returns it: the expiry is in UTC and truncated to the
// millisecond, so that equal tokens compare equal with ==.
func (t OAuthToken) Normal() OAuthToken {
	if !t.Expiry.IsZero() {
		t.Expiry = time.UnixMilli(t.Expiry.UnixMilli()).UTC()
	}
	return t
}

// Fill returns t with its empty fields filled in from stored, as the SDKs do after
// a find. The ID is always the stored one. The stored expiry is used only together
// with the stored access token.
func (t OAuthToken) Fill(stored OAuthToken) OAuthToken { return Update(stored, t) }
