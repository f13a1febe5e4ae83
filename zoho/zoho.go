// Package zoho knows how Zoho issues tokens: its data centres, its login, its replies and
// its limits. With a store and package tokensource it leads from a login to calls that
// just work:
//
//   - [Login] sends a person to the consent page, exchanges the code and stores the token.
//   - [Redeemer] refreshes tokens for a tokensource.Source.
//   - [Client] is an *http.Client whose requests carry a valid token.
//   - [Logout] revokes a token and deletes it.
//   - [TokenManager] makes a store the token manager of another Go client.
//
// # What Zoho does
//
// An access token lives for an hour. A refresh token stays the same until it is revoked
// and may be redeemed again and again; ten redemptions in ten minutes are allowed, and of
// sixteen live access tokens the eldest ends. Refusals arrive with status 200 or 400 and an
// "error" field. Each data centre has its own accounts server, and a token works in its
// own data centre only. Sources are named where the rules are applied.
//
// # Errors
//
// Refusals match the errors of package tokensource: ErrNeedsConsent, ErrMisconfigured,
// ErrThrottled with the time of the next try, and ErrNotSent. Any other error means that
// the request may have been carried out. No error holds a credential, nor any other text
// of a reply but Zoho's error code.
package zoho
