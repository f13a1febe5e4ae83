// Reading a credential: from standard input only, since other users can see arguments.

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// maxCredential bounds what is read from standard input.
const maxCredential = 64 << 10

// readCredential reads one line: at a terminal behind a prompt with its name, without echo;
// elsewhere the only line of standard input. Half a credential is an error: it is another
// credential, which nobody has.
func readCredential(ctx context.Context, name string, stdin io.Reader, stderr io.Writer) (string, error) {
	var line string
	var err error
	if fd, ok := terminal(stdin); ok {
		if line, err = readHidden(ctx, name, fd, stderr); err != nil {
			err = fmt.Errorf("read standard input: %w", err)
		}
	} else {
		var data []byte
		if data, err = readInput(ctx, stdin, "the "+name); err == nil {
			line, err = onlyLine(data, name)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	credential := strings.TrimRight(line, "\r\n")
	if credential == "" {
		return "", &usageError{errors.New("standard input is empty; type the " + name + ", or redirect a file that holds it")}
	}
	return credential, nil
}

// readInput reads all of standard input, of which what is the name.
func readInput(ctx context.Context, stdin io.Reader, what string) ([]byte, error) {
	text, err := within(ctx, func() (string, error) {
		data, err := io.ReadAll(io.LimitReader(stdin, maxCredential+1))
		return string(data), err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read standard input: %w", err)
	case len(text) > maxCredential:
		return nil, &usageError{fmt.Errorf("standard input has more than %d bytes; %s has fewer", maxCredential, what)}
	case !utf8.ValidString(text):
		return nil, &usageError{errors.New("standard input is not valid UTF-8; save the file as UTF-8")}
	case strings.HasPrefix(text, byteOrderMark):
		return nil, &usageError{errors.New("standard input begins with a byte order mark; save the file as UTF-8 without one")}
	}
	return []byte(text), nil
}

const byteOrderMark = "\ufeff"

// onlyLine returns the first line, if there is no other.
func onlyLine(data []byte, name string) (string, error) {
	line, rest, _ := strings.Cut(string(data), "\n")
	switch {
	case strings.TrimSpace(rest) == "":
		return line, nil
	case strings.TrimSpace(line) == "":
		return "", &usageError{fmt.Errorf("the first line of standard input is empty; the %s must be its only line", name)}
	}
	return "", &usageError{fmt.Errorf("standard input goes on after the first line; the %s must be its only line: join it if it was wrapped", name)}
}

// slip returns what is wrong with a value that somebody has typed or pasted, or nil.
func slip(value string) error {
	switch {
	case strings.TrimSpace(value) != value:
		return errors.New("begins or ends with white space; remove it")
	case strings.ContainsFunc(value, unicode.IsControl), strings.Contains(value, byteOrderMark):
		return errors.New("has a character that cannot be printed; remove it")
	}
	return nil
}

// readHidden reads a line from a terminal without echo. The echo is off before the prompt
// is shown, so that nothing is shown of what is pasted at once. What follows the line is not
// left to the shell, which would run it and remember it.
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
	line, err := within(ctx, func() (string, error) {
		line, err := term.ReadPassword(fd) // It makes lines and interrupts work again.
		return string(line), err
	})
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	switch more := discardInput(ctx, fd); {
	case err != nil:
		return "", err
	case len(line) >= longestLine():
		return "", &usageError{fmt.Errorf("a terminal keeps %d bytes of a line, and drops what follows; redirect a file that holds it", longestLine())}
	case more:
		return "", &usageError{fmt.Errorf("more than one line was typed or pasted; the %s must be one line: join it if it was wrapped", name)}
	}
	return line, nil
}

// longestLine returns how much of a line a terminal keeps, without its end: more is dropped
// without a word.
func longestLine() int {
	switch runtime.GOOS {
	case "linux":
		return 4095
	case "windows":
		return math.MaxInt // No such limit of its console is known.
	}
	return 1023 // MAX_CANON of macOS and the BSDs
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
