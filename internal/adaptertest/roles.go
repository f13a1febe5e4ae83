// The work of the roles, for tests that their policies allow it, and nothing else.

package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

// Role is the store of a principal with the policy of a role.
type Role struct {
	*testing.T
	Store *secretstore.Store
}

// Must ends the test if err is not nil.
func (r *Role) Must(_ any, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// Save saves the tokens of users.
func (r *Role) Save(users ...string) {
	r.Helper()
	for _, user := range users {
		r.Must(r.Store.SaveToken(r.Context(), Token(user)))
	}
}

// Swaps sets the note of a user's token.
func (r *Role) Swaps(user string) {
	r.Helper()
	row, err := r.Store.FindNoted(r.Context(), tokenstore.OAuthToken{UserName: user})
	r.Must(row, err)
	if _, swapped, err := r.Store.SwapToken(r.Context(), row, row.OAuthToken, "a note"); err != nil || !swapped {
		r.Fatal(swapped, err)
	}
}

// Uses gets a user's access token from a token source, which must not have to redeem anything,
// and then, if it may, has it redeem the token.
func (r *Role) Uses(user string, redeems bool) {
	r.Helper()
	provider := &provider{}
	source, err := tokensource.New(r.Store, provider, tokensource.WithForeground())
	r.Must(source, err)
	token, err := source.Token(r.Context(), tokenstore.OAuthToken{UserName: user})
	r.Must(token, err)
	if provider.redeemed > 0 {
		r.Error("a good token was redeemed")
	}
	if redeems {
		r.Must(source.Renew(r.Context(), token))
	}
	r.Must(nil, source.Close(r.Context()))
}

// provider gives every token a new access token.
type provider struct{ redeemed int }

// Redeem returns an access token that is good for an hour.
func (p *provider) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	p.redeemed++
	return tokenstore.OAuthToken{AccessToken: fmt.Sprint("1000.access.redeemed-", p.redeemed), Expiry: time.Now().Add(time.Hour)}, nil
}

// Remove deletes the token of a user.
func (r *Role) Remove(user string) {
	r.Helper()
	found, err := r.Store.FindToken(r.Context(), tokenstore.OAuthToken{UserName: user})
	r.Must(found, err)
	r.Must(nil, r.Store.DeleteToken(r.Context(), found.ID))
}

// Reads finds by every kind of key, and lists a number of tokens.
func (r *Role) Reads(user, refresh, access string, tokens int) {
	r.Helper()
	r.Must(r.Store.FindToken(r.Context(), tokenstore.OAuthToken{UserName: user}))
	byRefresh := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: refresh}
	r.Must(r.Store.FindToken(r.Context(), byRefresh))
	r.Must(r.Store.FindToken(r.Context(), tokenstore.OAuthToken{AccessToken: access}))
	all, err := r.Store.GetTokens(r.Context())
	r.Must(all, err)
	if len(all) != tokens {
		r.Errorf("the role lists %d tokens instead of %d", len(all), tokens)
	}
}

// Diagnosed checks what a diagnosis finds for a role: exactly these codes, besides notes.
func Diagnosed(t *testing.T, store *secretstore.Store, role tokenstore.Role, codes ...string) {
	t.Helper()
	findings, err := store.Diagnose(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		if f.Severity != tokenstore.SeverityNote {
			got = append(got, f.Code)
		}
	}
	if !slices.Equal(got, codes) {
		t.Errorf("for a %s: %+v, want %v", role, findings, codes)
	}
}

// DiagnosedByRoles checks the diagnoses of stores that each have the policy of a role: each finds
// that it may do what it is for, and one for a greater role says what is missing. Pass lets the
// time pass in which a service refills the quota of one secret.
func DiagnosedByRoles(t *testing.T, stores map[tokenstore.Role]*secretstore.Store, pass func(time.Duration)) {
	t.Helper()
	if _, err := stores[tokenstore.RoleWriter].SaveToken(t.Context(), Token("ada")); err != nil {
		t.Fatal(err)
	}
	for role, store := range stores {
		pass(time.Minute)
		Diagnosed(t, store, role)
	}
	Diagnosed(t, stores[tokenstore.RoleReader], tokenstore.RoleWriter, "denied-create")
	Diagnosed(t, stores[tokenstore.RoleReader], tokenstore.RoleOperator, "check-failed")
	Diagnosed(t, stores[tokenstore.RoleWriter], tokenstore.RoleOperator, "check-failed")
}

// NoPolicy checks that there is no policy of these URLs for these accounts.
func NoPolicy(t *testing.T, accounts map[string]string) {
	t.Helper()
	for url, account := range accounts {
		if _, err := tokenstore.PolicyFor(t.Context(), url, tokenstore.PolicyRequest{Role: tokenstore.RoleReader, Account: account}); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
