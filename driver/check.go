package driver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckName returns an error that matches ErrInvalid if name is not a logical
// name: it is empty, or has an empty, "." or ".." segment.
func CheckName(name string) error {
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "", ".", "..":
			return fmt.Errorf("%w: a name needs non-empty segments other than . and .. between its slashes", ErrInvalid)
		}
	}
	return nil
}

// CheckData returns an error that matches ErrTooLarge if data is larger than max
// bytes, and one that matches ErrInvalid if it is not one JSON object in UTF-8. A
// max of zero means no limit.
func CheckData(data []byte, max int) error {
	if err := CheckSize(len(data), max); err != nil {
		return err
	}
	if !utf8.Valid(data) || !json.Valid(data) || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return fmt.Errorf("%w: the data is not a JSON object in UTF-8", ErrInvalid)
	}
	return nil
}

// CheckSize returns an error that matches ErrTooLarge if size is more than max
// bytes. A max of zero means no limit.
func CheckSize(size, max int) error {
	if max > 0 && size > max {
		return fmt.Errorf("%w: %d bytes exceeds the limit of %d", ErrTooLarge, size, max)
	}
	return nil
}
