// Package unsent tells whether a failed HTTP request can have reached its server: one for
// which there was no connection cannot, and may be sent again without harm.
package unsent

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// Connection records whether a request got a connection.
type Connection struct{ asked, got atomic.Bool }

// Trace returns a context whose requests record it.
func Trace(ctx context.Context) (context.Context, *Connection) {
	c := &Connection{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
	}), c
}

// Never reports whether it is certain that nothing was sent. A transport that does not
// report its connections leaves that unknown.
func (c *Connection) Never() bool { return c.asked.Load() && !c.got.Load() }
