// Reading a credential: from standard input only, since other users can see arguments.

package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxCredential bounds what is read from standard input.
const maxCredential = 64 << 10

// readCredential reads one line. At a terminal it prompts for it by name and does not
// echo it.
func readCredential(ctx context.Context, name string, stdin io.Reader, stderr io.Writer) (string, error) {
	var line string
	var err error
	if fd, ok := terminal(stdin); ok {
		line, err = readHidden(ctx, name, fd, stderr)
	} else {
		line, err = within(ctx, func() (string, error) {
			return bufio.NewReader(io.LimitReader(stdin, maxCredential)).ReadString('\n')
		})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	credential := strings.TrimRight(line, "\r\n")
	if credential == "" {
		return "", &usageError{errors.New("standard input is empty; type the " + name + ", or redirect a file that holds it")}
	}
	return credential, nil
}

// readHidden reads a line from a terminal without echo. The echo is off before the prompt
// is shown, so that nothing is shown of what is pasted at once.
func readHidden(ctx context.Context, name string, fd int, prompt io.Writer) (string, error) {
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprint(prompt, name+": ")
	defer func() {
		_ = term.Restore(fd, before) // If the context ended first, the echo is still off.
		_, _ = fmt.Fprintln(prompt)
	}()
	return within(ctx, func() (string, error) {
		line, err := term.ReadPassword(fd) // It makes lines and interrupts work again.
		return string(line), err
	})
}

// within returns when the context ends, which a read of standard input does not.
func within(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		return r.line, r.err
	}
}

// terminal returns the descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(file.Fd()) // #nosec G115 -- a file descriptor is small.
	return fd, term.IsTerminal(fd)
}
