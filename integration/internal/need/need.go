// Package need gives a test the real servers that it runs against.
//
// Environment variables name the servers (integration/README.md lists them); the
// scripts of ci/servers start one and set them. If a server is not named and a Docker
// engine answers, it is started in a container. Otherwise the test says what it needs
// and is skipped, or fails if TOKENSTORE_INTEGRATION is "required".
//
// All tests of a run share a server, so each test uses its own names: see [Prefix].
package need

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The environment variables that name the servers.
const (
	EnvRequired    = "TOKENSTORE_INTEGRATION"       // "required": a missing server is a failure
	EnvAWS         = "TOKENSTORE_TEST_AWS_ENDPOINT" // http://host:port of LocalStack
	EnvVaultAddr   = "VAULT_ADDR"
	EnvVaultToken  = "VAULT_TOKEN"
	EnvVaultBinary = "TOKENSTORE_TEST_VAULT_BINARY" // the program vault
	EnvMySQL       = "TOKENSTORE_TEST_MYSQL"        // mysql://host:port/database?user=name, the password in MYSQL_PWD
	EnvMySQLServer = "TOKENSTORE_TEST_MYSQL_SERVER" // the program mariadbd
	EnvZohoPython  = "TOKENSTORE_TEST_ZOHO_PYTHON"  // a Python with zohocrmsdk8_0
	EnvZohoNode    = "TOKENSTORE_TEST_ZOHO_NODE"    // a folder with node_modules
)

// Main runs the tests of a package and removes the containers that they started. A
// package that uses AWS or Vault calls it in its TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(need.Main(m)) }
func Main(m *testing.M) int {
	status := m.Run()
	if err := errors.Join(localstack.close(), vault.close()); err != nil {
		fmt.Fprintln(os.Stderr, "removing containers:", err)
		status = max(status, 1)
	}
	return status
}

// Command builds the operator's command and returns the path of the program. It is for
// packages two folders below the module's root.
func Command(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tokenstore")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/tokenstore") // #nosec G204 -- this project's own.
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// AWS returns the endpoint of a LocalStack with Secrets Manager. It accepts any region
// and the credentials "test" and "test".
func AWS(t testing.TB) string {
	t.Helper()
	const hint = "LocalStack: start Docker, run the tests through ci/servers/localstack.sh"
	localstack.open(t, EnvAWS, hint)
	return variable(t, EnvAWS, hint)
}

// Vault returns the address of a Vault server and a token with all permissions. The
// mount "secret" is a KV version 2 engine.
func Vault(t testing.TB) (address, token string) {
	t.Helper()
	const hint = "Vault: start Docker, run the tests through ci/servers/vault.sh"
	vault.open(t, EnvVaultAddr, hint)
	return variable(t, EnvVaultAddr, hint), variable(t, EnvVaultToken, hint)
}

// VaultBinary returns the path of the program vault, for tests that start their own
// server to restart, seal or kill it.
func VaultBinary(t testing.TB) string {
	t.Helper()
	return variable(t, EnvVaultBinary, "the program vault: run the tests through ci/servers/vault.sh")
}

// MySQL returns the URL of a database on a MySQL or MariaDB server, without parameters but
// the user. The account may create databases and accounts.
func MySQL(t testing.TB) string {
	t.Helper()
	return variable(t, EnvMySQL, "MariaDB: run the tests through ci/servers/mariadb.sh")
}

// MySQLServer returns the path of mariadbd, for tests that start their own server to kill it
// or to configure it otherwise.
func MySQLServer(t testing.TB) string {
	t.Helper()
	return variable(t, EnvMySQLServer, "the program mariadbd: run the tests through ci/servers/mariadb.sh")
}

// ZohoPython returns the path of a Python that can import zohocrmsdk.
func ZohoPython(t testing.TB) string {
	t.Helper()
	return variable(t, EnvZohoPython, "the Zoho SDK for Python: run the tests through ci/servers/sdk.sh")
}

// ZohoNode returns the path of node and of a folder whose node_modules has the
// package @zohocrm/nodejs-sdk-8.0: run node there.
func ZohoNode(t testing.TB) (node, folder string) {
	t.Helper()
	folder = variable(t, EnvZohoNode, "the Zoho SDK for Node.js: run the tests through ci/servers/sdk.sh")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		t.Fatalf("%s: %v", EnvZohoNode, err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "needs node on the path")
	}
	return node, folder
}

// Prefix returns a prefix for secret names that no other test uses: the test's name and
// a random part, in lower-case letters, digits and hyphens, ending in a slash.
func Prefix(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	return name[:min(len(name), 40)] + "-" + strings.ToLower(rand.Text()[:10]) + "/"
}

// variable returns the value of the environment variable name. Without one it ends the
// test with a hint about what is needed.
func variable(t testing.TB, name, hint string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		missing(t, needed(hint, name))
	}
	return value
}

func needed(hint, variable string) string { return "needs " + hint + ", or set " + variable }

// missing fails or skips the test.
func missing(t testing.TB, message string) {
	t.Helper()
	if os.Getenv(EnvRequired) == "required" {
		t.Fatalf("%s (%s=required)", message, EnvRequired)
	}
	t.Skip(message)
}
