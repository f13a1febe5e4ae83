package filestore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	"example.com/tokenstore"
)

// Scheme is the scheme of this package's URLs.
const Scheme = "file"

func init() { tokenstore.Register(Scheme, openURL) }

// openURL opens the store that a URL names.
func openURL(_ context.Context, u *url.URL) (tokenstore.OpenStore, error) {
	if err := tokenstore.CheckParams(u, "quotes", "readonly", "upgrade"); err != nil {
		return nil, err
	}
	path, err := pathOf(u)
	if err != nil {
		return nil, failure("open", "", fmt.Errorf("%w: %w", tokenstore.ErrInvalidArgument, err))
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
		return "", errors.New("the URL names a host; a relative path has no slashes before it")
	case u.Fragment != "":
		return "", errors.New("the URL has a fragment; write # in a file's name as %23")
	case u.Opaque != "":
		path, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return "", errors.New("the path in the URL is malformed; write % in a file's name as %25")
		}
		return filepath.FromSlash(path), nil
	case u.Path == "":
		return "", errors.New("the URL names no file")
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
		"quotes":   WithQuotes,
		"readonly": when(WithReadOnly),
		"upgrade":  when(WithUpgrade),
	} {
		if !query.Has(name) {
			continue
		}
		on, err := strconv.ParseBool(query.Get(name))
		if err != nil {
			return nil, fmt.Errorf("the parameter %s is true or false", name)
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
