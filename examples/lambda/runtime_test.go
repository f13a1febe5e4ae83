// The program as Lambda runs it: built for provided.al2023, and given its events by the
// runtime API. Secrets Manager is the fake of package awssmtest, or the LocalStack that
// TOKENSTORE_TEST_AWS_ENDPOINT names.

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/zoho"
)

// build builds the program as README.md says.
func build(t *testing.T, arch string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", program, ".") // #nosec G204 -- this program
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// TestBothArchitectures: provided.al2023 starts a static program of its own architecture.
func TestBothArchitectures(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		f, err := elf.Open(build(t, arch))
		if err != nil {
			t.Fatal(err)
		}
		if f.Machine != machine || f.Section(".interp") != nil {
			t.Errorf("%s: machine %s, dynamic: %t", arch, f.Machine, f.Section(".interp") != nil)
		}
		_ = f.Close()
	}
}

// result is what the program answers to an event.
type result struct{ path, body string }

// runtimeAPI is the part of Lambda's runtime API that a program needs.
type runtimeAPI struct {
	events  chan string
	results chan result
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const invocation = "/2018-06-01/runtime/invocation/"
	if r.URL.Path == invocation+"next" {
		select {
		case <-r.Context().Done():
		case event := <-a.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(30*time.Second).UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:000000000000:function:company")
			_, _ = io.WriteString(w, event)
		}
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	a.results <- result{strings.TrimPrefix(r.URL.Path, invocation+"1/"), string(body)}
}

// secrets returns the endpoint of a Secrets Manager, and a store there.
func secrets(t *testing.T, prefix string) (endpoint string, store tokenstore.Store) {
	t.Helper()
	if endpoint = os.Getenv("TOKENSTORE_TEST_AWS_ENDPOINT"); endpoint == "" {
		fake := awssmtest.New(awssmtest.Real(), awssmtest.NewClock())
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reply, err := fake.Do(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			defer func() { _ = reply.Body.Close() }()
			for name := range reply.Header {
				w.Header().Set(name, reply.Header.Get(name))
			}
			w.WriteHeader(reply.StatusCode)
			_, _ = io.Copy(w, reply.Body)
		}))
		t.Cleanup(server.Close)
		endpoint = server.URL
	}
	store, err := awssm.New(secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}), awssm.WithPrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	return endpoint, store
}

// proxyTo returns the URL of a proxy through which Zoho's hosts are the given server, and
// the file of a certificate by which they are trusted.
func proxyTo(t *testing.T, accounts *accountstest.Server) (proxy, certificate string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"accounts.zoho.eu", "www.zohoapis.eu"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate = filepath.Join(t.TempDir(), "zoho.pem")
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := r.Clone(r.Context())
		own.URL.Scheme, own.URL.Host, own.RequestURI = "https", r.Host, ""
		reply, err := accounts.Client().Do(own) // #nosec G704 -- It leads to accounts, whatever the host.
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = reply.Body.Close() }()
		w.WriteHeader(reply.StatusCode)
		_, _ = io.Copy(w, reply.Body)
	}))
	there.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	there.StartTLS()
	t.Cleanup(there.Close)
	tunnel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hijacker, ok := w.(http.Hijacker)
		if r.Method != http.MethodConnect || !ok {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		server, err := new(net.Dialer).DialContext(context.WithoutCancel(r.Context()), "tcp", there.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := hijacker.Hijack()
		if err != nil {
			_ = server.Close()
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}))
	t.Cleanup(tunnel.Close)
	return tunnel.URL, certificate
}

// TestProgram starts the program and sends it three events: one whose token has ended, one
// that is answered from memory, and one of a stranger.
func TestProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program is built for Linux")
	}
	prefix := "lambda-" + strings.ToLower(rand.Text()[:10]) + "/"
	endpoint, store := secrets(t, prefix)
	config := accountstest.Zoho()
	config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
	accounts := accountstest.NewServer(config)
	t.Cleanup(accounts.Close)
	login := accounts.Login(accountstest.User{})
	login.Expiry = time.Now().Add(-time.Minute)
	token, err := store.SaveToken(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}

	api := &runtimeAPI{make(chan string), make(chan result)}
	server := httptest.NewServer(api)
	proxy, certificate := proxyTo(t, accounts)
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, build(t, runtime.GOARCH)) // #nosec G204 -- this program
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"), "TOKEN_PREFIX=" + prefix,
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + endpoint,
		"HTTPS_PROXY=" + proxy, "SSL_CERT_FILE=" + certificate,
	}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	for _, c := range []struct{ event, path, part string }{
		{event, "response", answer},
		{event, "response", answer},
		{`{"user":"nobody@example.com:1"}`, "error", "not found"},
	} {
		select {
		case api.events <- c.event:
		case err := <-ended:
			t.Fatalf("the program has ended: %v\n%s", err, log.String())
		}
		if got := <-api.results; got.path != c.path || !strings.Contains(got.body, c.part) {
			t.Errorf("%s: %s %s", c.event, got.path, got.body)
		}
	}
	stop()
	<-ended
	server.CloseClientConnections()
	server.Close()

	stored, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
	if err != nil || stored.AccessToken == token.AccessToken || !accounts.Alive(stored.AccessToken) {
		t.Errorf("the stored access token is not a new one that works: %v", err)
	}
	if got := accounts.Counts(); got.Redemptions != 1 || got.Calls != 2 {
		t.Errorf("%+v; want one redemption and two calls", got)
	}
	for _, secret := range []string{token.RefreshToken, stored.AccessToken} {
		if strings.Contains(log.String(), secret) {
			t.Error("a credential is in the log")
		}
	}
}
