// The URL parameters that mean the same for every store over a secret manager.

package secretstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"

	"example.com/tokenstore"
)

// The URL parameters of [URLOptions]. An adapter refuses those that do not apply to it.
const (
	ParamPepperFile  = "pepper_file"
	ParamRotating    = "rotating"     // for an index of documents
	ParamAccessIndex = "access_index" // for an index of entries
)

// maxPepper is the maximum length of a pepper in bytes.
const maxPepper = 4096

// URLOptions returns the options from the URL parameters that mean the same for every store
// over a secret manager. pepper_file names the file that holds the pepper, see [WithPepper]; a
// line break at the end of the file is not part of the pepper. rotating=true is
// [WithRotating], and access_index=true is [WithAccessIndex].
func URLOptions(u *url.URL) ([]Option, error) {
	query := u.Query()
	var options []Option
	invalid := func(parameter string, err error) error {
		return &tokenstore.Error{Op: "open " + u.Scheme, Kind: tokenstore.ErrInvalidArgument, Err: fmt.Errorf("%s: %w", parameter, err)}
	}
	if query.Has(ParamPepperFile) {
		pepper, err := readPepper(query.Get(ParamPepperFile))
		if err != nil {
			var named *fs.PathError // Its message would quote the URL.
			if errors.As(err, &named) {
				err = named.Err
			}
			return nil, invalid(ParamPepperFile, err)
		}
		options = append(options, WithPepper(pepper))
	}
	for _, flag := range []struct {
		name   string
		option func() Option
	}{{ParamRotating, WithRotating}, {ParamAccessIndex, WithAccessIndex}} {
		switch text := query.Get(flag.name); {
		case text == "true":
			options = append(options, flag.option())
		case text != "false" && query.Has(flag.name):
			return nil, invalid(flag.name, errors.New("must be true or false"))
		}
	}
	return options, nil
}

func readPepper(path string) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- The URL chooses the file.
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	pepper, err := io.ReadAll(io.LimitReader(file, maxPepper+int64(len("\r\n"))+1))
	if err != nil {
		return nil, err
	}
	pepper = bytes.TrimSuffix(bytes.TrimSuffix(pepper, []byte("\n")), []byte("\r"))
	if len(pepper) == 0 || len(pepper) > maxPepper {
		return nil, fmt.Errorf("the file must have 1 to %d bytes", maxPepper)
	}
	return pepper, nil
}
