package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api/auth/approle"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// TestPrinting prints, logs and marshals everything that this package returns, after it
// has met credentials.
func TestPrinting(t *testing.T) {
	m := &memory{}
	_, client := play(t, func(r sent) (int, string) {
		if strings.HasSuffix(r.path, "/lookup-self") {
			return 200, `{"data":{"ttl":3600,"renewable":true}}`
		}
		return m.say(r)
	})
	login := vault.LoginToken(func(context.Context) (string, error) { return "fakecred-token", nil })
	session, err := vault.NewSession(client, login)
	if err != nil {
		t.Fatal(err)
	}
	secrets := secretsOf(t, client, vault.WithSession(session))
	if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"fakecred-data"}`)}); err != nil {
		t.Fatal(err)
	}
	store, err := vault.New(client, vault.WithSession(session))
	if err != nil {
		t.Fatal(err)
	}
	role, err := vault.LoginAppRole("role", approle.SecretID{FromString: "fakecred-secret-id"})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"session": session, "secrets": secrets, "store": store, "AppRole": role, "token": login,
		"option": vault.WithSession(session), "reads": vault.ReadsOwnWrites,
	} {
		var shown bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&shown, verb+"\n", v)
			fmt.Fprintf(&shown, verb+"\n", []any{v})
		}
		slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("x", "v", v)
		if text, err := json.Marshal(v); err == nil {
			shown.Write(text)
		}
		for _, form := range []string{"fakecred", fmt.Sprintf("%x", "fakecred")} {
			if strings.Contains(shown.String(), form) {
				t.Errorf("%s: a credential is in %s", name, shown.String())
			}
		}
	}
}

// TestEnvironment: an invalid environment is an invalid argument, and the error shows
// nothing of an address.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"VAULT_ADDR":           "http://fakecred:fake cred@host",
		"VAULT_AGENT_ADDR":     "http://fakecred:%zz@host",
		"VAULT_PROXY_ADDR":     "http://fakecred:fakecred",
		"VAULT_MAX_RETRIES":    "fakecred",
		"VAULT_SKIP_VERIFY":    "fakecred",
		"VAULT_CLIENT_TIMEOUT": "fakecred",
		"VAULT_RATE_LIMIT":     "fakecred",
		"VAULT_HEADERS":        "fakecred",
		"VAULT_CACERT":         "/no/such/file",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VAULT_TOKEN", "fakecred-token")
			t.Setenv(name, value)
			_, err := tokenstore.Open(t.Context(), "vault://secret")
			if !errors.Is(err, tokenstore.ErrInvalidArgument) || tokenstore.Retryable(err) || strings.Contains(fmt.Sprintf("%v %+v", err, err), "cred") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
