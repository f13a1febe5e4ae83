// What the errors of MySQL and MariaDB mean for a store: their kind, and what to do.

package sqlstore

import (
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
)

// The codes that the store itself decides by. Source:
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html and, for
// MariaDB, https://mariadb.com/kb/en/mariadb-error-code-reference/.
const (
	mysqlNoTable        = 1146
	mysqlTableThere     = 1050
	mysqlColumnTwice    = 1060
	mysqlNoColumn       = 1054
	mysqlCollation      = 1267
	mysqlDuplicateIndex = 1061
	mysqlIndexPrefix    = 1089
	mysqlLockWait       = 1205
	mysqlUnknownHandler = 1243
	mysqlManyStatements = 1461
	mysqlReprepare      = 1615
	mysqlDeadlock       = 1213
)

const (
	adviceLogin    = "the login was refused; check the user, the password and the host from which it may connect"
	adviceGrant    = "the account lacks a right; grant it SELECT, INSERT, UPDATE and DELETE on the database, and CREATE and INDEX for the first start"
	adviceReadOnly = "the server may only be read; connect to the primary server"
	adviceLimit    = "the server has reached its limit of connections; retry later, or raise the limit"
	adviceFull     = "the disk or the table is full; make room, and retry"
	adviceValue    = "a column refuses the value; check the types and the character sets of the table's columns, of which utf8mb4 alone takes every character"
	adviceTrigger  = "a constraint or a trigger of the table refuses the change"
	adviceDown     = "the server is shutting down or the connection was ended; retry later"
)

// mysqlCodes says what a code means.
var mysqlCodes = map[uint16]struct {
	kind error
	says string
}{
	1040:                {tokenstore.ErrThrottled, adviceLimit},
	mysqlUnknownHandler: {tokenstore.ErrUnavailable, "the connection has lost a prepared statement; retry later"},
	mysqlReprepare:      {tokenstore.ErrUnavailable, "the table is being changed; retry later"},
	mysqlManyStatements: {tokenstore.ErrThrottled, "the server has reached its limit of prepared statements; retry later, or raise max_prepared_stmt_count"},
	1203:                {tokenstore.ErrThrottled, adviceLimit},
	1226:                {tokenstore.ErrThrottled, adviceLimit},
	1044:                {tokenstore.ErrDenied, adviceGrant},
	1142:                {tokenstore.ErrDenied, adviceGrant},
	1143:                {tokenstore.ErrDenied, adviceGrant},
	1227:                {tokenstore.ErrDenied, adviceGrant},
	1370:                {tokenstore.ErrDenied, adviceGrant},
	1045:                {tokenstore.ErrDenied, adviceLogin},
	1130:                {tokenstore.ErrDenied, adviceLogin},
	1698:                {tokenstore.ErrDenied, adviceLogin},
	1820:                {tokenstore.ErrDenied, "the password has expired; change it"},
	1862:                {tokenstore.ErrDenied, "the password has expired; change it"},
	3159:                {tokenstore.ErrDenied, "the server accepts encrypted connections only; set tls"},
	1049:                {tokenstore.ErrNoContainer, "there is no such database; create it, or check its name"},
	1046:                {tokenstore.ErrInvalidArgument, "no database is selected; name one"},
	mysqlNoTable:        {tokenstore.ErrUnreadable, "the table does not exist; check that nobody removed it, and open the store again"},
	mysqlNoColumn:       {tokenstore.ErrUnreadable, "the table has lost a column; open the store again"},
	mysqlCollation:      {tokenstore.ErrUnreadable, "the table has another character set now; open the store again"},
	mysqlLockWait:       {tokenstore.ErrUnavailable, "another connection holds the table; retry later, or set a longer busy timeout"},
	mysqlDeadlock:       {tokenstore.ErrUnavailable, "another connection holds the table; retry later, or set a longer busy timeout"},
	1053:                {tokenstore.ErrUnavailable, adviceDown},
	1077:                {tokenstore.ErrUnavailable, adviceDown},
	1079:                {tokenstore.ErrUnavailable, adviceDown},
	1317:                {tokenstore.ErrUnavailable, adviceDown},
	1927:                {tokenstore.ErrUnavailable, adviceDown},
	4031:                {tokenstore.ErrUnavailable, adviceDown},
	1021:                {tokenstore.ErrQuota, adviceFull},
	1114:                {tokenstore.ErrQuota, adviceFull},
	1036:                {tokenstore.ErrDenied, adviceReadOnly},
	1290:                {tokenstore.ErrDenied, adviceReadOnly},
	1792:                {tokenstore.ErrDenied, adviceReadOnly},
	1836:                {tokenstore.ErrDenied, adviceReadOnly},
	1406:                {tokenstore.ErrTooLarge, "a value is longer than its column; widen the column"},
	1118:                {tokenstore.ErrTooLarge, "a row is longer than the server stores"},
	1153:                {tokenstore.ErrTooLarge, "a value is longer than the server's max_allowed_packet"},
	1048:                {tokenstore.ErrInvalidToken, adviceValue},
	1264:                {tokenstore.ErrInvalidToken, adviceValue},
	1265:                {tokenstore.ErrInvalidToken, adviceValue},
	1292:                {tokenstore.ErrInvalidToken, adviceValue},
	1366:                {tokenstore.ErrInvalidToken, adviceValue},
	1364:                {tokenstore.ErrInvalidToken, adviceValue},
	1062:                {tokenstore.ErrInvalidToken, "a unique index of the table holds such a value already, perhaps in other case; choose another ID, or drop the index"},
	1369:                {tokenstore.ErrInvalidToken, adviceTrigger},
	1451:                {tokenstore.ErrInvalidToken, adviceTrigger},
	1452:                {tokenstore.ErrInvalidToken, adviceTrigger},
	1644:                {tokenstore.ErrInvalidToken, adviceTrigger},
	3819:                {tokenstore.ErrInvalidToken, adviceTrigger},
	4025:                {tokenstore.ErrInvalidToken, adviceTrigger},
	1064:                {tokenstore.ErrInvalidArgument, "the server does not understand a statement; it must be MySQL 5.7 or MariaDB 10.2, or newer"},
	mysqlIndexPrefix:    {tokenstore.ErrInvalidArgument, "a column cannot be indexed"},
}

