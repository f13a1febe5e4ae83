// What a provider does with a refresh token that was redeemed before, and its limits.

package accountstest

import "time"

// Kind is what a provider does with the refresh token of a redemption, and with a second
// use of it.
type Kind int

const (
	// Keep leaves the refresh token as it is: it can be redeemed again for ever. (Zoho CRM,
	// Refresh Access Tokens; Google, Using OAuth 2.0 to Access Google APIs.)
	Keep Kind = iota
	// Overlap gives a new refresh token, and within Reuse a second use gives a further pair;
	// all of them are good. (Auth0, Configure Refresh Token Rotation: during the reuse interval
	// a new rotating refresh token is issued. Amazon Cognito, RefreshTokenRotationType: the
	// original refresh token remains valid for up to 60 seconds. Xero: 30 minutes.)
	Overlap
	// SameAnswer gives a new refresh token, and within Reuse a second use gives the very
	// same tokens again. (WorkOS: a replay within 30 seconds returns the same rotated pair;
	// seen in kurrent-io/kcap-cli#946. FusionAuth, one-time use grace period.)
	SameAnswer
	// Refuse gives a new refresh token and refuses a second use; nothing else happens.
	// (RFC 6749, section 6: the client must discard the old refresh token. GitHub, Refreshing
	// user access tokens: once it is used, that refresh token no longer works. GitLab: a used
	// refresh token is invalidated; the tokens that it gave are not.)
	Refuse
	// RevokeFamily gives a new refresh token, and a second use revokes all tokens that
	// come from the same login. (RFC 9700, section 4.14.2, and RFC 6819, section 5.2.2.3. Auth0,
	// Automatic reuse detection. Okta, Refresh token reuse detection.)
	RevokeFamily
	// KillFirst gives a new refresh token, and within Reuse a second use gives a further
	// pair and ends the one before. (WSO2 Asgardeo, Graceful refresh token rotation: the most
	// recent replay wins. Airlock IAM 7.7: only the most recent new token pair is valid.)
	KillFirst
)

// String returns the constant's name.
func (k Kind) String() string {
	if k < Keep || k > KillFirst {
		return "unknown"
	}
	return [...]string{"Keep", "Overlap", "SameAnswer", "Refuse", "RevokeFamily", "KillFirst"}[k]
}

// again reports whether the kind takes a refresh token again within Reuse.
func (k Kind) again() bool { return k == Overlap || k == SameAnswer || k == KillFirst }

// Kinds returns all kinds, for tests that go through them.
func Kinds() []Kind { return []Kind{Keep, Overlap, SameAnswer, Refuse, RevokeFamily, KillFirst} }

// Limits are the limits of a provider. A limit of 0 does not exist.
//
// The figures of Zoho CRM are those of "Token Validity" of its API v8 and of "Kaizen #43,
// Tokens and Limitations". "OAuth token limits" of Zoho Accounts says 10 live access tokens in
// place of 15, and pages of other Zoho products 30.
type Limits struct {
	// Refreshes is how many access tokens one refresh token gives within Window; then it
	// is throttled for the rest of the window. (Zoho: 10 in a span of 10 minutes; "if the
	// limit is reached, the access token creation will be blocked for the rest of the ten
	// minutes", Zoho Accounts, Refresh access token.)
	Refreshes int
	// LiveAccess is how many access tokens of one refresh token can be alive; one more ends
	// the oldest. (Zoho: 15.)
	LiveAccess int
	// RefreshTokens is how many refresh tokens a user can have; one more removes the
	// oldest, and its access tokens with it. (Zoho: 20.)
	RefreshTokens int
	// NewRefreshTokens is how many a user gets within Window. (Zoho: 10; API v3 says 20.)
	NewRefreshTokens int
	// Grants is how many authorization codes there are within Window; then a login ends in
	// access_denied. (Zoho: 10 per client.)
	Grants int
	// Window is the span of time that these limits count in, 10 minutes if it is 0.
	Window time.Duration
}

// window counts what happens in a span of time, which begins with the first.
type window struct {
	since time.Time
	n     int
}

// take reports whether there is room for one more, and when there will be if not.
func (w *window) take(now time.Time, limit int, span time.Duration) (until time.Time, ok bool) {
	if limit == 0 {
		return time.Time{}, true
	}
	if w.n == 0 || now.Sub(w.since) >= span {
		*w = window{since: now}
	}
	if w.n >= limit {
		return w.since.Add(span), false
	}
	w.n++
	return time.Time{}, true
}
