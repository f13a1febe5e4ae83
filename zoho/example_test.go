package zoho_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	_ "example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

// From a login to a call. The accounts server of package accountstest stands in for Zoho's,
// through the HTTP fields, which a program leaves out.
func Example() {
	ctx := context.Background()
	accounts := accountstest.NewServer(zohoIn(zoho.EU))
	defer accounts.Close()

	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	source, err := tokensource.New(store, zoho.Redeemer{HTTP: accounts.Client()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = source.Close(ctx) }()

	login := &zoho.Login{
		ClientID: accounts.ClientID(), ClientSecret: accounts.ClientSecret(), RedirectURL: "https://app.example.com/callback",
		Scopes: zoho.CRMScopes(), Store: store, Source: source, HTTP: accounts.Client(),
	}
	http.HandleFunc("/login", login.Start)
	http.Handle("/callback", login.Callback(func(w http.ResponseWriter, _ *http.Request, token tokenstore.OAuthToken, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintf(w, "Welcome, %s", token.UserName)
	}))

	// What the callback does, here without a browser:
	token, err := login.Exchange(ctx, consent(accounts, login.AuthURL("state")))
	if err != nil {
		log.Fatal(err)
	}

	// From now on, in any process that has the store:
	client := zoho.Client(source, token.UserName)
	client.Transport.(*zoho.Transport).Base = accounts.Client().Transport
	response, err := client.Get("/crm/v8/org")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	fmt.Println(token.UserName, err)
	fmt.Println(string(body))
	// Output:
	// user@example.com:60000000001 <nil>
	// {"org":[{"company_name":"An Organization","id":"2","zgid":"60000000001"}]}
}

// zohoIn is an accounts server in a data centre.
func zohoIn(d zoho.DataCenter) accountstest.Config {
	config := accountstest.Zoho()
	config.Location, config.AccountsServer, config.APIDomain = string(d), d.AccountsURL(), d.APIDomain()
	return config
}

// consent accepts on the consent page, and returns the parameters of the callback.
func consent(accounts *accountstest.Server, authURL string) url.Values {
	page, err := url.Parse(authURL)
	if err != nil {
		log.Fatal(err)
	}
	form := page.Query()
	form.Set("answer", "accept")
	client := accounts.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.PostForm(authURL, form)
	if err != nil {
		log.Fatal(err)
	}
	_ = response.Body.Close()
	back, err := response.Location()
	if err != nil {
		log.Fatal(err)
	}
	return back.Query()
}

func ExampleLogout() {
	ctx := context.Background()
	accounts := accountstest.NewServer(zohoIn(zoho.EU))
	defer accounts.Close()
	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.SaveToken(ctx, accounts.Login(accountstest.User{})); err != nil {
		log.Fatal(err)
	}
	logout := zoho.Logout{Store: store, HTTP: accounts.Client()}
	if err := logout.Token(ctx, tokenstore.OAuthToken{UserName: "user@example.com:60000000001"}); err != nil {
		log.Fatal(err)
	}
	tokens, err := store.GetTokens(ctx)
	fmt.Println(len(tokens), err)
	// Output: 0 <nil>
}
