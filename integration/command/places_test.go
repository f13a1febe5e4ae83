// The places where tokens can be: every kind of store that the command opens, on real
// servers, and the services in memory.

package command

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
)

// place is where tokens are kept.
type place struct {
	name string
	// open returns the URL of a new, empty store.
	open func(t *testing.T) string
}

// places are all of them. Vault is OpenBao, if the environment names that.
var places = []place{
	{name: "file", open: func(t *testing.T) string { return "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "tokens.txt")) }},
	{name: "vault", open: servers["vault"]},
	{name: "sqlite", open: func(t *testing.T) string {
		return "sqlite:" + filepath.ToSlash(filepath.Join(t.TempDir(), "tokens.db"))
	}},
	{name: "localstack", open: servers["localstack"]},
	{name: "mysql", open: onMySQL},
	{name: "gcp-in-memory", open: onGCP},
	{name: "memory", open: func(t *testing.T) string { return inMemory(t, memory.New()) }},
	{name: "aws-in-memory", open: onAWS},
}

// onMySQL makes a database, and drops it at the end of the test.
func onMySQL(t *testing.T) string {
	u, err := url.Parse(need.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ReplaceAll(strings.Trim(need.Prefix(t), "/"), "-", "_")
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd = "tcp", u.Host, u.Query().Get("user"), os.Getenv("MYSQL_PWD")
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	run := func(statement string) {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
			t.Error(err)
		}
	}
	run("CREATE DATABASE " + name)
	t.Cleanup(func() {
		run("DROP DATABASE " + name)
		_ = db.Close()
	})
	return "mysql://" + u.Host + "/" + name + "?user=" + url.QueryEscape(u.Query().Get("user"))
}

// onAWS serves the service in memory on a port of this machine.
func onAWS(t *testing.T) string {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	service := awssmtest.New(awssmtest.Config{Versions: 100, Labels: 20, Size: 65536, ReserveNames: true, RequestTokens: true, StrictNames: true}, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := service.Do(r)
		if err != nil {
			return // The client has gone.
		}
		defer func() { _ = reply.Body.Close() }() // It was only read.
		for name, values := range reply.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.StatusCode)
		_, _ = io.Copy(w, reply.Body) // Likewise.
	}))
	t.Cleanup(server.Close)
	return "awssm://" + need.Prefix(t) + "?region=eu-central-1&endpoint=" + url.QueryEscape(server.URL)
}

// onGCP serves the service in memory on a port of this machine.
func onGCP(t *testing.T) string {
	address, stop, err := gcpsmtest.New(gcpsmtest.Config{Size: 64 << 10}, nil).Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	return "gcpsm://test-project/" + strings.Trim(need.Prefix(t), "/") + "?endpoint=" + address
}

// inMemory keeps the secrets of a store in this process from one opening to the next. Only this
// process can open it.
func inMemory(t *testing.T, secrets driver.Secrets) string {
	scheme := "memory-" + strings.Trim(need.Prefix(t), "/")
	tokenstore.Register(scheme, func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		return secretstore.New(secrets, secretstore.WithEntries())
	})
	tokenstore.Describe(scheme, tokenstore.Usage{Example: scheme + ":", About: "a store of a test"})
	return scheme + ":"
}
