// A report that is also kept in a file: whole or not at all.

package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// withReport runs a verb that writes its report also to a new file, which appears when the
// verb ends. Without a path there is no file. A verb that wrote nothing leaves none.
func withReport(verb *cobra.Command, path string, do func(io.Writer) error) error {
	if path == "" {
		return do(nil)
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return &usageError{errors.New("the file of --report exists; name a new one: a report overwrites nothing")}
	case !errors.Is(err, fs.ErrNotExist):
		return &usageError{fmt.Errorf("--report: %w", withoutPath(err))}
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return &usageError{fmt.Errorf("--report: %w", withoutPath(err))}
	}
	defer func() { _ = os.Remove(file.Name()) }() // It is gone if the report was kept.
	w := &counting{w: file}
	err = do(w)
	fault := errors.Join(w.err, file.Sync(), file.Close())
	if fault == nil && w.n > 0 {
		fault = os.Rename(file.Name(), path)
	}
	if fault != nil {
		return errors.Join(err, fmt.Errorf("the report was not kept: %w", withoutPath(fault)))
	}
	return err
}

// counting counts what is written, and keeps the first error to itself: a report that cannot
// be kept does not end an import.
type counting struct {
	w   io.Writer
	n   int
	err error
}

func (c *counting) Write(p []byte) (int, error) {
	if c.err == nil {
		var n int
		n, c.err = c.w.Write(p)
		c.n += n
	}
	return len(p), nil
}

// withoutPath returns the cause of an error of a file.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
