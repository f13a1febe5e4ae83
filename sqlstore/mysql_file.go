// The option file of MySQL's own programs (my.cnf), from which a password comes: it can be
// readable by one user only, and a URL cannot.

package sqlstore

import (
	"bufio"
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
	f, err := os.Open(path) // #nosec G304 -- The URL chooses the file.
	if err != nil {
		return nil, errors.New("the file cannot be read; check its path and permissions")
	}
	defer func() { _ = f.Close() }()
	return parseClientFile(io.LimitReader(f, maxClientFile))
}

func parseClientFile(r io.Reader) (clientFile, error) {
	file, counts := clientFile{}, false
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '!':
			return nil, fmt.Errorf("line %d: files that include others are not supported; name the file with the group [client]", n)
		case line[0] == '[':
			counts = clientGroups[strings.Trim(line, "[] \t")]
		case counts:
			name, value, _ := strings.Cut(line, "=")
			name = strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
			file[name] = optionValue(value)
		}
	}
	if lines.Err() != nil {
		return nil, errors.New("the file cannot be read to its end")
	}
	return file, nil
}

// optionValue returns the value as MySQL's programs read it: without a comment at its end,
// without quotes, and with their escapes.
func optionValue(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 1 && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			text = text[1 : 1+end]
		}
	} else if at := strings.Index(text, " #"); at >= 0 {
		text = strings.TrimSpace(text[:at])
	}
	return strings.NewReplacer(`\b`, "\b", `\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`, `\s`, " ").Replace(text)
}
