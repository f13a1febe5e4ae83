// How a connection is opened: with the settings that the store relies on.

package sqlstore

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"modernc.org/sqlite"
)

// connector prepares each connection under the context of the call that needs it.
// Parameters in the data source, the driver's own way, would wait for a locked
// database without watching the context.
type connector struct {
	driver.Connector
	path       string
	statements []string
}

// newConnector returns a connector for the file of a data source, which is at path. A commit is
// on the disk when it returns (synchronous 3 is EXTRA), and what is deleted is
// overwritten. The journal mode stays what it is.
func newConnector(source string, busy time.Duration, path string) (driver.Connector, error) {
	plain, err := sqlite.NewConnector(source)
	if err != nil {
		return nil, err
	}
	return connector{plain, path, []string{
		"PRAGMA busy_timeout = " + strconv.FormatInt(busy.Milliseconds(), 10),
		"PRAGMA synchronous = 3",
		"PRAGMA secure_delete = 1",
	}}, nil
}

// Connect opens a connection and prepares it.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := checkFiles(c.path); err != nil {
		return nil, err
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c connector) prepare(ctx context.Context, conn driver.Conn) error {
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("the driver's connection is a %T without ExecContext", conn)
	}
	for _, s := range c.statements {
		if _, err := execer.ExecContext(ctx, s, nil); err != nil {
			return err
		}
	}
	return nil
}
