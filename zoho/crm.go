// Who a token belongs to, as Zoho CRM answers it.

package zoho

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"example.com/tokenstore"
)

// CRMScopes returns the scopes that [CRMUserName] needs.
func CRMScopes() []string { return []string{"ZohoCRM.users.READ", "ZohoCRM.org.READ"} }

// CRMUserName returns the user name under which the CRM SDKs store a token, the user's mail
// and the organisation's ID: "mail:zgid". It makes two calls with the token, which must be
// valid and have the scopes of [CRMScopes]. nil means http.DefaultClient.
func CRMUserName(ctx context.Context, client *http.Client, t tokenstore.OAuthToken) (string, error) {
	var users struct {
		Users []struct {
			Email string `json:"email"`
		} `json:"users"`
	}
	if err := read(ctx, client, t, "/crm/v8/users?type=CurrentUser", &users); err != nil {
		return "", err
	}
	var organisation struct {
		Org []struct {
			ZGID json.Number `json:"zgid"`
		} `json:"org"`
	}
	if err := read(ctx, client, t, "/crm/v8/org", &organisation); err != nil {
		return "", err
	}
	if len(users.Users) != 1 || users.Users[0].Email == "" || len(organisation.Org) != 1 || organisation.Org[0].ZGID == "" {
		return "", fault("CRM did not answer with one user and one organisation")
	}
	return users.Users[0].Email + ":" + organisation.Org[0].ZGID.String(), nil
}

// read makes one call of the API with a token.
func read(ctx context.Context, client *http.Client, t tokenstore.OAuthToken, path string, into any) error {
	if _, err := ByAPIDomain(t.APIDomain); err != nil {
		return faultf("%v", err)
	}
	host, err := hostOf(t.APIDomain)
	if err != nil {
		return faultf("%v", err)
	}
	request, err := http.NewRequest(http.MethodGet, "https://"+host+path, nil) //nolint:noctx // send sets it.
	if err != nil {
		return fault("the request cannot be built")
	}
	authorize(request, t)
	response, err := send(ctx, client, request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return faultf("%s answered HTTP %d; the token needs the scopes %v", request.URL.Path, response.StatusCode, CRMScopes())
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(into); err != nil {
		return faultf("%s did not answer with the expected JSON", request.URL.Path)
	}
	return nil
}

// authorize sets the header in Zoho's own form.
func authorize(request *http.Request, t tokenstore.OAuthToken) {
	request.Header.Set("Authorization", "Zoho-oauthtoken "+t.AccessToken)
}
