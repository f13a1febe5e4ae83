package tokenstore

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// OpenStore is a store that was opened by a URL. Close releases what it holds;
// the store cannot be used afterwards.
type OpenStore interface {
	Store
	io.Closer
}

// OpenFunc opens the store that a URL names. It refuses parameters that it does
// not know; [CheckParams] does that.
type OpenFunc func(ctx context.Context, u *url.URL) (OpenStore, error)

var (
	openersMu sync.RWMutex
	openers   = map[string]OpenFunc{}
)

// Register makes a scheme known to [Open]. Packages of stores call it when they
// are initialised, as drivers of database/sql do. A scheme that is registered
// again is replaced.
func Register(scheme string, open OpenFunc) {
	openersMu.Lock()
	defer openersMu.Unlock()
	openers[scheme] = open
}

// Schemes returns the registered schemes, sorted.
func Schemes() []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	return slices.Sorted(maps.Keys(openers))
}

// Open opens the store that a URL names, for example "sqlite:tokens.db". The
// package that serves the scheme must be imported, if only for its side effect:
//
//	import _ "example.com/tokenstore/sqlstore"
//
// A URL holds no credentials: credentials come from the environment, as each
// package says. An error matches ErrInvalidArgument if the URL cannot be used,
// and never quotes it. Close the store after use.
func Open(ctx context.Context, rawURL string) (OpenStore, error) {
	invalid := func(format string, args ...any) error {
		return &Error{Op: "open", Kind: ErrInvalidArgument, Err: fmt.Errorf(format, args...)}
	}
	known := strings.Join(Schemes(), ", ")
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, invalid("this is not a URL; known schemes: %s", known)
	}
	if u.User != nil {
		return nil, invalid("a store's URL holds no user name or password; give credentials by environment")
	}
	openersMu.RLock()
	open, ok := openers[u.Scheme]
	openersMu.RUnlock()
	if !ok {
		return nil, invalid("unknown scheme; known schemes: %s (is the store's package imported?)", known)
	}
	return open(ctx, u)
}

// CheckParams returns an error that matches ErrInvalidArgument and lists the
// known parameters if the URL's query is malformed, has a parameter that is not
// known, or has one twice.
func CheckParams(u *url.URL, known ...string) error {
	invalid := func(problem string) error {
		list := "it takes none"
		if len(known) > 0 {
			list = "known are " + strings.Join(known, ", ")
		}
		return &Error{Op: "open " + u.Scheme, Kind: ErrInvalidArgument, Err: fmt.Errorf("%s; %s", problem, list)}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("the parameters are malformed")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return invalid("unknown parameter")
		}
		if len(values) > 1 {
			return invalid(fmt.Sprintf("parameter %s is given twice", name))
		}
	}
	return nil
}
