// The token endpoint: forms of replies, codes, faults and time.

package accountstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/driver/drivertest"
)

// server is a Server with what tests do to it.
type server struct{ *accountstest.Server }

// start starts a server with a clock that the test moves.
func start(t *testing.T, config accountstest.Config) (server, *drivertest.Clock) {
	t.Helper()
	clock := drivertest.NewClock()
	config.Now, config.Sleep = clock.Now, clock.Sleep
	s := accountstest.NewServer(config)
	t.Cleanup(s.Close)
	return server{s}, clock
}

// reply is what a token request gave.
type reply struct {
	status                 int
	access, refresh, err   string
	description, retry, zd string
	expires                int64
}

func (s server) post(t *testing.T, form url.Values) reply {
	t.Helper()
	r, err := s.try(t.Context(), form)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s server) try(ctx context.Context, form url.Values) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(req)
}

func send(req *http.Request) (reply, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		Access      string `json:"access_token"`
		Refresh     string `json:"refresh_token"`
		Expires     int64  `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Domain      string `json:"api_domain"`
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &body); err != nil {
			return reply{}, err
		}
	}
	return reply{
		resp.StatusCode, body.Access, body.Refresh, body.Error, body.Description,
		resp.Header.Get("Retry-After"), body.Domain, body.Expires,
	}, nil
}

// client are the parameters of the server's client.
func (s server) client(extra ...string) url.Values {
	form := url.Values{"client_id": {s.ClientID()}, "client_secret": {s.ClientSecret()}}
	for i := 0; i < len(extra); i += 2 {
		form.Set(extra[i], extra[i+1])
	}
	return form
}

func (s server) refresh(t *testing.T, token string) reply {
	t.Helper()
	return s.post(t, s.client("grant_type", "refresh_token", "refresh_token", token))
}

func (s server) exchange(t *testing.T, token tokenstore.OAuthToken) reply {
	t.Helper()
	return s.post(t, s.client("grant_type", "authorization_code", "code", token.GrantToken))
}

// call calls the API with an Authorization header, and returns the status.
func (s server) call(t *testing.T, authorization string) int {
	t.Helper()
	status, _ := s.get(t, "/api/records", authorization)
	return status
}

func (s server) get(t *testing.T, path, authorization string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestForms: refusals in both forms, throttles in all three.
func TestForms(t *testing.T) {
	zoho := func(throttle accountstest.Throttle) accountstest.Config {
		return accountstest.Config{Form: accountstest.ZohoForm, Throttles: throttle}
	}
	const description = "You have made too many requests continuously. Please try again after some time."
	for name, c := range map[string]struct {
		config               accountstest.Config
		unknown, client, too reply
	}{
		"RFC6749": {
			accountstest.Config{},
			reply{status: 400, err: "invalid_grant"}, reply{status: 401, err: "invalid_client"},
			reply{status: 429, err: "temporarily_unavailable", retry: "90"},
		},
		"Zoho200": {
			zoho(accountstest.Zoho200),
			reply{status: 200, err: "invalid_code"}, reply{status: 200, err: "invalid_client"},
			reply{status: 200, err: "Access Denied"},
		},
		"Zoho400": {
			zoho(accountstest.Zoho400),
			reply{status: 200, err: "invalid_code"}, reply{status: 200, err: "invalid_client"},
			reply{status: 400, err: "Access Denied", description: description},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t, c.config)
			token := s.Login(accountstest.User{})
			if got := s.refresh(t, "unknown"); got != c.unknown {
				t.Errorf("an unknown refresh token: %+v, want %+v", got, c.unknown)
			}
			form := s.client("grant_type", "refresh_token", "refresh_token", token.RefreshToken, "client_secret", "wrong")
			if got := s.post(t, form); got != c.client {
				t.Errorf("a wrong secret: %+v, want %+v", got, c.client)
			}
			s.Next(accountstest.Fault{Throttle: true, RetryAfter: 90 * time.Second})
			if got := s.refresh(t, token.RefreshToken); got != c.too {
				t.Errorf("a throttle: %+v, want %+v", got, c.too)
			}
			got := s.refresh(t, token.RefreshToken)
			if got.access == "" || got.expires != 3600 || got.status != 200 {
				t.Errorf("a redemption: status %d, expires in %d", got.status, got.expires)
			}
			if want := token.APIDomain; got.zd != want || (want != "") != (c.config.Form == accountstest.ZohoForm) {
				t.Errorf("api_domain is %q, want %q", got.zd, want)
			}
			if uses := s.Uses(token.RefreshToken); uses.Redemptions != 1 {
				t.Errorf("refusals have redeemed the refresh token: %+v", uses)
			}
		})
	}
}

// TestRequestForms: client authentication by header, as RFC 6749 2.3.1 has it, and the
// encodings that SDKs use.
func TestRequestForms(t *testing.T) {
	s, _ := start(t, accountstest.Config{ClientID: "a:client", ClientSecret: "a secret+"})
	token := s.Login(accountstest.User{})
	form := s.client("grant_type", "refresh_token", "refresh_token", token.RefreshToken)

	request := func(target string, body io.Reader, kind string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, body)
		if err != nil {
			t.Fatal(err)
		}
		if kind != "" {
			req.Header.Set("Content-Type", kind)
		}
		return req
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name, values := range form {
		if err := parts.WriteField(name, values[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	rest := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}}
	header := request(s.TokenURL(), strings.NewReader(rest.Encode()), "application/x-www-form-urlencoded")
	header.SetBasicAuth(url.QueryEscape(s.ClientID()), url.QueryEscape(s.ClientSecret()))
	wrong := header.Clone(t.Context())
	wrong.Body = io.NopCloser(strings.NewReader(rest.Encode()))
	wrong.SetBasicAuth(url.QueryEscape(s.ClientID()), "wrong")
	for name, c := range map[string]struct {
		req  *http.Request
		want int
	}{
		"header":       {header, 200},
		"wrong header": {wrong, 401},
		"multipart":    {request(s.TokenURL(), &body, parts.FormDataContentType()), 200},
		"URL":          {request(s.TokenURL()+"?"+form.Encode(), nil, ""), 200},
	} {
		got, err := send(c.req)
		if err != nil || got.status != c.want || (got.access != "") != (c.want == 200) {
			t.Errorf("%s: status %d, %q, %v; want %d", name, got.status, got.err, err, c.want)
		}
	}
	if got := s.post(t, s.client("grant_type", "password")); got.err != "unsupported_grant_type" {
		t.Errorf("an unknown grant type: %+v", got)
	}
}

// TestCodes: a code is for one use and three minutes, and a second use revokes what the
// first gave where the kind revokes (RFC 6749 4.1.2).
func TestCodes(t *testing.T) {
	for _, kind := range accountstest.Kinds() {
		s, clock := start(t, accountstest.Config{Kind: kind})
		token := s.Grant(accountstest.User{})
		first := s.exchange(t, token)
		if first.access == "" || first.refresh == "" {
			t.Fatalf("%s: the exchange is refused: %+v", kind, first)
		}
		if second := s.exchange(t, token); second.err != "invalid_grant" {
			t.Errorf("%s: the second exchange gives %+v", kind, second)
		}
		if got, want := s.Alive(first.access), kind != accountstest.RevokeFamily; got != want {
			t.Errorf("%s: after it the access token is alive: %v, want %v", kind, got, want)
		}
		late := s.Grant(accountstest.User{})
		clock.Advance(3 * time.Minute)
		if got := s.exchange(t, late); got.err != "invalid_grant" {
			t.Errorf("%s: a code of three minutes ago gives %+v", kind, got)
		}
		if got := s.Counts(); got.Exchanges != 1 || got.SecondUses != 1 {
			t.Errorf("%s: counts are %+v", kind, got)
		}
	}
}

// TestFaults: what arrives and what is answered, for each fault.
func TestFaults(t *testing.T) {
	lost := func(t *testing.T, s server, token string) {
		t.Helper()
		if got, err := s.try(t.Context(), s.client("grant_type", "refresh_token", "refresh_token", token)); err == nil {
			t.Fatalf("there is a reply: %+v", got)
		}
	}
	t.Run("lost request", func(t *testing.T) {
		s, _ := start(t, accountstest.Config{Kind: accountstest.RevokeFamily})
		token := s.Login(accountstest.User{})
		s.Next(accountstest.Fault{LoseRequest: true})
		lost(t, s, token.RefreshToken)
		if got := s.Uses(token.RefreshToken).Requests; got != 0 {
			t.Errorf("it was carried out %d times", got)
		}
		if s.refresh(t, token.RefreshToken).access == "" {
			t.Error("the next is refused")
		}
		if got := s.Counts().LostRequests; got != 1 {
			t.Errorf("%d lost", got)
		}
	})
	t.Run("lost reply", func(t *testing.T) {
		s, _ := start(t, accountstest.Config{Kind: accountstest.RevokeFamily})
		token := s.Login(accountstest.User{})
		s.Next(accountstest.Fault{LoseReply: true})
		lost(t, s, token.RefreshToken)
		if got := s.Uses(token.RefreshToken).Redemptions; got != 1 {
			t.Errorf("it was redeemed %d times, want 1", got)
		}
		if !s.Requests()[0].ReplyLost || s.Counts().LostReplies != 1 {
			t.Error("the lost reply is not recorded")
		}
		if s.refresh(t, token.RefreshToken).access != "" || s.Counts().FamiliesRevoked != 1 {
			t.Error("the second use does not count as one")
		}
	})
	t.Run("late request", func(t *testing.T) {
		s, clock := start(t, accountstest.Config{Kind: accountstest.RevokeFamily})
		token := s.Login(accountstest.User{})
		s.Next(accountstest.Fault{Late: time.Minute})
		lost(t, s, token.RefreshToken)
		clock.Advance(time.Minute - 1)
		if got := s.Uses(token.RefreshToken).Requests; got != 0 {
			t.Error("it has arrived too early")
		}
		next := s.refresh(t, token.RefreshToken) // In the meantime another redeems it.
		if next.access == "" {
			t.Fatal("it is refused before the late request")
		}
		clock.Advance(1)
		if s.Alive(next.access) || s.Counts().FamiliesRevoked != 1 {
			t.Error("the late request has not revoked the family")
		}
		if r := s.Requests()[1]; !r.Late || !r.ReplyLost || !r.Second || r.Number != 1 || r.Outcome != accountstest.FamilyRevoked {
			t.Errorf("it is recorded as %+v", r)
		}
	})
	t.Run("delivered", func(t *testing.T) {
		s, _ := start(t, accountstest.Config{})
		token := s.Login(accountstest.User{})
		s.Next(accountstest.Fault{Late: time.Hour}, accountstest.Fault{Late: time.Minute})
		lost(t, s, token.RefreshToken)
		lost(t, s, token.RefreshToken)
		if n := s.Deliver(); n != 2 {
			t.Errorf("%d delivered, want 2", n)
		}
		if r := s.Requests(); len(r) != 2 || r[0].Number != 2 || s.Uses(token.RefreshToken).Redemptions != 2 {
			t.Errorf("requests are %+v", r)
		}
	})
	t.Run("errors", func(t *testing.T) {
		s, _ := start(t, accountstest.Config{})
		token := s.Login(accountstest.User{})
		s.Next(accountstest.Fault{Status: 503, RetryAfter: time.Minute}, accountstest.Fault{Error: "invalid_client", Status: 401}, accountstest.Fault{Error: "server_error"})
		for _, want := range []reply{{status: 503, retry: "60"}, {status: 401, err: "invalid_client"}, {status: 400, err: "server_error"}} {
			if got := s.refresh(t, token.RefreshToken); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if got := s.Counts(); got.Planned != 3 || got.Redemptions != 0 {
			t.Errorf("counts are %+v", got)
		}
	})
	t.Run("latency", func(t *testing.T) {
		s, clock := start(t, accountstest.Config{Latency: time.Second})
		token := s.Login(accountstest.User{})
		begin := clock.Now()
		s.Next(accountstest.Fault{Latency: time.Minute, ReplyLatency: time.Hour})
		s.refresh(t, token.RefreshToken)
		if got := s.Requests()[0].At.Sub(begin); got != time.Minute+time.Second {
			t.Errorf("it was carried out after %s", got)
		}
		if got := clock.Now().Sub(begin); got != time.Hour+time.Minute+time.Second {
			t.Errorf("it was answered after %s", got)
		}
	})
}

// TestGivenUp: a request whose sender gives up is carried out all the same.
func TestGivenUp(t *testing.T) {
	s := accountstest.NewServer(accountstest.Config{Kind: accountstest.Refuse})
	t.Cleanup(s.Close)
	token := s.Login(accountstest.User{})
	arrived := make(chan struct{})
	s.Before(func(accountstest.Request) accountstest.Fault {
		close(arrived)
		return accountstest.Fault{Latency: 50 * time.Millisecond}
	})
	done := make(chan accountstest.Request, 1)
	s.After(func(r accountstest.Request) { done <- r })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	me := server{s}
	if _, err := me.try(ctx, me.client("grant_type", "refresh_token", "refresh_token", token.RefreshToken)); !errors.Is(err, context.Canceled) {
		t.Fatalf("the request ends with %v", err)
	}
	select {
	case r := <-done:
		if r.Outcome != accountstest.Redeemed {
			t.Errorf("it is %+v", r)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it was not carried out")
	}
}

// TestBeforeAndAfter: the hooks see who asks for what, and After comes before the reply.
func TestBeforeAndAfter(t *testing.T) {
	s, _ := start(t, accountstest.Config{Kind: accountstest.Refuse})
	token := s.Login(accountstest.User{})
	var mu sync.Mutex
	var before, after []accountstest.Request
	s.Before(func(r accountstest.Request) accountstest.Fault {
		mu.Lock()
		defer mu.Unlock()
		before = append(before, r)
		return accountstest.Fault{LoseReply: r.Number == 1}
	})
	s.After(func(r accountstest.Request) {
		mu.Lock()
		defer mu.Unlock()
		after = append(after, r)
		if s.Uses(token.RefreshToken).Redemptions != 1 { // It may ask the server.
			t.Error("After is called before the redemption")
		}
	})
	if _, err := s.try(t.Context(), s.client("grant_type", "refresh_token", "refresh_token", token.RefreshToken)); err == nil {
		t.Error("the fault of Before is not used")
	}
	s.refresh(t, token.RefreshToken)
	mu.Lock()
	defer mu.Unlock()
	if len(before) != 2 || len(after) != 2 || before[0].Second || !before[1].Second || before[0].Outcome != "" || after[0].Outcome != accountstest.Redeemed || !after[0].ReplyLost {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if before[0].Agent == "" || before[0].GrantType != "refresh_token" {
		t.Errorf("the request is not described: %+v", before[0])
	}
}

// TestChance: the shares are kept, and the same seed gives the same run.
func TestChance(t *testing.T) {
	run := func(seed uint64) (accountstest.Counts, []accountstest.Request) {
		s, _ := start(t, accountstest.Config{LoseRequests: .1, LoseReplies: .2, LateRequests: .1, LateBy: time.Minute, Seed: seed})
		token := s.Login(accountstest.User{})
		for range 200 {
			_, _ = s.try(t.Context(), s.client("grant_type", "refresh_token", "refresh_token", token.RefreshToken))
		}
		s.Deliver()
		return s.Counts(), s.Requests()
	}
	counts, requests := run(1)
	if counts.LostRequests < 5 || counts.LostReplies < 20 || counts.LateRequests < 5 || counts.LostRequests > 40 || counts.LostReplies > 70 {
		t.Errorf("of 200 requests: %+v", counts)
	}
	if again, _ := run(1); again != counts {
		t.Errorf("the same seed gives %+v, then %+v", counts, again)
	}
	if len(requests) != 200-counts.LostRequests {
		t.Errorf("%d requests were carried out, %d lost", len(requests), counts.LostRequests)
	}
}

// TestConcurrent: of many that redeem one refresh token at once, one does.
func TestConcurrent(t *testing.T) {
	s, _ := start(t, accountstest.Config{Kind: accountstest.Refuse})
	token := s.Login(accountstest.User{})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := s.try(t.Context(), s.client("grant_type", "refresh_token", "refresh_token", token.RefreshToken)); err != nil {
				t.Error(err)
			}
			s.Counts()
			s.Alive(token.AccessToken)
		})
	}
	wg.Wait()
	if got, want := s.Uses(token.RefreshToken), (accountstest.Uses{Requests: 32, Redemptions: 1, Second: 31}); got != want {
		t.Errorf("uses are %+v, want %+v", got, want)
	}
}

// TestPrintsNoCredential: what a test may print of the server's records holds none.
func TestPrintsNoCredential(t *testing.T) {
	s, _ := start(t, accountstest.Zoho())
	token := s.Login(accountstest.User{})
	reply := s.refresh(t, token.RefreshToken)
	text := fmt.Sprintf("%+v %#v %v %+v", s.Requests(), s.Counts(), token, s.Uses(token.RefreshToken))
	for _, secret := range []string{token.AccessToken, token.RefreshToken, reply.access} {
		if strings.Contains(text, secret) {
			t.Errorf("a credential is printed: %s", text)
		}
	}
}
