package faults

import (
	"fmt"
	"time"

	"example.com/tokenstore"
)

// secretMark begins every credential of the tests' tokens.
const secretMark = "fake-secret-"

// deletion reports whether a version of a token is a deletion: every seventh is.
func deletion(version int) bool { return version%7 == 0 }

// versionOf returns a token owned by one client, in one of its versions. Its refresh
// token changes with every fifth.
func versionOf(name string, version int) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: userOf(name), ClientID: "1000.CLIENT", ClientSecret: secretMark + "client",
		RefreshToken: fmt.Sprintf("%srefresh-%s-%d", secretMark, name, version/5),
		AccessToken:  fmt.Sprintf("%saccess-%s-%d", secretMark, name, version),
		Expiry:       time.UnixMilli(1_900_000_000_000 + int64(version)).UTC(),
		RedirectURL:  fmt.Sprintf("https://app.example/%d", version),
		APIDomain:    "https://api.example",
	}
}

func userOf(name string) string { return "mail@example.com:" + name }

// The tokens that all clients save at the same time, always the same: one with a user,
// and one without.
func sameUser(name string) tokenstore.OAuthToken { return versionOf(name, 1) }

func sameOwnerless(name string) tokenstore.OAuthToken {
	token := versionOf(name, 1)
	token.UserName = ""
	return token
}

// sharedID is the ID of the token of which each process saves its own field.
const sharedID = "shared"

// sharedFields are the fields, by process.
var sharedFields = []func(*tokenstore.OAuthToken) *string{
	func(t *tokenstore.OAuthToken) *string { return &t.APIDomain },
	func(t *tokenstore.OAuthToken) *string { return &t.RedirectURL },
	func(t *tokenstore.OAuthToken) *string { return &t.AccessToken },
	func(t *tokenstore.OAuthToken) *string { return &t.GrantToken },
}

func sharedValue(process, version int) string {
	return fmt.Sprintf("%sfield-%d-%d", secretMark, process, version)
}

// sharedToken is the shared token as the test creates it.
func sharedToken() tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		ID: sharedID, UserName: userOf(sharedID), ClientID: "1000.CLIENT", ClientSecret: secretMark + "client",
		RefreshToken: secretMark + "refresh-shared",
	}
}

// byRefresh returns a query for a token by its refresh token.
func byRefresh(token tokenstore.OAuthToken) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{ClientID: token.ClientID, ClientSecret: token.ClientSecret, RefreshToken: token.RefreshToken}
}

// withoutID returns a token in the tests' form: they do not choose the IDs.
func withoutID(token tokenstore.OAuthToken) tokenstore.OAuthToken {
	token.ID = ""
	return token
}

// queryOf returns a query for a token by one of its keys.
func queryOf(token tokenstore.OAuthToken, key tokenstore.Key) tokenstore.OAuthToken {
	switch key.Kind {
	case tokenstore.UserKey:
		return tokenstore.OAuthToken{UserName: key.Value}
	case tokenstore.AccessKey:
		return tokenstore.OAuthToken{AccessToken: key.Value}
	case tokenstore.GrantKey:
		return tokenstore.OAuthToken{ClientID: token.ClientID, ClientSecret: token.ClientSecret, GrantToken: key.Value}
	default:
		return byRefresh(token)
	}
}
