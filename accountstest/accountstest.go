// Package accountstest is an accounts server in a process, for tests: the part of an
// OAuth provider that gives out tokens, with the rules and the faults that decide whether
// a program that refreshes tokens keeps them.
//
//	accounts := accountstest.NewServer(accountstest.Config{Kind: accountstest.RevokeFamily})
//	defer accounts.Close()
//	token := accounts.Login(accountstest.User{}) // a token to store
//	... // refresh it at accounts.TokenURL()
//	if uses := accounts.Uses(token.RefreshToken); uses.Redemptions != 1 {
//
// Providers differ most in what they do with a refresh token that was redeemed before;
// [Kind] lists the six ways. [Zoho] returns the configuration of the Zoho CRM accounts
// server, with its limits. [Server.Next] and [Server.Before] plan a fault for a request:
// one that is lost, carried out late, or answered so late that nobody waits any more.
//
// The server also has a login page, for tests with a browser, and a small API that checks
// access tokens. It listens on 127.0.0.1, counts everything, and prints nothing. Its time
// may be a test's own.
//
// Documented behaviour is cited where it is configured. "Seen" marks what others have
// recorded of the real service without finding it documented.
package accountstest

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"
)

// Config sets the server's behaviour. The zero Config is a provider whose refresh tokens
// stay the same, which answers as RFC 6749 says, without limits or faults.
type Config struct {
	// Kind is what happens to a refresh token that is redeemed.
	Kind Kind
	// Reuse is for how long after its first use a refresh token is taken again, by the
	// kinds Overlap, SameAnswer and KillFirst. Later uses revoke the family.
	Reuse time.Duration
	// OnlyPrevious takes a refresh token again only until one of its successors is
	// redeemed; after that a use of it revokes the family. (Auth0, Configure Refresh Token
	// Rotation: within the reuse interval only the previous token can be reused.)
	OnlyPrevious bool
	// UntilUsed takes a refresh token again only until an access token that it gave is used
	// for a call, or one of its successors is redeemed; after that it is refused. (Airlock
	// IAM 7.7, Grace period for single-use refresh tokens: as long as the previously issued
	// new tokens have not been used. Seen of RingCentral and Doorkeeper.)
	UntilUsed bool
	// EndsAccess makes each redemption end the family's earlier access tokens. (GitHub,
	// Refreshing user access tokens: once a refresh token is used, it and the old user access
	// token no longer work. RingCentral and GitLab document the same.)
	EndsAccess bool
	// Life is the life of an access token, an hour if it is 0. A reply says it in whole
	// seconds.
	Life time.Duration
	// GrantLife is the life of an authorization code, three minutes if it is 0. (Zoho CRM
	// v8, Token Validity.)
	GrantLife time.Duration
	// Form is the form of replies.
	Form Form
	// Throttles is the form of the refusals of Limits.
	Throttles Throttle
	// Limits are the provider's limits.
	Limits Limits
	// ClientID and ClientSecret are those of the one client, "client" and "secret" if empty.
	ClientID, ClientSecret string
	// RedirectURL is where logins return to. If it is empty, any URL is.
	RedirectURL string
	// Users are those that can log in. If there are none, there is one.
	Users []User
	// Location, AccountsServer and APIDomain are what redirects and replies in Zoho's form
	// say of the data centre: "us" and the server's own URL if they are empty. With the
	// hosts of a real data centre, send requests with [Server.Client].
	Location, AccountsServer, APIDomain string

	// Latency is how long each request waits before it is carried out. It is carried out
	// although its sender may have given up meanwhile.
	Latency time.Duration
	// LoseRequests is the share of token requests, 0 to 1, that never arrive.
	LoseRequests float64
	// LoseReplies is the share that is carried out and whose reply is lost.
	LoseReplies float64
	// LateRequests is the share whose sender gets no reply and that is carried out at a
	// random time within LateBy.
	LateRequests float64
	LateBy       time.Duration
	// Seed makes the choice of these requests repeatable.
	Seed uint64

	// Now and Sleep are the server's time. If they are nil, it is the real one.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
}

// User is somebody who can log in.
type User struct {
	// Email and Name are the user's own; Org is the number of the user's organisation.
	Email, Name, Org string
}

// UserName returns the name under which the Zoho SDKs store the user's token: the address
// and the organisation with a colon in between.
func (u User) UserName() string { return u.Email + ":" + u.Org }

