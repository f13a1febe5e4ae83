package tokenstore_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// TestPolicyFor: what is asked for reaches the scheme's function, and what is wrong with a URL
// or a role is said without quoting it, before the function is called.
func TestPolicyFor(t *testing.T) {
	open := func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		t.Error("a store was opened")
		return nil, errors.New("opened")
	}
	tokenstore.Register("granting", open)
	tokenstore.Register("plain", open)
	calls := 0
	tokenstore.RegisterPolicy("granting", func(_ context.Context, u *url.URL, r tokenstore.PolicyRequest) (tokenstore.Policy, error) {
		calls++
		return tokenstore.Policy{Text: u.Opaque + " " + string(r.Role) + " " + r.Account}, nil
	})
	for _, role := range tokenstore.Roles() {
		p, err := tokenstore.PolicyFor(t.Context(), "granting:here", tokenstore.PolicyRequest{Role: role, Account: "42"})
		if err != nil || p.Text != "here "+string(role)+" 42" {
			t.Errorf("%q, %v", p.Text, err)
		}
	}
	for _, c := range []struct {
		url, says string
		role      tokenstore.Role
	}{
		{"granting:here", "unknown role", ""},
		{"granting:here", "the roles are reader, writer, operator", "hush"},
		{"plain:here", "the scheme plain", tokenstore.RoleReader},
		{"hush:here", "unknown scheme", tokenstore.RoleReader},
		{"granting://hush:hush@here", "user name or password", tokenstore.RoleReader},
		{"granting://[hush", "not a URL", tokenstore.RoleReader},
	} {
		_, err := tokenstore.PolicyFor(t.Context(), c.url, tokenstore.PolicyRequest{Role: c.role})
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", c.url, err, c.says)
		}
	}
	if calls != len(tokenstore.Roles()) {
		t.Errorf("%d calls", calls)
	}
}
