package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// onAWS returns the parameter with which a URL leads to a simulated AWS, as a principal of it.
func onAWS(t *testing.T, p *awssmtest.Principal) string {
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

// onGoogle returns the parameter with which a URL leads to a simulated Google Cloud.
func onGoogle(t *testing.T, p *gcpsmtest.Principal) string {
	t.Helper()
	address, stop, err := p.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	return "endpoint=" + url.QueryEscape(address)
}