// Zoho returns the configuration of the accounts server of Zoho CRM: its form of replies,
// its limits, and refresh tokens that stay the same (Zoho CRM v8, Refresh Access Tokens:
// the reply to a refresh has no refresh token).
func Zoho() Config {
	return Config{
		Kind: Keep, Form: ZohoForm, Throttles: Zoho200,
		Limits: Limits{
			Refreshes: 10, LiveAccess: 15, RefreshTokens: 20, NewRefreshTokens: 10, Grants: 10, Window: 10 * time.Minute,
		},
	}
}

// Server is an accounts server. It is safe for concurrent use.
type Server struct {
	// URL is the server's base URL, without a slash at its end.
	URL string

	config Config
	http   *httptest.Server
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	random *rand.Rand
	state
	plan   func(Request) Fault
	after  func(Request)
	faults []Fault
}

// NewServer starts a server on a free port of 127.0.0.1. Close it at the end.
func NewServer(config Config) *Server {
	config.setDefaults()
	s := &Server{
		config: config, closed: make(chan struct{}), random: rand.New(rand.NewPCG(config.Seed, 1)),
		state: newState(),
	}
	if s.config.Now == nil {
		s.config.Now = time.Now
	}
	if s.config.Sleep == nil {
		s.config.Sleep = s.sleep
	}
	s.http = httptest.NewServer(s.routes())
	s.URL = s.http.URL
	s.config.AccountsServer = cmp.Or(config.AccountsServer, s.URL)
	s.config.APIDomain = cmp.Or(config.APIDomain, s.URL)
	return s
}

// Client returns a client whose requests all come to this server, whatever their hosts, for
// code that knows the hosts of a provider. None leaves this machine.
func (s *Server) Client() *http.Client { return &http.Client{Transport: toServer{s}} }

// toServer sends requests to a server.
type toServer struct{ server *Server }

func (t toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	there, err := url.Parse(t.server.URL)
	if err != nil {
		return nil, err
	}
	own := r.Clone(r.Context())
	own.URL.Scheme, own.URL.Host = there.Scheme, there.Host
	if own.Host == "" {
		own.Host = r.URL.Host
	}
	response, err := t.server.http.Client().Transport.RoundTrip(own)
	if err == nil {
		response.Request = r
	}
	return response, err
}

func (c *Config) setDefaults() {
	if c.Life == 0 {
		c.Life = time.Hour
	}
	if c.GrantLife == 0 {
		c.GrantLife = 3 * time.Minute
	}
	if c.Location == "" {
		c.Location = "us"
	}
	if c.ClientID == "" {
		c.ClientID = "client"
	}
	if c.ClientSecret == "" {
		c.ClientSecret = "secret"
	}
	if c.Limits.Window == 0 {
		c.Limits.Window = 10 * time.Minute
	}
	if len(c.Users) == 0 {
		c.Users = []User{{Email: "user@example.com", Name: "A User", Org: "60000000001"}}
	}
}

// Close stops the server. Requests that are waiting are carried out at once.
func (s *Server) Close() {
	s.once.Do(func() { close(s.closed) })
	s.http.Close()
}

// TokenURL is where tokens are redeemed. The paths of the endpoints are those of Zoho.
func (s *Server) TokenURL() string { return s.URL + tokenPath }

// AuthURL is where a browser logs in.
func (s *Server) AuthURL() string { return s.URL + authPath }

// RevokeURL is where a token is revoked.
func (s *Server) RevokeURL() string { return s.URL + tokenPath + "/revoke" }

// ClientID is the ID of the server's client.
func (s *Server) ClientID() string { return s.config.ClientID }

// ClientSecret is the secret of the server's client.
func (s *Server) ClientSecret() string { return s.config.ClientSecret }

const (
	tokenPath = "/oauth/v2/token"
	authPath  = "/oauth/v2/auth"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tokenPath, s.serveToken)
	mux.HandleFunc("POST "+tokenPath+"/revoke", s.serveRevoke)
	mux.HandleFunc("GET "+authPath, s.serveLogin)
	mux.HandleFunc("POST "+authPath, s.serveConsent)
	mux.HandleFunc("GET /crm/{version}/users", s.authorized("ZohoCRM.users.READ", s.serveUsers))
	mux.HandleFunc("GET /crm/{version}/org", s.authorized("ZohoCRM.org.READ", s.serveOrg))
	mux.HandleFunc("/api/", s.authorized("", s.serveAPI))
	return mux
}

// sleep waits in real time, and no longer than the server runs.
func (s *Server) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
