// The tokens that are measured with: made up, and as long as Zoho's.

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"example.com/tokenstore"
)

// begin is when the first access tokens end.
var begin = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// digest returns 64 hexadecimal digits that depend on the words.
func digest(words ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(words...)))
	return hex.EncodeToString(sum[:])
}

// secret returns a made-up credential of 70 characters, in the form of Zoho's.
func secret(words ...any) string {
	d := digest(words...)
	return "1000." + d[:32] + "." + d[32:]
}

// newToken returns token i, always the same.
func newToken(i int) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: fmt.Sprintf("user-%06d@zylker.example:60%09d", i, i), ClientID: "1000." + digest("client")[:30],
		ClientSecret: digest("client's")[:42], RefreshToken: secret("refresh ", i), AccessToken: secret("access ", i),
		APIDomain: "https://www.zohoapis.com", Expiry: begin,
	}
}

// newTokens returns tokens 0 to n-1.
func newTokens(n int) []tokenstore.OAuthToken {
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		tokens[i] = newToken(i)
	}
	return tokens
}

// refreshed returns the token after its refresh number i.
func refreshed(t tokenstore.OAuthToken, i int) tokenstore.OAuthToken {
	t.AccessToken = secret(t.UserName, " refreshed ", i)
	t.Expiry = t.Expiry.Add(time.Duration(i) * time.Hour)
	return t
}
