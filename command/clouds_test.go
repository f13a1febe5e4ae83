package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// awsEndpoint returns the parameter with which a URL leads to a simulated AWS, as a principal of it.
func awsEndpoint(t *testing.T, p *awssmtest.Principal) string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := p.Do(r)
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		defer func() { _ = reply.Body.Close() }()
		for name, values := range reply.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.StatusCode)
		_, _ = io.Copy(w, reply.Body)
	}))
	t.Cleanup(server.Close)
	return "endpoint=" + url.QueryEscape(server.URL)
}

// deletedOnAWS saves a token with an ID under the prefix crm, and deletes it, by a clock of its
// own: a deletion of right now is waited for before it is undone.
func deletedOnAWS(t *testing.T, service *awssmtest.Service, id string) {
	t.Helper()
	clock := awssmtest.NewClock()
	store, err := awssm.New(service, awssm.WithPrefix("crm/"), awssm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	token := tokenstore.OAuthToken{ID: id, UserName: "ada@zylker.com:60001234567", ClientID: "1000.CLIENTA", ClientSecret: "cs-fake", RefreshToken: "1000.fake-refresh-0017"}
	if _, err := store.SaveToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteToken(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// googleEndpoint returns the parameter with which a URL leads to a simulated Google Cloud.
func googleEndpoint(t *testing.T, p *gcpsmtest.Principal) string {
	t.Helper()
	address, stop, err := p.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	return "endpoint=" + url.QueryEscape(address)
}
