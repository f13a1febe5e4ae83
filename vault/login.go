package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"example.com/tokenstore/driver"
)

// LoginAppRole logs in with a role ID and a secret ID. The secret ID comes from
// a text, a file or an environment variable, which are read at each login.
// Options such as approle.WithMountPath are passed on. What the login cannot be
// made of, such as an empty role ID, is an error.
func LoginAppRole(roleID string, secretID approle.SecretID, options ...approle.LoginOption) (api.AuthMethod, error) {
	return approle.NewAppRoleAuth(roleID, &secretID, options...)
}

// LoginKubernetes logs in with the token of the pod's service account, which
// is read from its usual file at each login: the cluster replaces it. Options
// such as kubernetes.WithMountPath are passed on. An empty role is an error.
func LoginKubernetes(role string, options ...kubernetes.LoginOption) (api.AuthMethod, error) {
	if _, err := kubernetes.NewKubernetesAuth(role, options...); err != nil {
		return nil, err
	}
	// The client's own type keeps the token that it has read when it was made.
	return methodFunc(func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		method, err := kubernetes.NewKubernetesAuth(role, options...)
		if err != nil {
			return nil, err
		}
		return method.Login(ctx, client)
	}), nil
}

// LoginTokenFile takes the token from a file, such as the sink of Vault Agent,
// and reads it again when the token expires or is refused.
func LoginTokenFile(path string) api.AuthMethod {
	return LoginToken(func(context.Context) (string, error) {
		text, err := os.ReadFile(path)
		return strings.TrimSpace(string(text)), err
	})
}

// LoginToken takes the token from a function, which is called again when the
// token expires or is refused.
func LoginToken(token func(context.Context) (string, error)) api.AuthMethod {
	return methodFunc(func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		text, err := token(ctx)
		if err != nil {
			return nil, err
		}
		if text == "" {
			return nil, fmt.Errorf("%w: the token is empty", driver.ErrDenied)
		}
		return lookUpSelf(ctx, client, text)
	})
}

// methodFunc is an api.AuthMethod.
type methodFunc func(context.Context, *api.Client) (*api.Secret, error)

// Login calls f.
func (f methodFunc) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	return f(ctx, client)
}

// lookUpSelf asks Vault about a token, and returns it as a login would.
func lookUpSelf(ctx context.Context, client *api.Client, token string) (*api.Secret, error) {
	limited := ctx
	if limit := client.ClientTimeout(); limit > 0 { // Raw reads do not look at it.
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	resp, err := client.WithRequestCallbacks(func(r *api.Request) { r.ClientToken = token }).
		Logical().ReadRawWithDataWithContext(limited, "auth/token/lookup-self", nil)
	r, err := received(ctx, "look at the token", resp, err)
	if err != nil {
		return nil, err
	}
	var got struct {
		Data struct {
			TTL       int  `json:"ttl"`
			Renewable bool `json:"renewable"`
		} `json:"data"`
	}
	if r.status != http.StatusOK || json.Unmarshal(r.body, &got) != nil {
		return nil, unusable("look at the token")
	}
	return &api.Secret{Auth: &api.SecretAuth{
		ClientToken:   token,
		LeaseDuration: got.Data.TTL,
		Renewable:     got.Data.Renewable,
	}}, nil
}

// loginError gives the error of a login its kind. Vault answers wrong
// credentials with status 400.
func loginError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var reply *api.ResponseError
	if errors.As(err, &reply) {
		f := &failure{op: "log in", cause: reply, kind: kindOf(reply.StatusCode)}
		f.text = statusText(reply.StatusCode)
		if f.kind == nil || errors.Is(f.kind, driver.ErrInvalid) {
			f.kind = driver.ErrDenied
		}
		return f
	}
	var known *failure
	var network *url.Error
	switch {
	case errors.As(err, &known), errors.Is(err, driver.ErrDenied):
		return err
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return classify(ctx, "log in", err)
	}
	return &failure{kind: driver.ErrDenied, op: "log in", text: "the credential cannot be read", cause: err}
}
