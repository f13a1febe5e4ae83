// The twenty lines of README.md, run against the accounts server of accountstest.

package zoho_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

func handler(store tokenstore.Store, source *tokensource.Source) http.Handler {
	login := &zoho.Login{
		ClientID: os.Getenv("ZOHO_CLIENT_ID"), ClientSecret: os.Getenv("ZOHO_CLIENT_SECRET"),
		RedirectURL: "http://localhost:8080/callback", Scopes: zoho.CRMScopes(),
		Store: store, Source: source,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", login.Start) // sends the browser to Zoho's consent page
	mux.Handle("/callback", login.Callback(func(w http.ResponseWriter, r *http.Request, token tokenstore.OAuthToken, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "Welcome, %s", token.UserName) // The token is stored.
	}))
	mux.HandleFunc("/company", func(w http.ResponseWriter, r *http.Request) { // in this process or any other
		user := r.FormValue("user") // Take it from your own session: whoever names a user acts as them.
		response, err := zoho.Client(source, user).Get("/crm/v8/org")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		io.Copy(w, response.Body)
	})
	return mux
}

// everywhere makes the default transport that of a test, as long as that runs.
func everywhere(t *testing.T, transport http.RoundTripper) {
	t.Helper()
	before := http.DefaultTransport
	http.DefaultTransport = transport
	t.Cleanup(func() { http.DefaultTransport = before })
}

// TestReadme goes from the login to a call.
func TestReadme(t *testing.T) {
	accounts := accountstest.NewServer(zohoIn(zoho.EU))
	defer accounts.Close()
	everywhere(t, accounts.Client().Transport)
	t.Setenv("ZOHO_CLIENT_ID", accounts.ClientID())
	t.Setenv("ZOHO_CLIENT_SECRET", accounts.ClientSecret())
	store := secretstore.NewMemory()
	source, err := tokensource.New(store, zoho.Redeemer{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close(t.Context()) }()
	h := handler(store, source)

	var cookies []*http.Cookie
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		h.ServeHTTP(w, r)
		cookies = w.Result().Cookies()
		return w
	}
	callback := consent(accounts, get("/login").Header().Get("Location"))
	const user = "user@example.com:60000000001"
	if got := get("/callback?" + callback.Encode()).Body.String(); got != "Welcome, "+user {
		t.Errorf("the callback says %q", got)
	}
	if got := get("/company?user=" + url.QueryEscape(user)).Body.String(); !strings.Contains(got, "An Organization") {
		t.Errorf("the call says %q", got)
	}
	if got := get("/callback?" + callback.Encode()); got.Code != http.StatusForbidden {
		t.Errorf("a callback of nobody's login gives %d", got.Code)
	}
}
