package mysql_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/sqlstore"
)

// A server is one of the test's own: it may be killed and configured.
type server struct {
	program, folder, address string
	settings                 []string
	cmd                      *exec.Cmd
	ended                    chan struct{}
}

// identified gives an account the password that all tests use.
func identified() string { return " IDENTIFIED BY '" + os.Getenv("MYSQL_PWD") + "'" }

// newServer starts a server with an account "own".
func newServer(t *testing.T, settings ...string) *server {
	t.Helper()
	s := &server{program: need.MySQLServer(t), settings: settings}
	var err error
	//nolint:usetesting // The server, as its own user, must reach the folder.
	s.folder, err = os.MkdirTemp("", "tokenstore-mariadb")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(s.folder) })
	must(t, os.Chmod(s.folder, 0o755)) // #nosec G302 -- the server has its own user.
	must(t, os.Mkdir(s.temporary(), 0o700))
	must(t, os.Chmod(s.temporary(), 0o777)) // #nosec G302 -- as above.
	s.address = need.Address(t)
	// On a busy machine it failed once. What it creates is not under test.
	for try := 1; ; try++ {
		install := exec.CommandContext(t.Context(), "mariadb-install-db", append(s.arguments(), "--auth-root-authentication-method=normal", "--skip-test-db")...) // #nosec G204 -- the test's own.
		install.Env = s.environment()
		out, err := install.CombinedOutput()
		if err == nil {
			break
		}
		if t.Logf("mariadb-install-db: %v\n%s", err, out); try == 3 {
			t.FailNow()
		}
		must(t, os.RemoveAll(filepath.Join(s.folder, "data")))
	}
	s.start(t)
	t.Cleanup(func() { s.kill(t) })
	return s
}

// arguments are those of all programs of the server. As root, it becomes another user.
func (s *server) arguments() []string {
	all := []string{"--no-defaults", "--datadir=" + filepath.Join(s.folder, "data")}
	if os.Getuid() == 0 {
		all = append(all, "--user=mysql")
	}
	return all
}

// temporary is the folder of the server's temporary files. A server that starts removes those
// that others have in the same folder.
func (s *server) temporary() string { return filepath.Join(s.folder, "tmp") }

func (s *server) environment() []string { return append(os.Environ(), "TMPDIR="+s.temporary()) }

func (s *server) start(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.address)
	must(t, err)
	init := filepath.Join(s.folder, "init.sql")
	must(t, os.WriteFile(init, []byte("CREATE DATABASE IF NOT EXISTS tokens;\nCREATE USER IF NOT EXISTS own@'%'"+identified()+";\nGRANT ALL ON *.* TO own@'%' WITH GRANT OPTION;\n"), 0o644)) // #nosec G306 -- the server reads it.
	arguments := append(s.arguments(), "--socket="+filepath.Join(s.folder, "data", "s"), "--pid-file="+filepath.Join(s.folder, "data", "pid"),
		"--port="+port, "--bind-address=127.0.0.1", "--skip-name-resolve", "--init-file="+init, "--innodb-buffer-pool-size=32M")
	s.cmd = exec.Command(s.program, append(arguments, s.settings...)...) // #nosec G204 -- the test's own.
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer func() { _ = log.Close() }()
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Env = log, log, s.environment()
	must(t, s.cmd.Start())
	s.ended = make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	db := s.database().connect(t, "tokens")
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = db.PingContext(t.Context()); err == nil {
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the server did not start: %v\n%s", err, text)
		}
	}
}

// kill ends the server as a crash would.
func (s *server) kill(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Kill() // It may have ended.
	<-s.ended
}

// database is the server's only one.
func (s *server) database() database {
	return database{url: &url.URL{Host: s.address, RawQuery: "user=own"}, name: "tokens"}
}

