// Opening a store by URL, so that a program can leave the choice of store to its
// configuration. Packages of stores register their schemes, as drivers of
// database/sql do.

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// OpenStore is a store that was opened by URL. Close releases its resources; the
// store cannot be used afterwards.
type OpenStore interface {
	Store
	io.Closer
}

// OpenFunc opens the store that a URL names. It must reject unknown parameters, for
// which it can use [CheckParams].
type OpenFunc func(ctx context.Context, u *url.URL) (OpenStore, error)

var (
	openersMu sync.RWMutex
	openers   = map[string]OpenFunc{}
	usages    = map[string]Usage{}
)

// Register makes a scheme available to [Open]. Packages of stores call it in init.
// Registering a scheme again replaces it.
func Register(scheme string, open OpenFunc) {
	openersMu.Lock()
	defer openersMu.Unlock()
	openers[scheme] = open
}

// Usage describes the URLs of a scheme, for help texts and completions.
type Usage struct {
	// Scheme is the scheme. [Describe] sets it.
	Scheme string
	// Example is the form of a URL, such as "sqlite:tokens.db".
	Example string
	// About says what such a URL opens, in a few words.
	About string
	// ReadOnly says that opening such a URL may create or change something, and
	// that the parameter readonly=true prevents it.
	ReadOnly bool
}

// Describe adds a description to a scheme. Packages of stores call it beside
// [Register]; a scheme without a description is opened all the same.
func Describe(scheme string, usage Usage) {
	openersMu.Lock()
	defer openersMu.Unlock()
	usage.Scheme = scheme
	usages[scheme] = usage
}

// Usages returns the descriptions of the registered schemes, sorted by scheme.
// One that has none is described by its scheme alone.
func Usages() []Usage {
	openersMu.RLock()
	defer openersMu.RUnlock()
	var all []Usage
	for _, scheme := range slices.Sorted(maps.Keys(openers)) {
		usage, ok := usages[scheme]
		if !ok {
			usage = Usage{Scheme: scheme, Example: scheme + ":"}
		}
		all = append(all, usage)
	}
	return all
}

// Schemes returns the registered schemes, sorted.
func Schemes() []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	return slices.Sorted(maps.Keys(openers))
}

// Open opens the store that a URL names, for example "sqlite:tokens.db". Import the
// package that serves the scheme, if only for its side effect:
//
//	import _ "example.com/tokenstore/sqlstore"
//
// A URL contains no credentials: those come from the environment, as each package
// documents, or from a person (see [WithPrompt]). If the URL is invalid, the error matches ErrInvalidArgument; it never
// quotes the URL. Close the store after use.
func Open(ctx context.Context, rawURL string) (OpenStore, error) {
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, &Error{Op: "open", Kind: ErrInvalidArgument, Err: err}
	}
	openersMu.RLock()
	open := openers[u.Scheme]
	openersMu.RUnlock()
	return open(ctx, u)
}

// parseURL parses the URL of a store with a registered scheme. Its errors quote nothing.
func parseURL(rawURL string) (*url.URL, error) {
	known := strings.Join(Schemes(), ", ")
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("not a URL; known schemes: " + known)
	}
	if u.User != nil {
		return nil, errors.New("a store's URL must not contain a user name or password; set credentials in the environment")
	}
	if !slices.Contains(Schemes(), u.Scheme) {
		return nil, fmt.Errorf("unknown scheme; known schemes: %s (import the package of the store)", known)
	}
	return u, nil
}

// CheckParams returns an error that matches ErrInvalidArgument and lists the known
// parameters if the URL's query is malformed, or has an unknown parameter, or one
// parameter twice.
func CheckParams(u *url.URL, known ...string) error {
	invalid := func(problem string) error {
		list := "this store takes none"
		if len(known) > 0 {
			list = "known are " + strings.Join(known, ", ")
		}
		return &Error{Op: "open " + u.Scheme, Kind: ErrInvalidArgument, Err: fmt.Errorf("%s; %s", problem, list)}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("malformed parameters")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return invalid("unknown parameter" + quotedName(name))
		}
		if len(query[name]) > 1 {
			return invalid(fmt.Sprintf("parameter %s is given twice", name))
		}
	}
	return nil
}

// quotedName returns a space and the name of a parameter in quotes, or nothing if
// it does not look like a name: it may be a credential, pasted in the wrong place.
func quotedName(name string) string {
	const longest = 24
	for _, c := range name {
		if (c < 'a' || c > 'z') && c != '_' {
			return ""
		}
	}
	if name == "" || len(name) > longest {
		return ""
	}
	return fmt.Sprintf(" %q", name)
}
