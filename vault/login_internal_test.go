package vault

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// TestRenewNothing: a session whose token another Run has dropped has nothing to renew and
// goes on to the next login.
func TestRenewNothing(t *testing.T) {
	(&Session{}).renew(t.Context())
}

// TestLoginErrors: Vault's answer to wrong credentials, status 400, is a denial, unlike in
// other calls.
func TestLoginErrors(t *testing.T) {
	for status, want := range map[int]error{400: driver.ErrDenied, 405: driver.ErrDenied, 403: driver.ErrDenied, 429: driver.ErrThrottled, 473: driver.ErrUnavailable, 503: driver.ErrUnavailable} {
		if err := loginError(t.Context(), &api.ResponseError{StatusCode: status}); !errors.Is(tokenstore.Kind(err), want) || errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestLoginRefusals: of Vault's words, only those without a value are repeated.
func TestLoginRefusals(t *testing.T) {
	for said, want := range map[string]string{
		"service account name not authorized":    "log in: service account name not authorized; check the accounts and namespaces to which the role is bound (status 403 Forbidden)",
		"namespace not authorized":               "log in: namespace not authorized; check the accounts and namespaces to which the role is bound (status 403 Forbidden)",
		"fake-secret-id is not a valid secret":   "log in: the credential was refused; check it, the role and the login method's path (status 403 Forbidden)",
		"invalid role name \"fake-secret-role\"": "log in: the credential was refused; check it, the role and the login method's path (status 403 Forbidden)",
	} {
		err := loginError(t.Context(), &api.ResponseError{StatusCode: 403, Errors: []string{said}})
		if !errors.Is(err, driver.ErrDenied) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// TestLoginNowhere: a missing namespace is not reported as wrong credentials.
func TestLoginNowhere(t *testing.T) {
	err := loginError(t.Context(), &api.ResponseError{StatusCode: 404, Errors: []string{"namespace not found"}})
	if !errors.Is(err, driver.ErrNoContainer) || errors.Is(err, driver.ErrDenied) {
		t.Errorf("error: %v", err)
	}
}
