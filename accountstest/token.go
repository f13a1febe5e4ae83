// The token endpoint: who asks, what is planned for the request, and the form of the reply.

package accountstest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Form is the form of a provider's replies.
type Form int

const (
	// RFC6749 is the standard's: 400 with {"error": "invalid_grant"}, 401 with
	// invalid_client. (RFC 6749, section 5.2.)
	RFC6749 Form = iota
	// ZohoForm answers errors with status 200 and Zoho's own codes, {"error":
	// "invalid_code"}, and says the api_domain. It gives a refresh token only to logins
	// with access_type=offline, to a user's second login only with prompt=consent too.
	// (Seen of the status: asciisd/zoho#6 and #18. Of the refresh token: Zoho CRM v8,
	// Authorization Request; seen in schmorrison/Zoho#43.)
	ZohoForm
)

// Throttle is the form in which a provider refuses a request that comes too early.
type Throttle int

const (
	// Standard429 is status 429 with Retry-After. (RFC 6585, section 4.)
	Standard429 Throttle = iota
	// Zoho200 is status 200 with the error "Access Denied". (Kaizen #43: the status code
	// remains 200, however the message says "Access Denied".)
	Zoho200
	// Zoho400 is status 400 with the error "Access Denied" and a description. (Zoho Accounts,
	// OAuth token limits, shows the body; the status was seen in public logs.)
	Zoho400
)

// tokenForm is what a token request asks for, and who asks.
type tokenForm struct {
	grantType, id, secret, code, redirect, verifier, refresh string
	basic                                                    bool
}

// readForm reads a request's parameters: from its body, as a form or multipart as some of
// Zoho's SDKs send it, or from its URL, as Zoho's pages show it.
func readForm(r *http.Request) (tokenForm, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, 1<<20)
	// #nosec G120 -- The body is limited.
	if err := r.ParseMultipartForm(1 << 16); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return tokenForm{}, err
	}
	f := tokenForm{
		grantType: r.Form.Get("grant_type"), id: r.Form.Get("client_id"), secret: r.Form.Get("client_secret"),
		code: r.Form.Get("code"), redirect: r.Form.Get("redirect_uri"), verifier: r.Form.Get("code_verifier"),
		refresh: r.Form.Get("refresh_token"),
	}
	if id, secret, ok := r.BasicAuth(); ok { // RFC 6749, section 2.3.1: form-encoded first.
		f.basic = true
		if f.id, ok = unescape(id); ok {
			f.secret, _ = unescape(secret)
		}
	}
	return f, nil
}

func unescape(s string) (string, bool) {
	plain, err := url.QueryUnescape(s)
	return plain, err == nil
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(r)
	if err != nil {
		s.writeError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	request, fault := s.arrive(form, r.UserAgent())
	// The request is carried out although its sender may give up.
	ctx := context.WithoutCancel(r.Context())
	s.wait(ctx, s.config.Latency+fault.Latency)
	switch {
	case fault.LoseRequest:
		s.lose(w, &s.counts.LostRequests)
		return
	case fault.Late > 0:
		s.postpone(form, request, fault.Late)
		s.lose(w, &s.counts.LateRequests)
		return
	}
	given, request, after := s.carryOut(form, request, fault)
	if after != nil {
		after(request)
	}
	s.wait(ctx, fault.ReplyLatency)
	if fault.LoseReply {
		s.lose(w, &s.counts.LostReplies)
		return
	}
	s.reply(w, given, fault, form.basic)
}

// arrive numbers a request, and returns what is planned for it.
func (s *Server) arrive(form tokenForm, agent string) (Request, Fault) {
	s.mu.Lock()
	s.settle()
	s.counts.Requests++
	request := Request{Number: s.counts.Requests, GrantType: form.grantType, Agent: agent}
	s.describe(&request, form)
	var fault Fault
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	} else {
		fault = s.chance()
	}
	plan := s.plan
	s.mu.Unlock()
	if plan != nil && fault == (Fault{}) {
		fault = plan(request)
	}
	return request, fault
}

// describe says which token a request presents.
func (s *Server) describe(request *Request, form tokenForm) {
	if r := s.refreshes[form.refresh]; r != nil {
		request.Family, request.Generation, request.Second = r.family.number, r.generation, r.spent
	} else if g := s.grants[form.code]; g != nil && g.family != nil {
		request.Family, request.Second = g.family.number, true
	}
}

