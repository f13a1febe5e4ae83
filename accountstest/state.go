// The tokens that the server has given, and what a redemption does with them.

package accountstest

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"example.com/tokenstore"
)

// state is what a Server remembers. Its methods are called with the server locked.
type state struct {
	refreshes map[string]*refresh
	accesses  map[string]*access
	grants    map[string]*grant
	families  []*family
	consented map[string]bool    // users that have accepted the client before
	logins    map[string]*window // of new refresh tokens, by user
	codes     window             // of authorization codes
	pending   []late
	requests  []Request
	counts    Counts
}

func newState() state {
	return state{
		refreshes: map[string]*refresh{}, accesses: map[string]*access{}, grants: map[string]*grant{},
		consented: map[string]bool{}, logins: map[string]*window{},
	}
}

// family is one login: all tokens that come from it.
type family struct {
	number  int
	user    User
	scope   string
	offline bool // it has a refresh token
	revoked bool
	access  []*access // those that have not been ended, oldest first
	given   window    // access tokens, for Limits.Refreshes
}

// refresh is a refresh token.
type refresh struct {
	value      string
	family     *family
	generation int // 1 is that of the login
	revoked    bool
	spent      bool
	at         time.Time  // of the first redemption
	next       []*refresh // what its redemptions gave
	given      []*access
	uses       Uses
}

// access is an access token.
type access struct {
	value  string
	family *family
	end    time.Time
	ended  bool // before its time
	used   bool
}

// grant is an authorization code.
type grant struct {
	user      User
	scope     string
	redirect  string
	challenge string // of PKCE
	offline   bool
	end       time.Time
	spent     bool
	family    *family
}

// alive reports whether calls with the token succeed.
func (a *access) alive(now time.Time) bool {
	return !a.ended && !a.family.revoked && now.Before(a.end)
}

// answer is what a token request gives.
type answer struct {
	outcome Outcome
	access  *access
	refresh *refresh // nil: the reply has none
	until   time.Time
}

// redeem redeems a refresh token.
func (s *Server) redeem(r *refresh, now time.Time) answer {
	f := r.family
	if r.revoked || f.revoked {
		return answer{outcome: Refused}
	}
	again := r.spent
	if again && s.config.Kind != Keep {
		r.uses.Second++
		s.counts.SecondUses++
		if o := s.secondUse(r, now); o != Redeemed {
			return s.unredeemed(r, o)
		}
	}
	if again && s.config.Kind == SameAnswer {
		s.counts.SameAnswers++
		return answer{outcome: SameAgain, access: r.given[0], refresh: r.next[0]}
	}
	if until, ok := f.given.take(now, s.config.Limits.Refreshes, s.config.Limits.Window); !ok {
		return answer{outcome: Throttled, until: until}
	}
	if again && s.config.Kind == KillFirst {
		for i, next := range r.next {
			next.revoked = true
			s.end(r.given[i])
		}
	}
	if !again {
		r.spent, r.at = true, now
	}
	r.uses.Redemptions++
	s.counts.Redemptions++
	if s.config.EndsAccess {
		for _, a := range slices.Clone(f.access) {
			s.end(a)
		}
	}
	given := answer{outcome: Redeemed, access: s.giveAccess(f, now)}
	r.given = append(r.given, given.access)
	if s.config.Kind != Keep {
		given.refresh = s.giveRefresh(f, r.generation+1)
		r.next = append(r.next, given.refresh)
	}
	return given
}

// secondUse returns what becomes of a further use of a refresh token that was redeemed.
// Redeemed means that it is taken.
func (s *Server) secondUse(r *refresh, now time.Time) Outcome {
	nextSpent := slices.ContainsFunc(r.next, func(n *refresh) bool { return n.spent })
	used := slices.ContainsFunc(r.given, func(a *access) bool { return a.used })
	switch c := s.config; {
	case c.Kind == Refuse:
		return Refused
	case !c.Kind.again() || now.Sub(r.at) > c.Reuse:
		return FamilyRevoked
	case c.UntilUsed && (nextSpent || used):
		return Refused
	case c.OnlyPrevious && nextSpent:
		return FamilyRevoked
	}
	return Redeemed
}

func (s *Server) unredeemed(r *refresh, o Outcome) answer {
	if o == FamilyRevoked {
		s.revokeFamily(r.family)
		s.counts.FamiliesRevoked++
	}
	return answer{outcome: o}
}

