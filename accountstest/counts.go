// What a test can ask the server, and change behind its clients' backs.

package accountstest

import (
	"slices"
	"time"
)

// Outcome is what became of a token request.
type Outcome string

const (
	// Redeemed gave new tokens.
	Redeemed Outcome = "redeemed"
	// SameAgain gave the tokens of an earlier redemption once more.
	SameAgain Outcome = "same again"
	// Refused gave nothing: the refresh token or code is unknown, spent, expired or revoked.
	Refused Outcome = "refused"
	// FamilyRevoked gave nothing, and revoked all tokens of the login.
	FamilyRevoked Outcome = "family revoked"
	// Throttled gave nothing, because of a limit or a fault.
	Throttled Outcome = "throttled"
	// WrongClient gave nothing: the client's ID or secret is wrong.
	WrongClient Outcome = "wrong client"
	// Unsupported gave nothing: the grant type is unknown.
	Unsupported Outcome = "unsupported"
	// Planned gave nothing, because a fault said so.
	Planned Outcome = "planned"
)

// Request is one token request that arrived. It holds no credential.
type Request struct {
	// Number counts the requests in the order in which they came, from 1.
	Number int
	// At is when it was carried out.
	At time.Time
	// GrantType is "refresh_token" or "authorization_code".
	GrantType string
	// Family is the number of the login that its token comes from, or 0 if it is unknown;
	// Generation is that of a refresh token, 1 for the login's own.
	Family, Generation int
	// Second says that the token had been redeemed before. With Keep that is no fault.
	Second bool
	// Outcome is what became of it.
	Outcome Outcome
	// Late says that it was carried out after its sender had given up.
	Late bool
	// ReplyLost says that its sender got no reply.
	ReplyLost bool
	// Agent is the request's User-Agent, so that a test tells its processes apart.
	Agent string
}

// Uses counts the uses of one refresh token.
type Uses struct {
	// Requests were carried out, Redemptions of them gave new tokens, and Second came after
	// the first redemption, whatever they gave; of Keep there are none.
	Requests, Redemptions, Second int
}

// Counts are the sums over all requests.
type Counts struct {
	// Requests is how many token requests arrived, LostRequests and LateRequests included.
	Requests int
	// Redemptions gave new tokens for a refresh token, Exchanges for a code, and
	// SameAnswers gave those of before.
	Redemptions, Exchanges, SameAnswers int
	// SecondUses are uses of a refresh token or code after its redemption; of Keep there
	// are none. FamiliesRevoked is how many of them revoked a login.
	SecondUses, FamiliesRevoked int
	// Refused, Throttled, WrongClient and Planned count those outcomes; FamilyRevoked counts
	// as refused too.
	Refused, Throttled, WrongClient, Planned int
	// EndedAccess is how many access tokens were ended before their time, by a limit, a
	// redemption or a test.
	EndedAccess int
	// LostRequests, LostReplies and LateRequests are those whose senders got no reply.
	LostRequests, LostReplies, LateRequests int
	// Calls is how many calls of the API succeeded, Unauthorized how many were refused.
	Calls, Unauthorized int
}

// Counts returns the sums.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.counts
}

// Requests returns the token requests that were carried out, in that order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return slices.Clone(s.requests)
}

// Uses returns how often a refresh token was used: it was redeemed once if
// Uses(token).Redemptions is 1, and nobody tried it again if Requests is 1 too.
func (s *Server) Uses(refreshToken string) Uses {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	if r := s.refreshes[refreshToken]; r != nil {
		return r.uses
	}
	return Uses{}
}

// Alive reports whether a call with the access token would succeed now.
func (s *Server) Alive(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	a := s.accesses[accessToken]
	return a != nil && a.alive(s.now())
}

// Redeemable reports whether a redemption of the refresh token would give tokens now,
// limits aside.
func (s *Server) Redeemable(refreshToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	r := s.refreshes[refreshToken]
	if r == nil || r.revoked || r.family.revoked {
		return false
	}
	return !r.spent || s.config.Kind == Keep || s.secondUse(r, s.now()) == Redeemed
}

// LiveAccess returns how many access tokens of the refresh token's login are alive.
func (s *Server) LiveAccess(refreshToken string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	r, n := s.refreshes[refreshToken], 0
	if r == nil {
		return 0
	}
	for _, a := range r.family.access {
		if a.alive(s.now()) {
			n++
		}
	}
	return n
}

// EndAccess ends an access token before its time, so that calls with it are refused. It
// reports whether it was alive.
func (s *Server) EndAccess(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accesses[accessToken]
	if a == nil || !a.alive(s.now()) {
		return false
	}
	s.end(a)
	return true
}

// Withdraw revokes all tokens of a user, as somebody does who withdraws the consent. The
// zero User is the first of the configuration. It returns how many logins that were.
func (s *Server) Withdraw(user User) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user = s.user(user)
	for _, f := range s.families {
		if f.user == user && !f.revoked {
			s.revokeFamily(f)
			n++
		}
	}
	delete(s.consented, user.UserName())
	return n
}
