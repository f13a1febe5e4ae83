// The example of a Go service beside a program of the Python SDK, as examples/sharedtable
// has them: both unchanged, on one table, with Zoho's hosts in the test.

package sdk

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/zoho"
)

const sharedTable = "../../examples/sharedtable"

// zohoHosts serves Zoho's hosts of the EU from accounts, through a proxy. It returns the
// environment in which programs use it.
func zohoHosts(t *testing.T, accounts *accountstest.Server) []string {
	t.Helper()
	var names []string
	for _, base := range []string{zoho.EU.AccountsURL(), zoho.EU.APIDomain()} {
		names = append(names, strings.TrimPrefix(base, "https://"))
	}
	certificate, file := certify(t, names)
	target, err := url.Parse(accounts.URL)
	if err != nil {
		t.Fatal(err)
	}
	hosts := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }})
	hosts.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	hosts.StartTLS()
	t.Cleanup(hosts.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != names[0]+":443" && r.Host != names[1]+":443" {
			http.Error(w, "not a host of Zoho's", http.StatusForbidden)
			return
		}
		to, err := new(net.Dialer).DialContext(r.Context(), "tcp", hosts.Listener.Addr().String())
		if err != nil {
			http.Error(w, "unreachable", http.StatusBadGateway)
			return
		}
		from, read, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = to.Close()
			return
		}
		// What read has in its buffer is the client's too.
		go func() { _, _ = io.Copy(to, read); _ = to.Close() }()
		go func() {
			_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
			_, _ = io.Copy(from, to)
			_ = from.Close()
		}()
	}))
	t.Cleanup(proxy.Close)
	return []string{"HTTPS_PROXY=" + proxy.URL, "https_proxy=" + proxy.URL, "SSL_CERT_FILE=" + file, "REQUESTS_CA_BUNDLE=" + file}
}

// certify returns a certificate for the names, and a file with it.
func certify(t *testing.T, names []string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// goService runs the example, and returns a function that asks it for a user's company.
func goService(t *testing.T, environment []string) func(user string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sharedtable")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".") // #nosec G204 -- this project's own.
	build.Dir = sharedTable
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program) // #nosec G204 -- as above.
	cmd.Env = append(append(os.Environ(), environment...), "LISTEN=127.0.0.1:0")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(log).ReadString('\n')
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
			t.Errorf("the service ended: %v", err)
		}
	})
	_, address, ok := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the service said %q, %v", line, err)
	}
	return func(user string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/company?user="+url.QueryEscape(user), nil)
		if err != nil {
			return err.Error()
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
}

// sdkProgram runs sdk.py, and returns a function that asks it for the user's company.
func sdkProgram(t *testing.T, environment []string) func() string {
	t.Helper()
	script, err := filepath.Abs(filepath.Join(sharedTable, "sdk.py"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), need.ZohoPython(t), "-B", script) // #nosec G204 -- this project's own.
	cmd.Env = append(os.Environ(), environment...)
	cmd.Dir = t.TempDir() // The SDK writes files where it runs.
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("sdk.py ended: %v", err)
		}
	})
	lines := bufio.NewReader(out)
	return func() string {
		if _, err := io.WriteString(in, "\n"); err != nil {
			return err.Error()
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(line)
	}
}

// TestSharedTable has both programs run on one table: what one refreshes, the other calls
// with, in both directions, and at the same time.
func TestSharedTable(t *testing.T) {
	t.Run("mysql", func(t *testing.T) { sharesTable(t, newDatabase(t)) })
	t.Run("sqlite", func(t *testing.T) { sharesTable(t, "sqlite:"+filepath.Join(t.TempDir(), "zohooauth.db")) })
}

func sharesTable(t *testing.T, place string) {
	config := accountstest.Zoho()
	config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
	accounts := accountstest.NewServer(config)
	t.Cleanup(accounts.Close)
	granted := accounts.Login(accountstest.User{})
	user := granted.UserName
	environment := append(zohoHosts(t, accounts), "TOKEN_STORE="+place)
	askSDK := sdkProgram(t, append(environment, "ZOHO_USER="+user, "ZOHO_REFRESH_TOKEN="+granted.RefreshToken,
		"ZOHO_CLIENT_ID="+granted.ClientID, "ZOHO_CLIENT_SECRET="+granted.ClientSecret))
	askGo := goService(t, environment)
	table := openURL(t, place)

	const company = "An Organization"
	served := func(who, answer string) {
		t.Helper()
		if !strings.Contains(answer, company) {
			t.Errorf("%s: %s", who, answer)
		}
	}
	redeemed := func(want int) tokenstore.OAuthToken {
		t.Helper()
		row, err := table.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
		if err != nil {
			t.Fatal(err)
		}
		if n := accounts.Counts().Redemptions; n != want || !accounts.Alive(row.AccessToken) || row.RefreshToken != granted.RefreshToken {
			t.Fatalf("%d redemptions, want %d; the table has %v, whose access token is alive: %v", n, want, row, accounts.Alive(row.AccessToken))
		}
		return row
	}
	end := func(row tokenstore.OAuthToken) {
		t.Helper()
		accounts.EndAccess(row.AccessToken)
		if _, err := table.SaveToken(t.Context(), tokenstore.OAuthToken{ID: row.ID, Expiry: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}

	served("the SDK", askSDK()) // It redeems, and inserts the row.
	first := redeemed(1)
	served("Go", askGo(user)) // with the SDK's access token
	redeemed(1)

	end(first)
	served("Go", askGo(user)) // It refreshes.
	second := redeemed(2)
	served("the SDK", askSDK()) // with Go's access token
	redeemed(2)

	end(second)
	served("the SDK", askSDK()) // It refreshes, while Go remembers a token that has ended.
	third := redeemed(3)
	served("Go", askGo(user))
	redeemed(3)

	end(third)
	var both sync.WaitGroup
	both.Go(func() { served("the SDK", askSDK()) })
	both.Go(func() { served("Go", askGo(user)) })
	both.Wait()
	if n := accounts.Counts().Redemptions; n != 4 && n != 5 {
		t.Errorf("%d redemptions, want one or two more", n)
	}
	last := redeemed(accounts.Counts().Redemptions)
	served("the SDK", askSDK())
	served("Go", askGo(user))
	redeemed(accounts.Counts().Redemptions)
	if tokens, err := table.GetTokens(t.Context()); err != nil || len(tokens) != 1 || tokens[0].ID != last.ID {
		t.Errorf("the table has %v, %v; want one row", tokens, err)
	}
}
