// The two HTTP handlers of a login, and the state that ties them together.

package zoho

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"example.com/tokenstore"
)

const (
	stateCookie = "zoho_login"
	// stateLife is how long a person may take for the consent, in seconds.
	stateLife = 15 * 60
)

// Start is the handler that begins a login: it sends the browser to the consent page, and
// sets a cookie by which Callback knows it again.
func (l *Login) Start(w http.ResponseWriter, r *http.Request) {
	if err := l.ready(map[string]bool{"Scopes": len(l.Scopes) > 0}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	state := rand.Text()
	l.setState(w, state, stateLife)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, l.AuthURL(state), http.StatusFound)
}

// Callback returns the handler for the redirect URL. It checks that this browser began the
// login, exchanges the code, and calls done with the stored token, or with the error, such
// as ErrDeclined or ErrCallback. done writes the response.
func (l *Login) Callback(done func(w http.ResponseWriter, r *http.Request, token tokenstore.OAuthToken, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer") // The URL has the code.
		if err := checkState(r, query.Get("state")); err != nil {
			done(w, r, tokenstore.OAuthToken{}, err)
			return
		}
		token, err := l.Exchange(r.Context(), query)
		if err == nil || errors.Is(err, ErrDeclined) {
			l.setState(w, "", -1)
		}
		done(w, r, token, err)
	})
}

func checkState(r *http.Request, state string) error {
	cookie, err := r.Cookie(stateCookie)
	if err != nil || state == "" || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(state)) != 1 {
		return fmt.Errorf("%w: this browser did not begin it, or took longer than %d minutes; begin again", ErrCallback, stateLife/60)
	}
	return nil
}

// setState sets the cookie, for the path of the callback only.
func (l *Login) setState(w http.ResponseWriter, state string, seconds int) {
	path, secure := "/", false
	if u, err := url.Parse(l.RedirectURL); err == nil {
		secure = u.Scheme == "https"
		if strings.HasPrefix(u.Path, "/") {
			path = u.Path
		}
	}
	// #nosec G124 -- Secure where the callback is served over https.
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- Secure, unless the application itself is reached without TLS.
		Name: stateCookie, Value: state, Path: path, MaxAge: seconds,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	})
}
