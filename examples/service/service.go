// What the service serves.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

type service struct {
	store    tokenstore.Store
	source   *tokensource.Source
	client   *http.Client
	counters *expvar.Map
	stopping atomic.Bool
}

func newService(store tokenstore.Store, client *http.Client) *service {
	return &service{store: store, client: client, counters: new(expvar.Map).Init()}
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /company", s.company)
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintln(w, s.counters)
	})
	return mux
}

// company asks Zoho CRM for the company of a user. It trusts its callers to name the user: it
// is a service behind others, not for browsers.
func (s *service) company(w http.ResponseWriter, r *http.Request) {
	name, err := s.ask(r.Context(), r.FormValue("user"))
	s.counters.Add("requests", 1)
	if err != nil {
		s.counters.Add("requests failed", 1)
		status := http.StatusBadGateway
		switch {
		case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokensource.ErrNeedsConsent):
			status = http.StatusForbidden // The user has to log in.
		case tokenstore.Retryable(err):
			status = http.StatusServiceUnavailable
		}
		http.Error(w, err.Error(), status) // No error holds a credential.
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"company": name})
}

func (s *service) ask(ctx context.Context, user string) (string, error) {
	crm := http.Client{
		Transport: &zoho.Transport{Source: s.source, Query: tokenstore.OAuthToken{UserName: user}, Base: s.client.Transport},
		Timeout:   s.client.Timeout,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/crm/v8/org", nil)
	if err != nil {
		return "", err
	}
	response, err := crm.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized: // Also with a new token.
		return "", fmt.Errorf("the CRM answered %s: %w", response.Status, tokensource.ErrNeedsConsent)
	default:
		return "", fmt.Errorf("the CRM answered %s", response.Status)
	}
	var body struct {
		Org []struct {
			CompanyName string `json:"company_name"`
		} `json:"org"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&body); err != nil {
		return "", fmt.Errorf("the CRM's answer: %w", err)
	}
	if len(body.Org) == 0 {
		return "", errors.New("the CRM's answer names no organisation; check the token's scopes")
	}
	return body.Org[0].CompanyName, nil
}

// ready reports whether requests can be served: the store answers, and this replica is not
// being stopped. A store in which nobody has logged in yet is ready.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	var err error
	if s.stopping.Load() {
		err = errors.New("stopping")
	} else if pinger, ok := tokenstore.As[tokenstore.Pinger](s.store); ok {
		err = pinger.Ping(ctx)
	}
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// count counts the steps of the source: how many calls were served from memory, how many
// refreshes there were, and what failed.
func (s *service) count(_ context.Context, e tokensource.Event) {
	name := "tokens " + string(e.Step)
	if e.Err != nil {
		name += " failed"
	}
	s.counters.Add(name, 1)
}
