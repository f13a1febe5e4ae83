// Package vaultserver starts a Vault server for one test, with integrated storage and
// TLS as in production. It can be killed, restarted, sealed and unsealed.
package vaultserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/integration/internal/need"
)

// Server is a running Vault server.
type Server struct {
	// Client has the root token.
	Client *api.Client

	dir, address, key string
	process           *exec.Cmd
	gone              chan struct{} // closed when the process has ended
}

// New starts a server, initialises and unseals it, and enables KV version 2 at
// "secret". It ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{dir: t.TempDir()}
	address, cluster := need.Address(t), need.Address(t)
	s.address = address
	writeCertificate(t, s.dir)
	config := fmt.Sprintf(`
disable_mlock = true
api_addr      = "https://%[1]s"
cluster_addr  = "https://%[2]s"
storage "raft" {
  path    = "%[3]s"
  node_id = "one"
}
listener "tcp" {
  address         = "%[1]s"
  cluster_address = "%[2]s"
  tls_cert_file   = "%[4]s"
  tls_key_file    = "%[5]s"
}
`, address, cluster, filepath.Join(s.dir, "raft"), filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem"))
	must(t, os.Mkdir(filepath.Join(s.dir, "raft"), 0o700))
	must(t, os.WriteFile(filepath.Join(s.dir, "config.hcl"), []byte(config), 0o600))
	c := api.DefaultConfig()
	must(t, c.Error)
	c.Address = "https://" + s.address
	must(t, c.ConfigureTLS(&api.TLSConfig{CACert: s.Certificate()}))
	client, err := api.NewClient(c)
	must(t, err)
	s.Client = client
	s.Start(t)
	t.Cleanup(func() { s.Kill() })

	started, err := client.Sys().InitWithContext(t.Context(), &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	must(t, err)
	s.key = started.Keys[0]
	client.SetToken(started.RootToken)
	s.Unseal(t)
	must(t, client.Sys().MountWithContext(t.Context(), "secret", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	s.Await(t, func(ctx context.Context) bool { // The engine starts in the background.
		_, err := client.KVv2("secret").Put(ctx, "started", map[string]any{"by": "the test"})
		return err == nil
	})
	return s
}

// Start starts the process and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer func() { _ = log.Close() }()                                                                                                                // The process has its own.
	s.process = exec.CommandContext(context.WithoutCancel(t.Context()), need.VaultBinary(t), "server", "-config="+filepath.Join(s.dir, "config.hcl")) // #nosec G204 -- the tests' own Vault.
	s.process.Stdout, s.process.Stderr = log, log
	must(t, s.process.Start())
	gone := make(chan struct{})
	s.gone = gone
	process := s.process
	go func() {
		_ = process.Wait()
		close(gone)
	}()
	s.Await(t, func(ctx context.Context) bool {
		_, err := s.Client.Sys().SealStatusWithContext(ctx)
		return err == nil
	})
}

// Address returns the host and port on which the server listens, with TLS.
func (s *Server) Address() string { return s.address }

// Certificate returns the file of the server's certificate, which is for 127.0.0.1 and
// any port.
func (s *Server) Certificate() string { return filepath.Join(s.dir, "cert.pem") }

// Kill ends the process as a power cut would.
func (s *Server) Kill() {
	_ = s.process.Process.Kill()
	<-s.gone
}

// Unseal unseals the server and waits until it is the active node.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	_, err := s.Client.Sys().UnsealWithContext(t.Context(), s.key)
	must(t, err)
	s.Await(t, func(ctx context.Context) bool {
		leader, err := s.Client.Sys().LeaderWithContext(ctx)
		return err == nil && leader.IsSelf
	})
}

// Await calls ready until it reports true.
func (s *Server) Await(t testing.TB, ready func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !ready(ctx) {
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("the server does not come up; its log ends:\n%s", log[max(0, len(log)-2000):])
		case <-s.gone:
			t.Fatal("the server has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Quick returns a client for the server that does not retry calls.
func (s *Server) Quick(t testing.TB) *api.Client {
	t.Helper()
	c := s.Client.CloneConfig()
	c.MaxRetries = 0
	if transport, ok := c.HttpClient.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = 64
	}
	client, err := api.NewClient(c)
	must(t, err)
	client.SetToken(s.Client.Token())
	return client
}

// writeCertificate writes a self-signed certificate for 127.0.0.1.
func writeCertificate(t testing.TB, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vault of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	write := func(name, kind string, data []byte) {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
	}
	write("cert.pem", "CERTIFICATE", cert)
	write("key.pem", "EC PRIVATE KEY", private)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
