// Logins, and the session that repeats them when a token expires: a service must
// outlive its first token.

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
)

// LoginAppRole logs in with a role ID and a secret ID. The secret ID is a string, or comes
// from a file or environment variable that is read at each login. Options such as
// approle.WithMountPath are passed on. Invalid arguments, such as an empty role ID, are an
// error.
func LoginAppRole(roleID string, secretID approle.SecretID, options ...approle.LoginOption) (api.AuthMethod, error) {
	method, err := approle.NewAppRoleAuth(roleID, &secretID, options...)
	if err != nil {
		return nil, err
	}
	return methodFunc(method.Login), nil // The client's own type prints its secret ID.
}

// LoginKubernetes logs in with the token of the pod's service account. It is read from its
// usual file at each login, since the cluster replaces it. Options such as
// kubernetes.WithMountPath and kubernetes.WithServiceAccountTokenPath are passed on. An
// empty role and a file that cannot be read are errors.
func LoginKubernetes(role string, options ...kubernetes.LoginOption) (api.AuthMethod, error) {
	if _, err := kubernetes.NewKubernetesAuth(role, options...); err != nil {
		return nil, err
	}
	// The client's own type keeps the token that it reads when it is made.
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
			return nil, fmt.Errorf("%w: the token is empty; check its source", driver.ErrDenied)
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

// lookUpSelf asks Vault about a token, and returns it in the form of a login's result.
func lookUpSelf(ctx context.Context, client *api.Client, token string) (*api.Secret, error) {
	if err := sendable(token); err != nil {
		return nil, err
	}
	limited := ctx
	if limit := client.ClientTimeout(); limit > 0 { // Raw reads ignore it.
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	resp, err := client.WithRequestCallbacks(func(r *api.Request) { r.ClientToken = token }).
		Logical().ReadRawWithDataWithContext(limited, "auth/token/lookup-self", nil)
	r, err := received(ctx, "check the token", http.MethodGet, resp, err)
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
		return nil, unusable("check the token")
	}
	return &api.Secret{Auth: &api.SecretAuth{
		ClientToken:   token,
		LeaseDuration: got.Data.TTL,
		Renewable:     got.Data.Renewable,
	}}, nil
}

// loginError gives a login's error its kind. Vault answers wrong credentials with status
// 400.
func loginError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var reply *api.ResponseError
	if errors.As(err, &reply) {
		if says(err, noNamespace) {
			return classify(ctx, "log in", err)
		}
		f := &failure{op: "log in", cause: withoutURL(reply), kind: kindOf(reply.StatusCode)}
		f.text = statusText(reply.StatusCode)
		if f.kind == nil || errors.Is(f.kind, driver.ErrInvalid) {
			f.kind = driver.ErrDenied
		}
		if errors.Is(f.kind, driver.ErrDenied) {
			f.text = whyRefused(err) + " (" + f.text + ")"
		}
		return f
	}
	var known *failure
	var network *url.Error
	switch {
	case errors.As(err, &known), errors.Is(err, driver.ErrDenied):
		return err
	case errors.As(err, &network), errors.Is(err, errElsewhere), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return classify(ctx, "log in", err)
	}
	return &failure{kind: driver.ErrDenied, op: "log in", text: "the credential cannot be read; check its file or variable", cause: err}
}

// whyRefused says why a login was refused, if Vault says it in words that hold no value, and
// what to check.
func whyRefused(err error) string {
	for _, words := range []string{"service account name not authorized", "namespace not authorized"} {
		if says(err, words) {
			return words + "; check the accounts and namespaces to which the role is bound"
		}
	}
	return "the credential was refused; check it, the role and the login method's path"
}

// Session is a lasting login: it has a token ready for each call, and logs in again
// when the token has expired or is about to. It uses wall clock time, so that a process
// that was frozen for hours (AWS Lambda) notices at its next call. It is safe for
// concurrent use.
type Session struct {
	client *api.Client
	method api.AuthMethod

	turn chan struct{} // held during a login

	mu      sync.Mutex
	secret  *api.Secret // of the last login; nil before the first
	expires time.Time   // zero: never
}

