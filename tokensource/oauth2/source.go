// A Source for libraries that take an oauth2.TokenSource.

package oauth2

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// TokenSource returns the tokens that s gives for query as an oauth2.TokenSource, for libraries
// that want one. Its tokens have no refresh token, so nobody else can spend it, and their type
// is Bearer; [WithType] sets another.
//
// An oauth2.TokenSource has no context, so ctx is bound once and used by every call: when it
// ends, every call fails with its error. Give it the context of what the calls are for as a
// whole, such as the service's, and never that of one request. Where there is a choice, use
// s.Token or s.Transport, which take the context of each call.
//
// The Source is a cache. oauth2.ReuseTokenSource around it gains nothing, and keeps a token that
// [tokensource.Source.Renew] has replaced.
//
// A token that is valid but not saved yet is returned without the error that matches
// [tokensource.ErrNotSaved]; the Source's observer sees it.
func TokenSource(ctx context.Context, s *tokensource.Source, query tokenstore.OAuthToken, options ...SourceOption) oauth2.TokenSource {
	bound := &bound{ctx: ctx, source: s, query: query, kind: "Bearer"}
	for _, o := range options {
		o(bound)
	}
	return bound
}

// SourceOption is an option of [TokenSource].
type SourceOption func(*bound)

// WithType sets the type of the tokens, the first word of the Authorization header, such as
// Zoho-oauthtoken.
func WithType(name string) SourceOption { return func(b *bound) { b.kind = name } }

// bound is a Source with a context and a query.
type bound struct {
	ctx    context.Context //nolint:containedctx // oauth2.TokenSource has none.
	source *tokensource.Source
	query  tokenstore.OAuthToken
	kind   string
}

// Token returns a valid token.
func (b *bound) Token() (*oauth2.Token, error) {
	t, err := b.source.Token(b.ctx, b.query)
	if err != nil && !errors.Is(err, tokensource.ErrNotSaved) {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: b.kind, Expiry: t.Expiry}, nil
}
