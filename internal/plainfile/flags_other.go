//go:build !unix

// Where the system is not a Unix, a file is looked at before it is opened and after.

package plainfile

const (
	openFlags    = 0
	hasModesHere = false
)
