// The work of the roles, for tests that their policies allow it, and nothing else.

package adaptertest

import (
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
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
