package faultproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// do sends requests through a proxy, as one client that keeps its connections, and
// returns how many reached the server and how many were answered.
func do(t *testing.T, w Weather, requests int) (reached, answered int64) {
	t.Helper()
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer server.Close()
	proxy := New(t, strings.TrimPrefix(server.URL, "http://"), w)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Second}
	for range requests {
		reply, err := client.Post("http://"+proxy.Address(), "text/plain", strings.NewReader("text"))
		if err != nil {
			continue
		}
		if _, err := io.Copy(io.Discard, reply.Body); err == nil {
			answered++
		}
		_ = reply.Body.Close()
	}
	return served.Load(), answered
}

func TestWeather(t *testing.T) {
	for _, c := range []struct {
		name              string
		weather           Weather
		reached, answered int64 // of two requests
	}{
		{"none", Weather{}, 2, 2},
		{"latency and a slow link", Weather{Latency: 5 * time.Millisecond, Jitter: time.Millisecond, Rate: 100}, 2, 2},
		{"reset before", Weather{ResetBefore: 1}, 0, 0},
		{"reset after", Weather{ResetAfter: 1}, 2, 0},
		{"silence", Weather{Silence: 1, SilentFor: 10 * time.Millisecond}, 0, 0},
		{"late", Weather{Late: 1, LateBy: 10 * time.Millisecond}, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached, answered := do(t, c.weather, 2)
			if reached != c.reached || answered != c.answered {
				t.Errorf("%d reached the server and %d were answered, instead of %d and %d", reached, answered, c.reached, c.answered)
			}
		})
	}
}

// TestChance hits some requests of a connection and not others.
func TestChance(t *testing.T) {
	reached, answered := do(t, Weather{ResetBefore: 0.2, ResetAfter: 0.2}, 200)
	if answered == 0 || answered == 200 || reached <= answered || reached == 200 {
		t.Errorf("of 200 requests %d reached the server and %d were answered", reached, answered)
	}
}

func TestBreak(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	proxy := New(t, strings.TrimPrefix(server.URL, "http://"), Weather{})
	get := func() error {
		reply, err := http.Get("http://" + proxy.Address())
		if err == nil {
			err = reply.Body.Close()
		}
		return err
	}
	for range 2 {
		if err := get(); err != nil {
			t.Error(err)
		}
		proxy.Break()
		if get() == nil {
			t.Error("an answer from a broken proxy")
		}
		proxy.Restore(t)
	}
}
