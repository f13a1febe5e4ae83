// An import from a store into itself, also by another spelling of its URL, would take
// the rows that it folds for those of the source.

package command

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

var errSamePlace = &usageError{errors.New("the source and the destination are one store; name another store with --to")}

var errMayBeSamePlace = &usageError{errors.New("the source and the destination have the same prefix, and nothing in their URLs tells them apart; " +
	"name another prefix with --to, or give both URLs the parameter in which they differ, such as a region")}

// notSame returns an error if the destination is the source. It opens the destination
// for reading, before anything opens it otherwise.
func notSame(ctx context.Context, source tokenstore.Store, sourceURL, to string) error {
	usage, ok := usageOf(to)
	if !ok {
		return nil // Opening it reports what is wrong with it.
	}
	if !usage.ReadOnly {
		return notSameURL(sourceURL, to)
	}
	placed, ok := tokenstore.As[rowstore.Placed](source)
	if !ok {
		return nil
	}
	destination, err := tokenstore.Open(ctx, readOnly(to))
	if err != nil {
		return nil //nolint:nilerr // It is not there yet, or opening it again reports what is wrong with it.
	}
	same := placed.SamePlace(destination)
	if err := destination.Close(); err != nil {
		return err
	}
	if same {
		return errSamePlace
	}
	return nil
}

// placeParams are the parameters that tell one place from another.
var placeParams = []string{"region", "profile", "endpoint", "namespace", "location"}

// notSameURL returns an error if two URLs may be of one place in a secret manager. What
// a URL does not say, the environment does, for both. A URL without slashes, as that of
// memory is, names no place.
func notSameURL(source, to string) error {
	a, errA := url.Parse(source)
	b, errB := url.Parse(to)
	if errA != nil || errB != nil {
		return nil //nolint:nilerr // Opening them reports what is wrong with them.
	}
	if !strings.EqualFold(a.Scheme, b.Scheme) || !strings.Contains(source, "//") || folder(a) != folder(b) {
		return nil
	}
	certain := true
	for _, name := range placeParams {
		x, y := strings.Trim(a.Query().Get(name), "/"), strings.Trim(b.Query().Get(name), "/")
		if x != "" && y != "" && x != y {
			return nil
		}
		certain = certain && x == y
	}
	if certain {
		return errSamePlace
	}
	return errMayBeSamePlace
}

// folder returns the prefix that a URL names, with the mount or project before it.
func folder(u *url.URL) string {
	host := u.Host
	if host == "" {
		host = u.Query().Get("mount")
	}
	return strings.Trim(strings.Trim(host, "/")+"/"+strings.Trim(u.Path, "/"), "/")
}
