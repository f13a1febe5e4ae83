// The checks that every adapter makes before a write, so that all refuse the same
// names and data with the same errors.

package driver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckName returns an error that matches ErrInvalid if name is not a valid logical
// name: if it is empty, or has an empty, "." or ".." segment.
func CheckName(name string) error {
	for rest, more := name, true; more; {
		var segment string
		switch segment, rest, more = strings.Cut(rest, "/"); segment {
		case "", ".", "..":
			return fmt.Errorf("%w: in a name, empty, \".\" and \"..\" segments are not allowed", ErrInvalid)
		}
	}
	return nil
}

// CheckData returns an error that matches ErrTooLarge if data exceeds max bytes, and
// one that matches ErrInvalid if data is not one JSON object in UTF-8. A max of zero
// means no limit.
func CheckData(data []byte, max int) error {
	if err := CheckSize(len(data), max); err != nil {
		return err
	}
	if !utf8.Valid(data) || !json.Valid(data) || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return fmt.Errorf("%w: the data must be a JSON object in UTF-8", ErrInvalid)
	}
	return nil
}

// CheckSize returns an error that matches ErrTooLarge if size exceeds max bytes. A
// max of zero means no limit.
func CheckSize(size, max int) error {
	if max > 0 && size > max {
		return fmt.Errorf("%w: %d bytes exceeds the limit of %d", ErrTooLarge, size, max)
	}
	return nil
}
