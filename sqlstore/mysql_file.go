// The option file of MySQL's own programs (my.cnf), from which a password comes: it can be
// readable by one user only, and a URL cannot.

package sqlstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// clientFile is the options of the groups that every client reads.
type clientFile map[string]string

// clientGroups are the groups that count. Later ones overrule earlier ones.
// Source: https://dev.mysql.com/doc/refman/8.4/en/option-files.html.
var clientGroups = map[string]bool{"client": true, "client-server": true, "client-mariadb": true}

// maxClientFile is the largest option file that is read.
const maxClientFile = 1 << 20

// readClientFile reads an option file. Errors name a line, and never quote it.
func readClientFile(path string) (clientFile, error) {
	unread := errors.New("the file cannot be read; check its path and permissions")
	f, err := os.Open(path) // #nosec G304 -- The URL chooses the file.
	if err != nil {
		return nil, unread
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxClientFile+1))
	switch {
	case err != nil:
		return nil, unread
	case len(data) > maxClientFile:
		return nil, fmt.Errorf("the file is larger than %d bytes; name an option file of MySQL, such as my.cnf", maxClientFile)
	}
	return parseClientFile(string(data))
}

func parseClientFile(text string) (clientFile, error) {
	file, counts, n := clientFile{}, false, 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '!':
			return nil, fmt.Errorf("line %d: files that include others are not supported; name the file that has the group [client]", n)
		case line[0] == '[':
			name, _, closed := strings.Cut(line[1:], "]")
			if !closed {
				return nil, fmt.Errorf("line %d: the group's name has no closing bracket", n)
			}
			counts = clientGroups[strings.ToLower(strings.TrimRight(name, " \t"))]
		case counts:
			name, value, _ := strings.Cut(withoutComment(line), "=")
			name = strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
			file[name] = optionValue(value)
		}
	}
	return file, nil
}

// withoutComment returns the line without the comment at its end, which begins with a "#"
// that is not quoted, also in the middle of a word.
func withoutComment(line string) string {
	var quote byte
	escaped := false
	for i := range len(line) {
		c := line[i]
		switch {
		case quote == 0 && c == '#':
			return line[:i]
		case escaped || c != '"' && c != '\'':
		case quote == 0:
			quote = c
		case quote == c:
			quote = 0
		}
		escaped = quote != 0 && c == '\\' && !escaped
	}
	return line
}

// optionValue returns the value as MySQL's programs read it: without the quotes around it,
// and with its escapes replaced. A backslash before any other letter stays.
func optionValue(text string) string {
	text = strings.TrimSpace(text)
	if last := len(text) - 1; last > 0 && (text[0] == '"' || text[0] == '\'') && text[last] == text[0] {
		text = text[1:last]
	}
	return escapes.Replace(text)
}

var escapes = strings.NewReplacer(`\b`, "\b", `\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`, `\s`, " ", `\"`, `"`, `\'`, `'`)