// exchange redeems an authorization code. A second use of it revokes what the first gave,
// if the kind revokes. (RFC 6749, section 4.1.2.)
func (s *Server) exchange(g *grant, now time.Time) answer {
	if g.spent {
		s.counts.SecondUses++
		if s.config.Kind == RevokeFamily && !g.family.revoked {
			s.revokeFamily(g.family)
			s.counts.FamiliesRevoked++
			return answer{outcome: FamilyRevoked}
		}
	}
	if g.spent || !now.Before(g.end) {
		return answer{outcome: Refused}
	}
	login := s.logins[g.user.UserName()]
	if login == nil {
		login = &window{}
		s.logins[g.user.UserName()] = login
	}
	if g.offline {
		if until, ok := login.take(now, s.config.Limits.NewRefreshTokens, s.config.Limits.Window); !ok {
			return answer{outcome: Throttled, until: until}
		}
	}
	g.spent, g.family = true, s.newFamily(g.user, g.scope)
	s.counts.Exchanges++
	given := answer{outcome: Redeemed, access: s.giveAccess(g.family, now)}
	if g.offline {
		given.refresh = s.giveRefresh(g.family, 1)
		s.trimFamilies(g.user)
	}
	return given
}

func (s *Server) newFamily(user User, scope string) *family {
	f := &family{number: len(s.families) + 1, user: user, scope: scope}
	s.families = append(s.families, f)
	return f
}

// trimFamilies removes the oldest refresh tokens of a user who has too many.
func (s *Server) trimFamilies(user User) {
	limit := s.config.Limits.RefreshTokens
	if limit == 0 {
		return
	}
	var own []*family
	for _, f := range s.families {
		if f.user == user && f.offline && !f.revoked {
			own = append(own, f)
		}
	}
	for len(own) > limit {
		s.revokeFamily(own[0])
		own = own[1:]
	}
}

func (s *Server) giveAccess(f *family, now time.Time) *access {
	f.access = slices.DeleteFunc(f.access, func(a *access) bool { return !a.alive(now) })
	if limit := s.config.Limits.LiveAccess; limit > 0 && len(f.access) >= limit {
		s.end(f.access[0])
	}
	a := &access{value: newValue(), family: f, end: now.Add(s.config.Life)}
	f.access = append(f.access, a)
	s.accesses[a.value] = a
	return a
}

// end ends an access token before its time.
func (s *Server) end(a *access) {
	if !a.ended {
		a.ended = true
		s.counts.EndedAccess++
	}
	a.family.access = slices.DeleteFunc(a.family.access, func(b *access) bool { return a == b })
}

func (s *Server) giveRefresh(f *family, generation int) *refresh {
	f.offline = true
	r := &refresh{value: newValue(), family: f, generation: generation}
	s.refreshes[r.value] = r
	return r
}

func (s *Server) revokeFamily(f *family) {
	f.revoked, f.access = true, nil
}

// newValue returns a credential in the form of Zoho's.
func newValue() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // It never fails.
	return "1000." + hex.EncodeToString(random[:16]) + "." + hex.EncodeToString(random[16:])
}

// Login logs a user in, as a browser would, and returns the token as an application would
// store it: fresh, with a user name. The zero User is the first of the configuration.
func (s *Server) Login(user User) tokenstore.OAuthToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	f := s.newFamily(s.user(user), "")
	a, r := s.giveAccess(f, now), s.giveRefresh(f, 1)
	s.trimFamilies(f.user)
	t := s.client()
	t.UserName, t.AccessToken, t.RefreshToken, t.Expiry = f.user.UserName(), a.value, r.value, a.end
	return t
}

// Grant returns a token with an authorization code that has not been redeemed, as a person
// copies it from the console of a provider.
func (s *Server) Grant(user User) tokenstore.OAuthToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.client()
	t.GrantToken = s.giveGrant(&grant{user: s.user(user), offline: true})
	return t
}

func (s *Server) giveGrant(g *grant) string {
	code := newValue()
	g.end = s.now().Add(s.config.GrantLife)
	s.grants[code] = g
	return code
}

// client returns a token with the client's values.
func (s *Server) client() tokenstore.OAuthToken {
	t := tokenstore.OAuthToken{ClientID: s.config.ClientID, ClientSecret: s.config.ClientSecret, RedirectURL: s.config.RedirectURL}
	if s.config.Form == ZohoForm {
		t.APIDomain = s.config.APIDomain
	}
	return t
}

func (s *Server) user(u User) User {
	if u == (User{}) {
		return s.config.Users[0]
	}
	return u
}
