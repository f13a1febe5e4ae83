// What ends an import at a given write, so that it is hit however fast the machine is.

package command

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// points returns `kills` different random numbers between 1 and writes, in ascending order.
//
// An import that makes that many writes at least cannot be over before any of them, however
// often it was ended earlier: what it writes again only adds to the count.
func points(writes int) []int {
	all := rand.Perm(writes)[:kills]
	slices.Sort(all)
	for i := range all {
		all[i]++
	}
	return all
}

// counter counts the writes of one import after the other, up to the end of each.
type counter struct {
	mu     sync.Mutex
	writes int
	next   *end
}

// end is where an import ends.
type end struct {
	point   int           // the number of the write, over all imports
	arrives bool          // the write reaches the service all the same
	reached chan struct{} // closed when the import is to be ended
	over    chan struct{} // closed when the import has ended
}

// set sets the end of the next import, at a point.
func (c *counter) set(point int) *end {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = &end{point: point, arrives: rand.IntN(2) == 0, reached: make(chan struct{}), over: make(chan struct{})} // #nosec G404 -- no secret.
	return c.next
}

// count counts a write. If the import ends there or has ended, it returns the end, and whether
// the write is the one at the point.
func (c *counter) count() (ends *end, here bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil && c.writes >= c.next.point {
		return c.next, false
	}
	c.writes++
	if c.next != nil && c.writes == c.next.point {
		return c.next, true
	}
	return nil, false
}

// gate stands between a program and a service, and has the program killed at a point. The write
// at the point and those after it are never answered, so the program cannot end before.
type gate struct {
	counter
	url     string            // of the gate
	service http.RoundTripper // leads to the service
}

// newGate returns a gate to the service on which the store at a URL is.
func newGate(t *testing.T, store string) *gate {
	t.Helper()
	target, err := url.Parse(service(t, store))
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	if strings.HasPrefix(store, "gcpsm:") {
		protocols.SetUnencryptedHTTP2(true) // for gRPC
	} else {
		protocols.SetHTTP1(true)
	}
	transport := &http.Transport{Protocols: &protocols, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	g := &gate{service: transport}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport:    g,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // The program is dead.
	})
	server.Config.Protocols = &protocols
	server.Start()
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// service returns the URL of the service on which a store is.
func service(t *testing.T, store string) string {
	t.Helper()
	u, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	switch endpoint := u.Query().Get("endpoint"); {
	case u.Scheme == "vault":
		return os.Getenv("VAULT_ADDR")
	case u.Scheme == "gcpsm":
		return "http://" + endpoint
	default:
		return endpoint
	}
}

// through returns the URL and the environment with which a program uses a store through the
// gate.
func (g *gate) through(t *testing.T, store string) (string, []string) {
	t.Helper()
	u, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	if query := u.Query(); query.Has("endpoint") {
		query.Set("endpoint", g.url)
		if u.Scheme == "gcpsm" {
			query.Set("endpoint", strings.TrimPrefix(g.url, "http://"))
		}
		u.RawQuery = query.Encode()
	}
	return u.String(), append(os.Environ(), "VAULT_ADDR="+g.url)
}

var errDead = errors.New("the program is dead")

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if !writes(r) {
		return g.service.RoundTrip(r)
	}
	ends, here := g.count()
	if ends == nil {
		return g.service.RoundTrip(r)
	}
	if here {
		if ends.arrives {
			if reply, err := g.service.RoundTrip(r.WithContext(context.WithoutCancel(r.Context()))); err == nil {
				_ = reply.Body.Close() // It is lost.
			}
		}
		close(ends.reached)
	}
	<-ends.over
	return nil, errDead
}

// writes reports whether a request to Vault, AWS or Google Cloud writes a secret.
func writes(r *http.Request) bool {
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return slices.Contains([]string{"CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"}, operation)
	}
	if strings.HasPrefix(r.URL.Path, "/google.") {
		return slices.Contains([]string{"CreateSecret", "AddSecretVersion"}, path.Base(r.URL.Path))
	}
	return (r.Method == http.MethodPut || r.Method == http.MethodPost) && strings.Contains(r.URL.Path, "/data/")
}

// kill runs an import into a store, and kills it at a point. It fails the test if the import
// ends before. Only its writes are points: what it does between two of them changes nothing
// that the next import meets.
func (g *gate) kill(t *testing.T, point int, program, source, store string) {
	t.Helper()
	ends := g.set(point)
	defer close(ends.over)
	to, environment := g.through(t, store)
	cmd := exec.CommandContext(t.Context(), program, "import", source, "--to", to) // #nosec G204 -- built by the test.
	var out strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ends.reached:
	case err := <-ended:
		t.Fatalf("the imports ended before their write %d (if a new token takes fewer writes now, say so in the table killed): %v\n%s", point, err, out.String())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !wasKilled(err) {
		t.Fatalf("the import ended by itself at its write %d: %v\n%s", point, err, out.String())
	}
}

// wasKilled reports whether a program, which has ended with err, was killed.
func wasKilled(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == -1
}
