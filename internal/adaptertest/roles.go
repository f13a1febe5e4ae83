// Tests that the documented policies are sufficient, and not more than necessary.

package adaptertest

import (
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// Role is the store of a principal with one of the roles for which the adapter documents
// a policy.
type Role struct {
	*testing.T
	Store *secretstore.Store
	// Allowed are the permissions of the role, Used those that its calls have needed so
	// far.
	Allowed []string
	Used    func() []string
}

// Must ends the test if err is not nil.
func (r *Role) Must(_ any, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// Check compares the permissions that were needed with those of the role, except some that
// no call needs by itself.
func (r *Role) Check(without ...string) {
	r.Helper()
	want := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(r.Allowed), func(p string) bool { return slices.Contains(without, p) })))
	if got := slices.Sorted(slices.Values(r.Used())); !slices.Equal(got, want) {
		r.Errorf("needed    %s\nthe role  %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

// Save saves the tokens of users.
func (r *Role) Save(users ...string) {
	r.Helper()
	for _, user := range users {
		r.Must(r.Store.SaveToken(r.Context(), Token(user)))
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