// NewSession returns a session that logs in by method, in the client's namespace. It makes
// no call, and does not change the client. A nil client or method is an error.
func NewSession(client *api.Client, method api.AuthMethod) (*Session, error) {
	if client == nil || method == nil {
		return nil, errors.New("vault: NewSession: client and method must not be nil")
	}
	clone, err := clientClone(client)
	if err != nil {
		return nil, err
	}
	s := &Session{client: clone, method: method, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// Format writes that it is a session, and nothing about its tokens, for every verb.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, sessionText) }

// LogValue returns what Format writes.
func (s *Session) LogValue() slog.Value { return slog.StringValue(sessionText) }

const sessionText = "a session with Vault"

// Token returns a token that has not expired, and logs in if there is none. If the login
// is refused, the error matches driver.ErrDenied.
func (s *Session) Token(ctx context.Context) (string, error) {
	if token, ok := s.current(); ok {
		return token, nil
	}
	if err := s.take(ctx); err != nil {
		return "", err
	}
	defer s.give()
	if token, ok := s.current(); ok { // Another goroutine has logged in.
		return token, nil
	}
	return s.login(ctx)
}

// replace returns a token other than the refused one. If Vault still accepts that one, it
// lacks a permission, which a login cannot fix: then it returns the same token.
func (s *Session) replace(ctx context.Context, refused string) (string, error) {
	if err := s.take(ctx); err != nil {
		return "", err
	}
	defer s.give()
	if token, ok := s.current(); ok && token != refused {
		return token, nil
	}
	if _, err := lookUpSelf(ctx, s.client, refused); !errors.Is(err, driver.ErrDenied) {
		return refused, err
	}
	return s.login(ctx)
}

func (s *Session) take(ctx context.Context) error {
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Session) give() { s.turn <- struct{}{} }

// current returns the token, or false if there is no usable one.
func (s *Session) current() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret == nil || !s.expires.IsZero() && !time.Now().Before(s.expires) {
		return "", false
	}
	return s.secret.Auth.ClientToken, true
}

// login logs in. The caller holds the turn.
func (s *Session) login(ctx context.Context) (string, error) {
	started := time.Now()
	secret, err := s.method.Login(ctx, s.client)
	if err != nil {
		return "", loginError(ctx, err)
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return "", &failure{kind: driver.ErrDenied, op: "log in", text: "the reply has no token; check the login method"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = secret
	s.expires = expiry(started, secret.Auth.LeaseDuration)
	return secret.Auth.ClientToken, nil
}

// maxMargin, or a tenth of the lease if that is less, is how long before its expiry a token
// is no longer used.
const maxMargin = time.Minute

// expiry returns when to replace a token, in wall clock time.
func expiry(from time.Time, seconds int) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	lease := time.Duration(seconds) * time.Second
	// Round removes the monotonic clock, which stops in a frozen process.
	return from.Add(lease - min(lease/10, maxMargin)).Round(0)
}

const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Run renews the session's token, and logs in again where that is not possible, until the
// context ends. It saves long-running services logins, but is optional. Failures are
// retried at growing intervals; until one succeeds, the store's calls report them. It
// returns the context's error.
func (s *Session) Run(ctx context.Context) error {
	wait := firstPause
	for {
		if _, err := s.Token(ctx); err == nil {
			wait = firstPause
			s.renew(ctx)
		}
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, lastPause)
	}
}

// renew watches the current token until it can no longer be renewed.
func (s *Session) renew(ctx context.Context) {
	s.mu.Lock()
	secret := s.secret
	s.mu.Unlock()
	if secret == nil { // Another Run has dropped it.
		return
	}
	if secret.Auth.LeaseDuration <= 0 {
		<-ctx.Done()
		return
	}
	watcher, err := s.client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		return
	}
	go watcher.Start()
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case renewed := <-watcher.RenewCh():
			if renewed.Secret.Auth != nil {
				s.extend(secret, renewed.RenewedAt, renewed.Secret.Auth.LeaseDuration)
			}
		case <-watcher.DoneCh(): //nolint:errcheck // Log in next, whatever ended it.
			s.drop(secret)
			return
		}
	}
}

// extend moves the expiry of a login's token, if it is still the current one.
func (s *Session) extend(of *api.Secret, from time.Time, seconds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret == of {
		s.expires = expiry(from, seconds)
	}
}

// drop makes the next call log in.
func (s *Session) drop(of *api.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret == of {
		s.secret = nil
	}
}
