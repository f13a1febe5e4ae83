// Logout: revoking a token at Zoho and deleting it from the store.

package zoho

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// Logout revokes tokens and deletes them. The zero value needs only a store.
type Logout struct {
	// Store keeps the tokens.
	Store tokenstore.Store
	// DataCenter is that of tokens without an API domain. Optional.
	DataCenter DataCenter
	// HTTP sends the requests; nil means http.DefaultClient.
	HTTP *http.Client
}

// Token revokes and deletes the token that FindToken finds for query: by user, by refresh or
// access token.
//
// It is revoked first and then deleted. If revoking fails, the token is still stored and
// perhaps still valid; if deleting fails, it is stored and worth nothing. In both
// cases the same call finishes the job: a token that Zoho no longer knows counts as
// revoked. If somebody has logged in again in between, the row has another refresh
// token and stays. A refresh that is still in flight does not bring a deleted token back.
func (l Logout) Token(ctx context.Context, query tokenstore.OAuthToken) error {
	return l.found(ctx, func() (tokenstore.OAuthToken, error) { return l.Store.FindToken(ctx, query) })
}

// ID revokes and deletes the token with the given ID, as Token does.
func (l Logout) ID(ctx context.Context, id string) error {
	return l.found(ctx, func() (tokenstore.OAuthToken, error) { return l.Store.FindTokenByID(ctx, id) })
}

func (l Logout) found(ctx context.Context, find func() (tokenstore.OAuthToken, error)) error {
	if l.Store == nil {
		return invalid("Logout.Store must be set")
	}
	t, err := find()
	if err != nil {
		return err
	}
	return l.end(ctx, t)
}

func (l Logout) end(ctx context.Context, t tokenstore.OAuthToken) error {
	if err := l.Revoke(ctx, t); err != nil {
		return fmt.Errorf("zoho: not revoked, and still stored; repeat the logout: %w", err)
	}
	if err := l.remove(ctx, t); err != nil {
		return fmt.Errorf("zoho: revoked, but still stored; repeat the logout: %w", err)
	}
	return nil
}

// remove deletes a token that was revoked. One that was refreshed since goes too; another
// login's stays.
func (l Logout) remove(ctx context.Context, revoked tokenstore.OAuthToken) error {
	const attempts = 10 // Each is lost to another writer.
	var err error
	for range attempts {
		var now tokenstore.OAuthToken
		if now, err = l.Store.FindTokenByID(ctx, revoked.ID); err == nil && credential(now) == credential(revoked) {
			err = l.deleteUnchanged(ctx, now)
		}
		switch {
		case errors.Is(err, tokenstore.ErrConflict):
		case errors.Is(err, tokenstore.ErrNotFound):
			return nil
		default:
			return err
		}
	}
	return err
}

// deleteUnchanged deletes a token that is still what was read, where the store can compare.
func (l Logout) deleteUnchanged(ctx context.Context, read tokenstore.OAuthToken) error {
	if remover, ok := tokenstore.As[tokenstore.Remover](l.Store); ok {
		return remover.DeleteUnchanged(ctx, []tokenstore.OAuthToken{read})[0]
	}
	return l.Store.DeleteToken(ctx, read.ID)
}

// credential returns what is revoked of a token.
func credential(t tokenstore.OAuthToken) string { return cmp.Or(t.RefreshToken, t.AccessToken) }

// Revoke revokes a token at Zoho and leaves the store alone: its refresh token, which ends
// its access tokens too, or else its access token. A token that Zoho does not know is no
// error, unless only l.DataCenter says where to ask: it may be the wrong one.
// Source: https://www.zoho.com/accounts/protocol/oauth/web-apps/revoke-tokens.html
func (l Logout) Revoke(ctx context.Context, t tokenstore.OAuthToken) error {
	if credential(t) == "" {
		return nil // A grant alone ends within minutes.
	}
	d, err := Redeemer{DataCenter: l.DataCenter}.dataCenterOf(t)
	if err != nil {
		return misconfigured("%v", err)
	}
	response, err := post(ctx, l.HTTP, d.AccountsURL()+"/oauth/v2/token/revoke", url.Values{"token": {credential(t)}})
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	known, err := revoked(response)
	if err == nil && !known && t.APIDomain == "" {
		return misconfigured("not known in data centre %q, which was set for tokens without an API domain: set another one, or the token's API domain; if it was issued there, it is worth nothing and can be deleted", d)
	}
	return err
}

// revoked returns nil if the answer to a revocation says that the token is worth nothing
// now, and whether it was known until then.
func revoked(response *http.Response) (known bool, err error) {
	var r struct{ Status, Error string }
	data, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if response.StatusCode == http.StatusTooManyRequests {
		return false, tooMany(response, time.Now())
	}
	if err != nil || json.Unmarshal(data, &r) != nil {
		return false, faultf("the accounts server answered the revocation with HTTP %d and without JSON", response.StatusCode)
	}
	switch {
	case r.Status == "success" && response.StatusCode < http.StatusMultipleChoices:
		return true, nil
	case response.StatusCode >= http.StatusInternalServerError:
	case r.Error == "invalid_token", r.Error == "invalid_code":
		return false, nil
	case errors.Is(refusals[codeOf(r.Error)], tokensource.ErrThrottled):
		return false, tooMany(response, time.Now())
	}
	return false, faultf("the accounts server answered the revocation with HTTP %d", response.StatusCode)
}
