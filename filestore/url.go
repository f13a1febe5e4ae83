// Opening a file by a URL.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/plainfile"
)

// Scheme is the scheme of this package's URLs.
const Scheme = "file"

func init() {
	tokenstore.Register(Scheme, openURL)
	tokenstore.Describe(Scheme, tokenstore.Usage{Example: "file:tokens.txt", About: "a token file of the SDKs", ReadOnly: true})
}

// Policy is a tokenstore.PolicyFunc: it returns the policy of a role for the file that a URL
// names. Package command/stores registers it; programs that only use a store do not link it.
func Policy(ctx context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	return plainfile.Policy(checkedPath)(ctx, u, request)
}

// parameters are those of a URL.
var parameters = []string{"in_place", "quotes", "readonly", "upgrade"}

// checkedPath returns the path in a URL with known parameters.
func checkedPath(u *url.URL) (string, error) {
	if err := tokenstore.CheckParams(u, parameters...); err != nil {
		return "", err
	}
	path, err := pathOf(u)
	if err != nil {
		return "", failure("open", "", fmt.Errorf("%w: %w", tokenstore.ErrInvalidArgument, err))
	}
	return path, nil
}

// openURL opens the store that a URL names.
func openURL(_ context.Context, u *url.URL) (tokenstore.OpenStore, error) {
	path, err := checkedPath(u)
	if err != nil {
		return nil, err
	}
	options, err := optionsOf(u.Query())
	if err != nil {
		return nil, failure("open", "", fmt.Errorf("%w: %w", tokenstore.ErrInvalidArgument, err))
	}
	store, err := Open(path, options...)
	if err != nil {
		return nil, err // Not a nil *Store in an interface that is not nil.
	}
	return store, nil
}

// pathOf returns the path in a URL: file:relative, file:/absolute,
// file:///absolute.
func pathOf(u *url.URL) (string, error) {
	switch {
	case u.Host != "" && u.Host != "localhost":
		return "", errors.New("the URL must not name a host; write file:tokens.txt or file:/folder/tokens.txt")
	case u.Fragment != "":
		return "", errors.New("the URL must not have a fragment; write # in a path as %23")
	case u.Opaque != "":
		path, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return "", errors.New("the path is malformed; write % in a path as %25")
		}
		return filepath.FromSlash(path), nil
	case u.Path == "":
		return "", errors.New("the URL needs a path, such as file:tokens.txt")
	}
	path := u.Path
	if drive := filepath.VolumeName(filepath.FromSlash(path[1:])); drive != "" {
		path = path[1:] // /C:/tokens.txt
	}
	return filepath.FromSlash(path), nil
}

// optionsOf returns the options that the parameters stand for.
func optionsOf(query url.Values) ([]Option, error) {
	var options []Option
	for name, option := range map[string]func(bool) Option{
		"in_place": when(WithInPlace),
		"quotes":   WithQuotes,
		"readonly": when(WithReadOnly),
		"upgrade":  when(WithUpgrade),
	} {
		if !query.Has(name) {
			continue
		}
		on, err := strconv.ParseBool(query.Get(name))
		if err != nil {
			return nil, fmt.Errorf("parameter %s must be true or false", name)
		}
		options = append(options, option(on))
	}
	return options, nil
}

// when makes an option that is either given or not one of true and false.
func when(option func() Option) func(bool) Option {
	return func(on bool) Option {
		if !on {
			return func(*config) {}
		}
		return option()
	}
}
