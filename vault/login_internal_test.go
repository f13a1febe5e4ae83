package vault

import (
	"errors"
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

// TestLoginNowhere: a missing namespace is not reported as wrong credentials.
func TestLoginNowhere(t *testing.T) {
	err := loginError(t.Context(), &api.ResponseError{StatusCode: 404, Errors: []string{"namespace not found"}})
	if !errors.Is(err, driver.ErrNoContainer) || errors.Is(err, driver.ErrDenied) {
		t.Errorf("error: %v", err)
	}
}
