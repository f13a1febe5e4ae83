// The page itself, and the session's cookie.

package main

import (
	"context"
	"errors"
	"html/template"
	"io"
	"log"
	"net/http"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Log in with Zoho</title></head>
<body>
{{if .User}}<p id="user">{{.User}}</p>
<pre id="answer">{{.Answer}}</pre>
<form method="post" action="/logout"><button id="logout">Log out, and delete the token</button></form>
{{else}}<a id="login" href="/login">Log in with Zoho</a>
{{end}}</body>
</html>
`))

// home shows the answer of a call on behalf of the user, or the link to log in, also if the
// consent was withdrawn or the token deleted since.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	view := struct{ User, Answer string }{User: a.user(r)}
	if view.User != "" {
		answer, err := a.company(r.Context(), view.User)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokensource.ErrNeedsConsent):
			a.endSessions(view.User)
			view.User = ""
		case err != nil:
			http.Error(w, "Zoho cannot be asked: "+err.Error(), http.StatusBadGateway)
			return
		}
		view.Answer = answer
	}
	w.Header().Set("Cache-Control", "no-store")
	if err := page.Execute(w, view); err != nil {
		log.Print(err)
	}
}

// company returns what Zoho CRM says about the user's company.
func (a *app) company(ctx context.Context, user string) (string, error) {
	crm := zoho.Client(a.source, user)
	crm.Transport.(*zoho.Transport).Base = a.client.Transport
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/crm/v8/org", nil)
	if err != nil {
		return "", err
	}
	response, err := crm.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusUnauthorized { // Also with a new token.
		return "", tokensource.ErrNeedsConsent
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return string(answer), err
}

// loggedOut ends the session, revokes the token and deletes it.
func (a *app) loggedOut(w http.ResponseWriter, r *http.Request) {
	if user := a.user(r); user != "" {
		err := a.logout.Token(r.Context(), tokenstore.OAuthToken{UserName: user})
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) { // An operator may have deleted it.
			http.Error(w, "Not logged out: "+err.Error(), http.StatusBadGateway)
			return
		}
		a.endSessions(user)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// endSessions ends the user's sessions, in all browsers: the token is gone.
func (a *app) endSessions(user string) {
	a.sessions.Range(func(session, of any) bool {
		if of == user {
			a.sessions.Delete(session)
		}
		return true
	})
}

// setCookie gives the browser its session. Other sites cannot post with it.
func (a *app) setCookie(w http.ResponseWriter, session string) {
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- Secure, unless this page itself is reached without TLS.
		Name: "session", Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(a.login.RedirectURL, "https:"),
	})
}
