// A store as the token manager of another Go client.

package zoho

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// TokenManager gives one token of a store the two methods that the client
// github.com/schmorrison/Zoho asks of its token manager, SaveTokens and
// LoadAccessAndRefreshToken, without importing it. T is the client's own type of a
// token.
//
// That client refreshes tokens itself, without regard to other processes. With a
// refresh token that is never rotated, as Zoho's are, two refreshes at once cost one of ten
// redemptions in ten minutes and nothing else.
type TokenManager[T any] struct {
	// Store keeps the token.
	Store tokenstore.Store
	// Token says which token: by its user or its ID, and by its client and data centre
	// for the first save.
	Token tokenstore.OAuthToken
	// From returns the fields of a token that the client saves: at least the access
	// token. The expiry is counted from now.
	From func(saved T, now time.Time) tokenstore.OAuthToken
	// To returns the client's token for a stored one.
	To func(stored tokenstore.OAuthToken, now time.Time) T
	// Expired is the error that the client expects together with a token whose access
	// token has ended.
	Expired error
	// Timeout limits each call, since the methods have no context; zero means 30 seconds.
	Timeout time.Duration
}

// SaveTokens saves a token. One without an access token is refused: it is what a client
// makes of a refusal, and would be saved over a good token.
func (m *TokenManager[T]) SaveTokens(saved T) error {
	if err := m.ready(); err != nil {
		return err
	}
	ctx, cancel := m.context()
	defer cancel()
	fields := m.From(saved, time.Now())
	if fields.AccessToken == "" {
		return errors.New("zoho: not saved: a token without an access token is no token, but perhaps a refusal; the stored one is kept")
	}
	_, err := m.Store.SaveToken(ctx, fields.Fill(m.Token))
	return err
}

// LoadAccessAndRefreshToken returns the token. If its access token has ended, it returns the
// token and Expired, so that the client refreshes it.
func (m *TokenManager[T]) LoadAccessAndRefreshToken() (T, error) {
	var none T
	if err := m.ready(); err != nil {
		return none, err
	}
	ctx, cancel := m.context()
	defer cancel()
	now := time.Now()
	stored, err := m.Store.FindToken(ctx, m.Token)
	if err != nil {
		return none, err
	}
	if stored.AccessToken == "" || !stored.Expiry.IsZero() && !stored.Expiry.After(now) {
		return m.To(stored, now), m.Expired
	}
	return m.To(stored, now), nil
}

func (m *TokenManager[T]) ready() error {
	if m.Store == nil || m.From == nil || m.To == nil {
		return invalid("TokenManager.Store, From and To must be set")
	}
	return nil
}

func (m *TokenManager[T]) context() (context.Context, context.CancelFunc) {
	timeout := m.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	return context.WithTimeout(context.Background(), timeout)
}
