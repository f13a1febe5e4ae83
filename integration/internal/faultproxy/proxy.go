// Package faultproxy puts a bad network between a client and a server: a proxy, built
// on Shopify's toxiproxy, that delays, slows down, swallows and resets.
package faultproxy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"example.com/tokenstore/integration/internal/need"
)

// Weather is a network's behaviour. Chances are per message, which is data that arrives
// together: usually one request or one reply. The zero value does nothing.
type Weather struct {
	// Latency, plus or minus Jitter, is added to every message in both directions.
	Latency, Jitter time.Duration
	// Rate, if not zero, is the bandwidth in kilobytes per second.
	Rate int
	// ResetBefore is the chance that the connection is reset before a request
	// reaches the server.
	ResetBefore float64
	// ResetAfter is the chance that it is reset after the server has applied the
	// request, but before its reply arrives.
	ResetAfter float64
	// Silence is the chance that a request vanishes, with everything after it on the
	// connection, which ends after SilentFor.
	Silence   float64
	SilentFor time.Duration
	// Late is the chance that a request is held for LateBy and then delivered, even if
	// the client no longer waits for its reply.
	Late   float64
	LateBy time.Duration
}

// Proxy listens on a port of 127.0.0.1.
type Proxy struct{ proxy *toxiproxy.Proxy }

// New starts a proxy to the server at upstream, a host and port. It ends with
// the test.
func New(t testing.TB, upstream string, w Weather) *Proxy {
	t.Helper()
	register()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{toxiproxy.NewProxy(server, t.Name(), need.Address(t), upstream)}
	for _, toxic := range w.toxics() {
		text, err := json.Marshal(toxic)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	p.Restore(t)
	t.Cleanup(p.Break)
	return p
}

// Address returns the proxy's host and port. Break and Restore do not change it.
func (p *Proxy) Address() string { return p.proxy.Listen }

// Break ends all connections and refuses new ones.
func (p *Proxy) Break() { p.proxy.Stop() }

// Restore accepts connections again.
func (p *Proxy) Restore(t testing.TB) {
	t.Helper()
	if err := p.proxy.Start(); err != nil {
		t.Fatal(err)
	}
}

// toxic is toxiproxy's own JSON form.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"`
	Attributes map[string]any `json:"attributes"`
}

const up, down = "upstream", "downstream"

func (w Weather) toxics() []toxic {
	var all []toxic
	add := func(stream, kind string, attributes map[string]any) {
		all = append(all, toxic{Name: kind + "-" + stream, Type: kind, Stream: stream, Toxicity: 1, Attributes: attributes})
	}
	if w.Latency > 0 {
		for _, stream := range []string{up, down} {
			add(stream, "latency", map[string]any{"latency": w.Latency.Milliseconds(), "jitter": w.Jitter.Milliseconds()})
		}
	}
	if w.Rate > 0 {
		for _, stream := range []string{up, down} {
			add(stream, "bandwidth", map[string]any{"rate": w.Rate})
		}
	}
	if w.Late > 0 {
		add(up, lateToxic, map[string]any{"chance": w.Late, "milliseconds": w.LateBy.Milliseconds()})
	}
	if w.Silence > 0 {
		add(up, silentToxic, map[string]any{"chance": w.Silence, "milliseconds": w.SilentFor.Milliseconds()})
	}
	if w.ResetBefore > 0 {
		add(up, cutToxic, map[string]any{"chance": w.ResetBefore})
	}
	if w.ResetAfter > 0 {
		add(down, cutToxic, map[string]any{"chance": w.ResetAfter})
	}
	if w.ResetBefore+w.ResetAfter > 0 {
		// A link with this toxic closes with a reset; it does nothing else, since its
		// own chance is zero.
		add(up, "reset_peer", map[string]any{"timeout": 0})
		all[len(all)-1].Toxicity = 0
	}
	return all
}
