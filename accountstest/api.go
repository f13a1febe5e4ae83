// What is reached with an access token, and how a token is revoked.

package accountstest

import (
	"net/http"
	"slices"
	"strings"
)

// authorized serves calls whose access token is alive and has the scope. Those of Login
// have all. (Zoho CRM v8: the header is "Zoho-oauthtoken"; RFC 6750, section 2.1: "Bearer".)
func (s *Server) authorized(scope string, serve func(http.ResponseWriter, *http.Request, User)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, code := s.authorize(r.Header.Get("Authorization"), scope)
		if code == "" {
			serve(w, r, user)
			return
		}
		if s.config.Form != ZohoForm {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		}
		writeJSON(w, http.StatusUnauthorized, map[string]any{
			"code": code, "details": map[string]any{}, "message": "invalid oauth token", "status": "error",
		})
	}
}

// authorize returns the user whose token it is, or the code of the refusal: those of Zoho
// CRM, whose pages call the first INVALID_OAUTHTOKEN too.
func (s *Server) authorize(header, scope string) (User, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	scheme, token, _ := strings.Cut(header, " ")
	a := s.accesses[token]
	known := strings.EqualFold(scheme, "Zoho-oauthtoken") || strings.EqualFold(scheme, "Bearer")
	if !known || a == nil || !a.alive(s.now()) {
		s.counts.Unauthorized++
		return User{}, "INVALID_TOKEN"
	}
	a.used = true
	if granted := scopes(a.family.scope); scope != "" && len(granted) > 0 && !slices.Contains(granted, scope) {
		s.counts.Unauthorized++
		return User{}, "OAUTH_SCOPE_MISMATCH"
	}
	s.counts.Calls++
	return a.family.user, ""
}

// serveUsers answers who the token acts for. (Zoho CRM v8, Get Users, type=CurrentUser.)
func (s *Server) serveUsers(w http.ResponseWriter, _ *http.Request, u User) {
	writeJSON(w, http.StatusOK, map[string]any{
		"users": []any{map[string]any{"id": "1", "email": u.Email, "full_name": u.Name, "status": "active"}},
		"info":  map[string]any{"per_page": 200, "count": 1, "page": 1, "more_records": false},
	})
}

// serveOrg answers for which organisation. (Zoho CRM v8, Get Organization Details.)
func (s *Server) serveOrg(w http.ResponseWriter, _ *http.Request, u User) {
	writeJSON(w, http.StatusOK, map[string]any{
		"org": []any{map[string]any{"id": "2", "zgid": u.Org, "company_name": "An Organization"}},
	})
}

// serveAPI answers any call with the name of the token's user.
func (s *Server) serveAPI(w http.ResponseWriter, _ *http.Request, u User) {
	writeJSON(w, http.StatusOK, map[string]any{"user": u.UserName()})
}

// serveRevoke revokes a token; a refresh token's access tokens with it. Zoho answers 400
// for a token that it does not know, the standard 200. (Zoho Accounts, Revoke OAuth tokens;
// RFC 7009, section 2.2.)
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.writeError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	known := s.revoke(r.Form.Get("token"))
	switch zoho := s.config.Form == ZohoForm; {
	case !known && zoho:
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_token", "status": "failure"})
	case zoho:
		writeJSON(w, http.StatusOK, map[string]any{"status": "success"})
	default:
		w.WriteHeader(http.StatusOK)
	}
}

func (s *Server) revoke(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	if r := s.refreshes[token]; r != nil {
		known := !r.family.revoked && !r.revoked
		s.revokeFamily(r.family)
		return known
	}
	if a := s.accesses[token]; a != nil {
		known := a.alive(s.now())
		s.end(a)
		return known
	}
	return false
}
