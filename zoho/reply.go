// What the accounts servers answer, and what it means. Zoho's replies differ from RFC 6749
// in their statuses, error codes and units.

package zoho

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/retryafter"
	"example.com/tokenstore/tokensource"
)

const (
	// maxReply is the largest reply that is read.
	maxReply = 64 << 10
	// blockedFor is how long Zoho refuses further redemptions of a refresh token after ten
	// in ten minutes (Zoho CRM v8, Token Validity).
	blockedFor = 10 * time.Minute
	// longestLife separates seconds from milliseconds: an access token lives for an hour,
	// which is 3,600 of the one and 3,600,000 of the other.
	longestLife = 24 * time.Hour
)

// reply is what an accounts server answers to a redemption.
type reply struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	APIDomain    string `json:"api_domain"`
	// ExpiresIn is in seconds. In replies that have ExpiresInSec too, it is in
	// milliseconds: https://github.com/googleworkspace/apps-script-oauth2/issues/198.
	ExpiresIn    number `json:"expires_in"`
	ExpiresInSec number `json:"expires_in_sec"`
	Error        string `json:"error"`
}

// number is a number, in quotes or without. Anything else is read as 0: it does not cost the
// token that comes with it.
type number int64

// UnmarshalJSON never fails.
func (n *number) UnmarshalJSON(data []byte) error {
	i, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	if err != nil {
		i = 0
	}
	*n = number(i)
	return nil
}

// token returns the fields of a token that the reply sets.
func (r reply) token(now time.Time) tokenstore.OAuthToken {
	t := tokenstore.OAuthToken{AccessToken: r.AccessToken, RefreshToken: r.RefreshToken, APIDomain: r.APIDomain}
	if life := r.life(); life > 0 {
		t.Expiry = now.Add(life)
	}
	return t
}

// life returns how long the access token lives, or 0 if the reply does not say.
func (r reply) life() time.Duration {
	n := int64(r.ExpiresInSec)
	if n == 0 {
		n = int64(r.ExpiresIn)
	}
	if n <= 0 || n > int64(longestLife/time.Millisecond) {
		return 0
	}
	if n > int64(longestLife/time.Second) {
		return time.Duration(n) * time.Millisecond
	}
	return time.Duration(n) * time.Second
}

// readReply reads the answer to a redemption. A refusal is an error of package tokensource,
// whatever its status. Anything that is neither a token nor a refusal may have been
// carried out.
func readReply(response *http.Response, now time.Time) (reply, error) {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return reply{}, fault("the reply was cut off")
	}
	var r reply
	bad := json.Unmarshal(data, &r) // Its text could quote a credential.
	if response.StatusCode == http.StatusTooManyRequests {
		return reply{}, tooMany(response, now)
	}
	switch {
	case bad != nil:
		return reply{}, faultf("the accounts server answered HTTP %d without JSON", response.StatusCode)
	case r.Error != "":
		return reply{}, refusal(response, r.Error, now)
	case r.AccessToken == "" || response.StatusCode >= 300:
		return reply{}, faultf("the accounts server answered HTTP %d without an access token", response.StatusCode)
	}
	return r, nil
}

// refusals are the error codes that are known, by what they mean. They are named on
// https://www.zoho.com/crm/developer/docs/api/v8/token-validity.html and
// https://www.zoho.com/crm/developer/docs/api/v8/access-refresh.html. The throttle
// arrives as "Access Denied" and as access_denied.
var refusals = map[string]error{
	"invalid_code":           tokensource.ErrNeedsConsent,
	"invalid_grant":          tokensource.ErrNeedsConsent,
	"invalid_client":         tokensource.ErrMisconfigured,
	"invalid_client_secret":  tokensource.ErrMisconfigured,
	"invalid_redirect_uri":   tokensource.ErrMisconfigured,
	"unauthorized_client":    tokensource.ErrMisconfigured,
	"unsupported_grant_type": tokensource.ErrMisconfigured,
	"invalid_request":        tokensource.ErrMisconfigured,
	"access_denied":          tokensource.ErrThrottled,
}

// codeOf returns an error code in the one form of refusals.
func codeOf(code string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(code)), " ", "_")
}

// refusal returns the error for a reply's error code. The code itself is quoted only if it
// is known: nothing else of a reply may reach an error.
func refusal(response *http.Response, code string, now time.Time) error {
	code = codeOf(code)
	kind, known := refusals[code]
	switch {
	case !known || response.StatusCode >= http.StatusInternalServerError:
		return faultf("the accounts server refused with HTTP %d and an error code that is not known", response.StatusCode)
	case errors.Is(kind, tokensource.ErrThrottled):
		return tooMany(response, now)
	case errors.Is(kind, tokensource.ErrNeedsConsent):
		return needsConsent("refused: %s", code)
	}
	return misconfigured("refused: %s; check the client's ID and secret, which differ from one data centre to another, and its redirect URL", code)
}

// tooMany returns the error for too many redemptions, with the time of the next try.
func tooMany(response *http.Response, now time.Time) error {
	next := retryafter.Time(response.Header, now)
	if !next.After(now) {
		next = now.Add(blockedFor)
	}
	return throttled(next, "too many requests; Zoho allows ten redemptions of a refresh token in ten minutes")
}