// crashed reports whether the server has ended by itself.
func (s *server) crashed() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// certificates writes those of an authority and of a server to a folder, the latter for
// 127.0.0.1.
func certificates(t *testing.T, folder string) {
	t.Helper()
	write := func(name, kind string, data []byte) {
		must(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o644)) // #nosec G306 -- the server reads it.
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	must(t, err)
	write("ca.pem", "CERTIFICATE", der)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	own := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err = x509.CreateCertificate(rand.Reader, own, authority, key.Public(), authorityKey)
	must(t, err)
	write("server.pem", "CERTIFICATE", der)
	der, err = x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	write("key.pem", "PRIVATE KEY", der)
}

// TestTLS opens a server whose certificate is of an authority of its own, by URL.
func TestTLS(t *testing.T) {
	t.Parallel()
	//nolint:usetesting // The server, as its own user, must reach the folder.
	folder, err := os.MkdirTemp("", "tokenstore-tls")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o755)) // #nosec G302 -- the server has its own user.
	certificates(t, folder)
	own := newServer(t, "--ssl-cert="+filepath.Join(folder, "server.pem"), "--ssl-key="+filepath.Join(folder, "key.pem"))
	ca := "&ca=" + url.QueryEscape(filepath.Join(folder, "ca.pem"))
	run(t, own.database().connect(t, "tokens"), "CREATE USER encrypted@'%'"+identified()+" REQUIRE SSL", "GRANT ALL ON tokens.* TO encrypted@'%'")
	_, port, err := net.SplitHostPort(own.address)
	must(t, err)
	for name, c := range map[string]struct {
		url  string
		kind error
	}{
		"verified":            {"mysql://127.0.0.1:" + port + "/tokens?user=encrypted" + ca, nil},
		"without authority":   {"mysql://127.0.0.1:" + port + "/tokens?user=encrypted&tls=true", tokenstore.ErrDenied},
		"another name":        {"mysql://localhost:" + port + "/tokens?user=encrypted" + ca, tokenstore.ErrDenied},
		"no TLS":              {"mysql://127.0.0.1:" + port + "/tokens?user=own&tls=false", nil},
		"no TLS by default":   {"mysql://127.0.0.1:" + port + "/tokens?user=own", nil},
		"no TLS, but wanted":  {"mysql://127.0.0.1:" + port + "/tokens?user=encrypted&tls=false", tokenstore.ErrDenied},
		"TLS that is not had": {need.MySQL(t) + "&tls=true", tokenstore.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := tokenstore.Open(t.Context(), c.url)
			if err == nil {
				defer func() { _ = s.Close() }()
				save(t, s, full("u1", "1"))
			}
			if !errors.Is(err, c.kind) {
				t.Errorf("%v, want %v", err, c.kind)
			}
		})
	}
}

// TestReadOnlyServer has a server that accepts no writes, as a replica does.
func TestReadOnlyServer(t *testing.T) {
	t.Parallel()
	own := newServer(t)
	d := own.database()
	s := d.open(t)
	saved := save(t, s, full("u1", "1"))
	root := d.connect(t, "tokens")
	run(t, root, "CREATE USER plain@'%'"+identified(), "GRANT ALL ON tokens.* TO plain@'%'", "SET GLOBAL read_only = ON")
	c := d.config("tokens")
	c.User = "plain"
	replica, err := sqlstore.OpenMySQL(t.Context(), c)
	must(t, err)
	defer func() { _ = replica.Close() }()
	if got := find(t, replica, tokenstore.OAuthToken{UserName: "u1"}); got != saved {
		t.Errorf("found %v", got)
	}
	_, err = replica.SaveToken(t.Context(), full("u1", "hush"))
	wantError(t, err, tokenstore.ErrDenied, "connect to the primary server")
	findings, err := replica.Diagnose(t.Context(), tokenstore.RoleWriter)
	must(t, err)
	denied := 0
	for _, f := range findings {
		if strings.HasPrefix(f.Code, "denied-") {
			denied++
			if !strings.Contains(f.Repair, "primary server") {
				t.Errorf("of a server that may only be read: %+v", f)
			}
		}
	}
	if denied == 0 {
		t.Errorf("nothing of a server that may only be read: %+v", findings)
	}
}
