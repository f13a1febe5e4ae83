// Logical names as Vault paths. Logical names can hold any character, paths cannot.

package vault

import "example.com/tokenstore/internal/escape"

// paths maps logical names to paths below the mount. Letters, digits, dots, hyphens,
// underscores and the slashes between segments stay; every other byte, and a dot after a
// dot, becomes "=" and two hexadecimal digits. An engine's IDs and hashes stay unchanged.
var paths = escape.Alphabet{Mark: '=', Plain: func(name string, i int) bool {
	switch c := name[i]; c {
	case '/', '-', '_':
		return true
	case '.':
		return i == 0 || name[i-1] != '.'
	default:
		return escape.Alphanumeric(c)
	}
}}

// nameOf returns the logical name of a path, or false if no name has that path: then it was
// written by somebody else.
func nameOf(path string) (string, bool) {
	name, ok := paths.Unescape(path)
	return name, ok && paths.Escape(name) == path
}
