// The only part that knows Zoho: how a refresh token is redeemed.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenstore"
)

// accounts is Zoho's accounts server.
type accounts struct {
	url    string
	client *http.Client
}

// errRefused is returned if the server gives no access token for the refresh token.
var errRefused = errors.New("the accounts server refuses the refresh token; authorize the client again")

// redeem returns a new access token and its expiry. A refusal, too, may come with status
// 200.
func (a *accounts) redeem(ctx context.Context, token tokenstore.OAuthToken) (string, time.Time, error) {
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken},
		"client_id": {token.ClientID}, "client_secret": {token.ClientSecret},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/oauth/v2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", time.Time{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sent := time.Now()
	resp, err := a.client.Do(req)
	if err != nil {
		return "", time.Time{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return "", time.Time{}, fmt.Errorf("status %d with an unreadable answer: %w", resp.StatusCode, err)
	}
	if body.AccessToken == "" || body.ExpiresIn <= 0 {
		return "", time.Time{}, fmt.Errorf("%w: status %d, %q", errRefused, resp.StatusCode, body.Error)
	}
	return body.AccessToken, sent.Add(time.Duration(body.ExpiresIn) * time.Second), nil
}
