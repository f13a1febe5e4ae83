// The modes of a file that roles need.

package plainfile

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"runtime"
	"strings"

	"example.com/tokenstore"
)

// accountForm matches the names of users and groups.
var accountForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$`)

// Policy returns a function that returns the commands which give a file the mode that a role
// needs. A file knows no roles: whoever may read it sees every credential in it, and whoever
// may write it may do anything with it.
func Policy(pathOf func(*url.URL) (string, error), remarks ...string) tokenstore.PolicyFunc {
	return func(_ context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
		path, err := pathOf(u)
		if err != nil {
			return tokenstore.Policy{}, err
		}
		if request.Account != "" && !accountForm.MatchString(request.Account) {
			return tokenstore.Policy{}, &tokenstore.Error{Op: "policy", Kind: tokenstore.ErrInvalidArgument,
				Err: errors.New("the account must be the name of a group, for a reader, or else of a user")}
		}
		return policy(path, request, remarks), nil
	}
}

func policy(path string, request tokenstore.PolicyRequest, remarks []string) tokenstore.Policy {
	mode, whose, owner := "600", "the file's owner", "chown"
	if request.Role == tokenstore.RoleReader {
		mode, whose, owner = "640", "a member of the file's group", "chgrp"
	}
	file := " -- " + quoted(path) + "\n"
	var text strings.Builder
	_, _ = text.WriteString("# The file's mode decides. The " + string(request.Role) + " is " + whose + ".\n")
	if request.Account != "" {
		_, _ = text.WriteString(owner + " " + request.Account + file)
	}
	_, _ = text.WriteString("chmod " + mode + file)
	p := tokenstore.Policy{Text: text.String()}
	if request.Role == tokenstore.RoleReader {
		p.Remarks = append(p.Remarks, "whoever may read the file sees every credential in it")
		p.Remarks = append(p.Remarks, remarks...)
	} else {
		p.Remarks = append(p.Remarks, "a file does not tell a writer from an operator; both also need to write to its folder, where other files are made beside it")
	}
	if runtime.GOOS == "windows" {
		p.Remarks = append(p.Remarks, "Windows has no such modes: give the same rights in the file's access control list")
	}
	return p
}

// quoted returns an argument for a shell.
func quoted(argument string) string { return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'" }
