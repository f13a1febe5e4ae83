// The login page, for tests with a browser: it asks for consent, and goes back to the
// application with a code.

package accountstest

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// page asks for consent. It works without scripts; a test finds the buttons by their names.
var page = template.Must(template.New("login").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Accounts</title></head>
<body>
<h1>{{.ClientID}} asks for access</h1>
<p>{{range .Scopes}}<code>{{.}}</code> {{else}}everything{{end}}</p>
<form method="post" action="{{.Action}}">
{{range $name, $values := .Query}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<select name="user">{{range .Users}}<option value="{{.UserName}}">{{.Name}} ({{.Email}})</option>{{end}}</select>
<button type="submit" name="answer" value="accept">Accept</button>
<button type="submit" name="answer" value="reject">Reject</button>
</form>
</body>
</html>
`))

// serveLogin shows the page.
func (s *Server) serveLogin(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !s.checkLogin(w, query) {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = page.Execute(w, map[string]any{
		"ClientID": s.config.ClientID, "Scopes": scopes(query.Get("scope")), "Query": query,
		"Action": authPath, "Users": s.config.Users,
	})
}

// scopes are separated by commas at Zoho, by spaces elsewhere.
func scopes(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// checkLogin checks the client and the redirect URL. If they are wrong, the browser stays
// here. (RFC 6749, section 4.1.2.1.)
func (s *Server) checkLogin(w http.ResponseWriter, query url.Values) bool {
	back, err := url.Parse(query.Get("redirect_uri"))
	switch {
	case query.Get("client_id") != s.config.ClientID:
		http.Error(w, "unknown client_id", http.StatusBadRequest)
		return false
	case err != nil || !back.IsAbs() || s.config.RedirectURL != "" && back.String() != s.config.RedirectURL:
		http.Error(w, "redirect_uri is not the client's", http.StatusBadRequest)
		return false
	}
	return true
}

// serveConsent takes the answer, and goes back to the application.
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	form := r.PostForm
	if !s.checkLogin(w, form) {
		return
	}
	back, err := url.Parse(form.Get("redirect_uri"))
	if err != nil {
		return // It was parsed before.
	}
	query := back.Query()
	if state := form.Get("state"); state != "" {
		query.Set("state", state)
	}
	if code, refused := s.consent(form); refused != "" {
		query.Set("error", refused)
	} else {
		query.Set("code", code)
		if s.config.Form == ZohoForm { // Zoho CRM, Multi DC support.
			query.Set("location", s.config.Location)
			query.Set("accounts-server", s.config.AccountsServer)
		}
	}
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) // #nosec G710 -- checkLogin has compared it with the client's.
}

// consent returns a code, or why there is none.
func (s *Server) consent(form url.Values) (code, refused string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if form.Get("response_type") != "code" {
		return "", "unsupported_response_type"
	}
	challenge := form.Get("code_challenge")
	if challenge != "" && form.Get("code_challenge_method") != "S256" {
		return "", "invalid_request"
	}
	if form.Get("answer") != "accept" {
		return "", "access_denied"
	}
	user := s.config.Users[0]
	for _, u := range s.config.Users {
		if u.UserName() == form.Get("user") {
			user = u
		}
	}
	if _, ok := s.codes.take(s.now(), s.config.Limits.Grants, s.config.Limits.Window); !ok {
		return "", "access_denied"
	}
	offline := true
	if s.config.Form == ZohoForm {
		offline = form.Get("access_type") == "offline" && (form.Get("prompt") == "consent" || !s.consented[user.UserName()])
	}
	s.consented[user.UserName()] = true
	return s.giveGrant(&grant{
		user: user, scope: form.Get("scope"), redirect: form.Get("redirect_uri"), challenge: challenge, offline: offline,
	}), ""
}
