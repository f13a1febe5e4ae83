// Package tokenstore defines what a token is ([OAuthToken]), what every store of
// tokens does ([Store]), how its errors are told apart, and how a token is stored.
// The stores are in their own packages: awssm, vault and gcpsm for secret
// managers, on the engine in secretstore; sqlstore and filestore for the formats
// of the Zoho CRM SDKs.
//
// # The token
//
// A token has nine string fields and the expiry of its access token. Empty and
// absent are the same: an empty value is never stored and never matches. Keys
// compare byte for byte.
//
// # Find
//
// FindToken finds by example. The first line that applies decides; "final" means
// that nothing further is tried.
//
//  1. ID set and stored: that token. An unknown ID is ignored.
//  2. UserName set: the token of that user. Final.
//  3. AccessToken set, and neither ClientID nor ClientSecret: by access token.
//     Final.
//  4. ClientID and ClientSecret both set: by GrantToken, if set; if that finds
//     nothing, by RefreshToken, if set. Final. The client values must be
//     present; they are not compared.
//  5. Otherwise nothing is found, never an arbitrary token.
//
// The result is the token as stored. Nothing of the argument is mixed into it;
// use [OAuthToken.Fill] to merge them. If several tokens match a key, the one
// whose generated ID is derived from that key wins, else the oldest. A token past
// its expiry is still found.
//
// # Save
//
// SaveToken picks the row the way FindToken does. If the user is set, has no row
// yet, and both client values are set, then a token without a user that has the
// same grant token or, failing that, the same refresh token is adopted: it becomes
// this user's.
//
// An update overwrites the fields that are set and keeps the others. The ID
// never changes. If the access token changes and no expiry comes with it, the
// old expiry is dropped, since an expiry belongs to its access token. A later
// save wins, whatever its expiry. An update that changes nothing writes
// nothing.
//
// An insert needs a refresh, grant or access token; without one, the error matches
// [ErrInvalidToken] and nothing is stored. The given ID is used, or else one is
// generated. The result is the token as now stored, with its ID.
//
// Two concurrent saves have the same outcome as one after the other, in some
// order: no field is lost, and no user and no ownerless refresh token gets a second
// row. A manual edit made between the store's read and its write is never silently
// overwritten.
//
// # Everywhere
//
// Stores are safe for concurrent use by goroutines, processes and machines.
// Every method honours its context. A call that is cancelled, or a process
// that dies, leaves no half-written token, and every stored token is found by each
// of its keys. Finding needs read permission only. Anything else stored under the
// same account, prefix or table is never treated as a token, modified or deleted.
//
// # Beyond the six methods
//
// Some stores can do more: see [Swapper], [Remover], [Undeleter], [Streamer], [Exister],
// [Warner], [Pinger], [Identifier] and [Diagnoser]. [As] finds such an ability, also behind
// wrappers.
//
// # Errors
//
// Errors match one of the sentinels of this package with errors.Is, or the
// error of a context that has ended, or one that an adapter defines (such as
// vault.ErrNotKV2). errors.As finds the cause, and [Retryable] reports whether the
// same call may succeed later. No credential appears in an error, a log line, a
// secret's name, or in what fmt, log/slog and encoding/json print of a token.
package tokenstore

import (
	"context"
	"time"
)

// OAuthToken is one OAuth token with what is needed to refresh it. It is passed by
// value: a store never shares memory with its callers.
//
// Printing it with fmt or log/slog, or marshalling it with encoding/json or
// encoding/xml, shows no credential; unmarshalling and encoding/gob fail.
// [EncodeToken] returns the stored form. Package fmt leaves three gaps: it calls no
// methods on unexported fields, so a type that keeps a token in one and is printed
// needs its own Format method; and it calls none for %p with a token that is not a
// pointer, or for %w with anything but an error. go vet reports both.
type OAuthToken struct {
	// ID names the token in its store. Generated IDs are opaque.
	ID string
	// UserName is the user the token acts for; the SDKs write "mail:organisation".
	UserName string
	// ClientID and ClientSecret are the OAuth client's credentials.
	ClientID, ClientSecret string
	// RefreshToken is redeemed for new access tokens.
	RefreshToken string
	// AccessToken authorizes calls until Expiry.
	AccessToken string
	// GrantToken is the authorization code that the others were redeemed for. It is
	// kept after it has been redeemed, so that an application that is restarted with
	// the same code finds its token by it.
	GrantToken string
	// RedirectURL is the redirect URI of the client.
	RedirectURL string
	// APIDomain is the base URL for calls, for example https://www.zohoapis.eu.
	APIDomain string
	// Expiry is when AccessToken expires, to the millisecond. Zero means unknown.
	Expiry time.Time
}

// Store keeps tokens. The package comment says what each method does in every
// case; package conformance tests an implementation against it.
type Store interface {
	// FindToken returns the stored token that matches query, by example. If there is
	// none, the error matches ErrNotFound.
	FindToken(ctx context.Context, query OAuthToken) (OAuthToken, error)

	// SaveToken updates the token that FindToken would find for it, or inserts it,
	// and returns the token as now stored. If the token cannot be inserted, the error
	// matches ErrInvalidToken.
	SaveToken(ctx context.Context, token OAuthToken) (OAuthToken, error)

	// DeleteToken deletes the token with the given ID. Deleting an ID that is not
	// stored is not an error; an empty ID is, and matches ErrInvalidArgument. A later
	// save may use the ID again.
	DeleteToken(ctx context.Context, id string) error

	// GetTokens returns all tokens, oldest first, or an empty slice if there are none.
	// Tokens that cannot be read do not hide the others: those are returned together
	// with an error that matches ErrUnreadable and names the unreadable ones.
	GetTokens(ctx context.Context) ([]OAuthToken, error)

	// DeleteTokens deletes all tokens of this store and nothing else. The error names
	// what could not be deleted; calling DeleteTokens again finishes the job.
	DeleteTokens(ctx context.Context) error

	// FindTokenByID returns the token with the given ID. If there is none, the
	// error matches ErrNotFound; an empty ID matches ErrInvalidArgument.
	FindTokenByID(ctx context.Context, id string) (OAuthToken, error)
}
