// As whom a file is read and written.

package plainfile

import "os/user"

// User returns the name of the operating system's user that this program runs as, or its
// number, or "".
func User() string {
	u, err := user.Current()
	switch {
	case err != nil:
		return ""
	case u.Username == "":
		return u.Uid
	}
	return u.Username
}