// mysqlCode returns the code of a server's error, 0 if it is none.
func mysqlCode(err error) uint16 {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return 0
	}
	return e.Number
}

func (mysqlDialect) words(err error) string {
	code := mysqlCode(err)
	if known, ok := mysqlCodes[code]; ok {
		return fmt.Sprintf("error %d of the server: %s", code, known.says)
	}
	if code != 0 {
		return fmt.Sprintf("error %d of the server, whose text is not shown, as it may hold a value", code)
	}
	for _, c := range clientFaults {
		if c.is(err) {
			return c.says
		}
	}
	if lost(err) {
		return "the connection to the server is lost or was refused; check that it runs, its address and its TLS settings, and retry"
	}
	return ""
}

func (mysqlDialect) kind(err error) error {
	if known, ok := mysqlCodes[mysqlCode(err)]; ok {
		return known.kind
	}
	for _, c := range clientFaults {
		if c.is(err) {
			return c.kind
		}
	}
	if lost(err) {
		return tokenstore.ErrUnavailable
	}
	return nil
}

// clientFaults are the faults that the driver finds itself.
var clientFaults = []struct {
	is   func(error) bool
	kind error
	says string
}{
	{unknownHost, tokenstore.ErrUnavailable, "the host's name is not known; check it"},
	{untrusted, tokenstore.ErrDenied, "the server's certificate cannot be verified; name the certificate of its authority with ca, " +
		"and the server as the certificate does"},
	{matches(mysql.ErrNoTLS), tokenstore.ErrDenied, "the server does not offer TLS; enable it there, or set tls=false if the network is trusted"},
	{matches(mysql.ErrPktTooLarge), tokenstore.ErrTooLarge, "the values are longer than the driver's MaxAllowedPacket"},
	{matches(mysql.ErrUnknownPlugin, mysql.ErrCleartextPassword, mysql.ErrNativePassword, mysql.ErrOldPassword, mysql.ErrOldProtocol),
		tokenstore.ErrDenied, "the account has a way to log in that is not supported; create it with a password of the server's default kind"},
}

func matches(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func unknownHost(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

func untrusted(err error) bool {
	var e *tls.CertificateVerificationError
	return errors.As(err, &e)
}

// lost reports whether a connection failed.
func lost(err error) bool {
	var network net.Error
	return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

// busy says that a transaction was refused because of others, or lost its connection before
// its commit, so that nothing of it has happened.
func (d mysqlDialect) busy(err error) bool {
	var unknown *unknownOutcome
	if errors.As(err, &unknown) {
		return false
	}
	code := mysqlCode(err)
	return d.forgotten(err) || code == mysqlLockWait || code == mysqlDeadlock || code == 1040 || lost(err) && !unknownHost(err)
}

func (mysqlDialect) forgotten(err error) bool {
	code := mysqlCode(err)
	return code == mysqlUnknownHandler || code == mysqlReprepare || code == mysqlManyStatements
}

func (mysqlDialect) outdated(err error) bool {
	code := mysqlCode(err)
	return code == mysqlNoTable || code == mysqlNoColumn || code == mysqlCollation
}
