// Logical names as Vault paths.

package vault

import "example.com/tokenstore/internal/escape"

// paths are the paths of logical names below the mount. Letters, digits, dots,
// hyphens, underscores and the slashes between segments stay; every other byte,
// and a dot after a dot, becomes "=" and two hexadecimal digits. What an engine
// makes of IDs and hashes stays as it is.
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

// nameOf returns the logical name of a path, and false if no name has that path:
// then somebody else has written it.
func nameOf(path string) (string, bool) {
	name, ok := paths.Unescape(path)
	return name, ok && paths.Escape(name) == path
}