// carryOut does what a request asks for.
func (s *Server) carryOut(form tokenForm, request Request, fault Fault) (answer, Request, func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.describe(&request, form) // Another may have redeemed it meanwhile.
	given := s.decide(form, fault, now)
	request.At, request.Outcome, request.ReplyLost = now, given.outcome, fault.LoseReply
	if given.access != nil {
		request.Family = given.access.family.number
	}
	s.requests = append(s.requests, request)
	return given, request, s.after
}

func (s *Server) decide(form tokenForm, fault Fault, now time.Time) answer {
	r := s.refreshes[form.refresh]
	if r != nil {
		r.uses.Requests++
	}
	switch {
	case fault.Status != 0 || fault.Error != "":
		s.counts.Planned++
		return answer{outcome: Planned}
	case fault.Throttle:
		s.counts.Throttled++
		return answer{outcome: Throttled, until: now.Add(cmp.Or(fault.RetryAfter, s.config.Limits.Window))}
	case !same(form.id, s.config.ClientID) || !same(form.secret, s.config.ClientSecret):
		s.counts.WrongClient++
		return answer{outcome: WrongClient}
	}
	given := answer{outcome: Unsupported}
	switch form.grantType {
	case "refresh_token":
		if given.outcome = Refused; r != nil {
			given = s.redeem(r, now)
		}
	case "authorization_code":
		given.outcome = Refused
		if g := s.grants[form.code]; g != nil && g.redirect == form.redirect && g.verifies(form.verifier) {
			given = s.exchange(g, now)
		}
	}
	switch given.outcome {
	case Refused, FamilyRevoked:
		s.counts.Refused++
	case Throttled:
		s.counts.Throttled++
	}
	return given
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// verifies checks the proof of possession of a code. (RFC 7636, section 4.6.)
func (g *grant) verifies(verifier string) bool {
	if g.challenge == "" {
		return true
	}
	sum := sha256.Sum256([]byte(verifier))
	return same(base64.RawURLEncoding.EncodeToString(sum[:]), g.challenge)
}

// reply writes the answer in the provider's form.
func (s *Server) reply(w http.ResponseWriter, given answer, fault Fault, basic bool) {
	zoho := s.config.Form == ZohoForm
	switch given.outcome {
	case Redeemed, SameAgain:
		s.writeTokens(w, given)
	case Planned:
		if fault.Error == "" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			s.retryAfter(w, fault.RetryAfter)
			w.WriteHeader(fault.Status)
			_, _ = w.Write([]byte("<html><body>an error page</body></html>"))
			return
		}
		s.retryAfter(w, fault.RetryAfter)
		s.writeError(w, cmp.Or(fault.Status, s.refusal()), fault.Error)
	case Throttled:
		s.writeThrottle(w, given.until)
	case WrongClient:
		// RFC 6749, section 5.2: status 401 if the client used the header.
		status := http.StatusUnauthorized
		if zoho {
			status = http.StatusOK
		} else if basic {
			w.Header().Set("WWW-Authenticate", `Basic realm="accounts"`)
		}
		s.writeError(w, status, "invalid_client")
	case Unsupported:
		s.writeError(w, s.refusal(), "unsupported_grant_type")
	default:
		code := "invalid_grant"
		if zoho {
			code = "invalid_code"
		}
		s.writeError(w, s.refusal(), code)
	}
}

// refusal is the status of refusals.
func (s *Server) refusal() int {
	if s.config.Form == ZohoForm {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

func (s *Server) writeTokens(w http.ResponseWriter, given answer) {
	body := map[string]any{
		"access_token": given.access.value, "token_type": "Bearer",
		"expires_in": int64(max(0, given.access.end.Sub(s.now())) / time.Second),
	}
	if given.refresh != nil {
		body["refresh_token"] = given.refresh.value
	}
	if given.access.family.scope != "" {
		body["scope"] = given.access.family.scope
	}
	if s.config.Form == ZohoForm {
		body["api_domain"] = s.config.APIDomain
	}
	writeJSON(w, http.StatusOK, body)
}

func (s *Server) writeThrottle(w http.ResponseWriter, until time.Time) {
	switch s.config.Throttles {
	case Zoho200:
		s.writeError(w, http.StatusOK, "Access Denied")
	case Zoho400:
		writeJSON(w, http.StatusBadRequest, map[string]any{
			"error": "Access Denied", "status": "failure",
			"error_description": "You have made too many requests continuously. Please try again after some time.",
		})
	default:
		s.retryAfter(w, until.Sub(s.now()))
		s.writeError(w, http.StatusTooManyRequests, "temporarily_unavailable")
	}
}

func (s *Server) retryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
	}
}

func (s *Server) writeError(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]any{"error": code})
}

// writeJSON writes a reply that nobody stores. (RFC 6749, section 5.1.)
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
