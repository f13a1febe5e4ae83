// Opening a MySQL or MariaDB database, by the driver's own configuration or by a URL.

package sqlstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
)

func init() {
	for _, scheme := range []string{"mysql", "mariadb"} {
		tokenstore.Register(scheme, openMySQLURL)
		tokenstore.Describe(scheme, tokenstore.Usage{
			Example: scheme + "://db.example.com/zohooauth?user=app", About: "a MySQL or MariaDB database with the SDKs' table", ReadOnly: true,
		})
	}
}

// OpenMySQL opens a database of MySQL 5.7 or MariaDB 10.2, or newer. The configuration is
// the driver's (mysql.NewConfig); it is not changed. The store's own connections use
// UTF-8 and refuse values that a column would cut, whatever the server's settings. Close
// the store after use.
func OpenMySQL(ctx context.Context, configuration *mysql.Config, options ...Option) (*Store, error) {
	c, err := configure(options)
	if err != nil {
		return nil, failure("open", "", nil, err)
	}
	if configuration == nil || configuration.DBName == "" {
		return nil, failure("open", "", nil, fmt.Errorf("%w: name a database; the SDKs' is zohooauth", tokenstore.ErrInvalidArgument))
	}
	connector, err := mysql.NewConnector(settingsFor(configuration, c.busyTimeout))
	if err != nil {
		return nil, failure("open", "", nil, fmt.Errorf("%w: the driver does not accept the configuration", tokenstore.ErrInvalidArgument))
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	db.SetConnMaxIdleTime(idleTime)
	s, err := New(ctx, db, MySQL(), options...)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	s.owned = true
	s.address = s.identity(ctx, configuration)
	return s, nil
}

// identity returns what tells the table from all others, by whatever name its server is
// reached: the server's own names of itself, and when the table was created.
func (s *Store) identity(ctx context.Context, configuration *mysql.Config) string {
	var own sql.NullString
	err := s.db.QueryRowContext(ctx, "SELECT CONCAT_WS(' ', @@hostname, @@port, @@datadir, DATABASE(), create_time) "+
		"FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", s.config.table).Scan(&own)
	if err != nil || !own.Valid {
		return configuration.Net + " " + configuration.Addr + " " + configuration.DBName
	}
	return own.String
}

// idleTime ends connections before servers and load balancers do.
const idleTime = 3 * time.Minute

// settingsFor returns a copy of the configuration with what the store relies on.
func settingsFor(configuration *mysql.Config, busy time.Duration) *mysql.Config {
	c := configuration.Clone()
	c.Params = maps.Clone(c.Params)
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	c.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
	c.Params["innodb_lock_wait_timeout"] = strconv.Itoa(max(int(busy/time.Second), 1))
	c.Collation = "utf8mb4_general_ci"
	c.ParseTime, c.MultiStatements, c.InterpolateParams = true, false, false
	c.Logger = silence{} // Errors are returned; the driver's words go nowhere.
	return c
}

type silence struct{}

func (silence) Print(...any) {}

// The parameters of a URL beside those of every table.
const (
	paramUser   = "user"
	paramFile   = "defaults_file"
	paramSocket = "socket"
	paramTLS    = "tls"
	paramCA     = "ca"
)

// passwordVariable is the variable that MySQL's own programs read.
const passwordVariable = "MYSQL_PWD" // #nosec G101 -- a name.

func openMySQLURL(ctx context.Context, u *url.URL) (tokenstore.OpenStore, error) {
	configuration, options, err := parseMySQL(u)
	if err != nil {
		return nil, err
	}
	s, err := OpenMySQL(ctx, configuration, options...)
	if configuration.Passwd != "" || !refusesLogin(err) {
		return orNil(s, err)
	}
	// An account may need no password, so that a person is asked only now.
	password, fault := tokenstore.Ask(ctx, "password of "+configuration.User+" at "+configuration.Addr)
	switch {
	case fault != nil:
		return nil, failure("ask for the password", "", nil, fault)
	case password == "":
		return nil, err
	}
	configuration.Passwd = password
	return orNil(OpenMySQL(ctx, configuration, options...))
}

// orNil returns a store as an interface, which is nil if there is none.
func orNil(s *Store, err error) (tokenstore.OpenStore, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// The numbers with which a server refuses a login.
const (
	accessDenied   = 1045 // ER_ACCESS_DENIED_ERROR
	accessNoPasswd = 1698 // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
)

// refusesLogin reports whether the server knows no such account with such a password.
func refusesLogin(err error) bool {
	var said *mysql.MySQLError
	return errors.As(err, &said) && (said.Number == accessDenied || said.Number == accessNoPasswd)
}

// parseMySQL returns what a URL such as "mysql://db.example.com/zohooauth?user=app" says.
func parseMySQL(u *url.URL) (*mysql.Config, []Option, error) {
	fail := func(err error) (*mysql.Config, []Option, error) {
		return nil, nil, &tokenstore.Error{Op: "open " + u.Scheme, Kind: tokenstore.ErrInvalidArgument, Err: err}
	}
	if err := tokenstore.CheckParams(u, paramUser, paramFile, paramSocket, paramTLS, paramCA, paramTable, paramBusy, paramUpgrade, paramRead); err != nil {
		return nil, nil, err
	}
	if u.Opaque != "" || u.Fragment != "" || strings.Contains(strings.Trim(u.Path, "/"), "/") {
		return fail(errors.New("write the URL as " + u.Scheme + "://host:port/database?user=name"))
	}
	query := u.Query()
	if u.Host != "" && query.Has(paramSocket) {
		return fail(errors.New("a URL with a " + paramSocket + " must not name a host; write " + u.Scheme + ":///database?socket=/path"))
	}
	options, err := tableOptions(query)
	if err != nil {
		return fail(err)
	}
	file := clientFile{}
	if path := query.Get(paramFile); query.Has(paramFile) {
		if file, err = readClientFile(path); err != nil {
			return fail(fmt.Errorf("%s: %w", paramFile, err))
		}
	}
	c := mysql.NewConfig()
	c.DBName = cmp.Or(strings.Trim(u.Path, "/"), file["database"])
	c.User = cmp.Or(query.Get(paramUser), file["user"])
	c.Passwd = cmp.Or(file["password"], os.Getenv(passwordVariable))
	c.Net, c.Addr = address(u, cmp.Or(query.Get(paramSocket), file["socket"]), file)
	if err := secure(c, query.Get(paramTLS), cmp.Or(query.Get(paramCA), file["ssl-ca"])); err != nil {
		return fail(err)
	}
	if c.User == "" || c.DBName == "" {
		return fail(fmt.Errorf("the URL needs a database and a user, as in %s://host/zohooauth?user=name; the password comes from the file of %s, or from %s", u.Scheme, paramFile, passwordVariable))
	}
	return c, options, nil
}

// address returns where the server is: the URL's host, else a socket, else the file's host,
// else this machine.
func address(u *url.URL, socket string, file clientFile) (network, address string) {
	if u.Hostname() == "" && socket != "" {
		return "unix", socket
	}
	host := cmp.Or(u.Hostname(), file["host"], "127.0.0.1")
	return "tcp", net.JoinHostPort(host, cmp.Or(u.Port(), file["port"], "3306"))
}

// secure sets up TLS: verified, unless the server is on this machine or the parameter says
// otherwise.
func secure(c *mysql.Config, mode, ca string) error {
	host, _, _ := net.SplitHostPort(c.Addr)
	ip := net.ParseIP(host)
	local := c.Net == "unix" || host == "localhost" || ip != nil && ip.IsLoopback()
	switch mode {
	case "":
		if local && ca == "" {
			return nil
		}
	case "true":
	case "false":
		return nil
	default:
		return errors.New("parameter " + paramTLS + " must be true or false")
	}
	settings := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca) // #nosec G304 -- The URL chooses the file.
		if err != nil {
			return fmt.Errorf("%s: the file cannot be read", paramCA)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s: the file has no certificate in PEM form", paramCA)
		}
	}
	c.TLS = settings
	return nil
}
