// What is wrong with a store, and how to put it right: an optional ability that an operator's
// tool asks for.

package tokenstore

import (
	"context"
	"strings"
)

// Severity says how urgent a [Finding] is.
type Severity string

// The severities.
const (
	SeverityNote    Severity = "note"    // nothing is wrong, but a person should know it
	SeverityWarning Severity = "warning" // something is wrong, and can be put right
	SeverityError   Severity = "error"   // the store cannot do its work
)

// Finding is something about a store that a person should know, and how to put it right. It
// holds no credential.
type Finding struct {
	// Code is the kind of finding in kebab case, such as "white-space". It stays the same
	// in later releases.
	Code     string
	Severity Severity
	// Where is the ID of a token, the name of a secret, or a file; IDs that a caller chose
	// may be redacted. It is empty if the finding is about the store as a whole.
	Where string
	// What says what is wrong.
	What string
	// Repair is one command line, or one step in the service's console. In a command line,
	// {name} stands for this project's command and {store} for the store's URL; {store+x=y} is
	// that URL with another parameter.
	Repair string
	// Mends says that [Diagnoser.Mend] does the repair.
	Mends bool
	// Err is the fault that was met, if there was one.
	Err error
}

// Diagnoser is an optional ability of a [Store]: to look for what is wrong with it, and with
// the service, the file or the database beneath it.
type Diagnoser interface {
	// Diagnose returns what is wrong for programs of a role. It changes no token. If the role
	// writes, the permission is tried on a secret, or a row, that is no token, and that is
	// removed again. A fault that it meets is a finding; an error is returned only if the
	// context ended.
	Diagnose(ctx context.Context, role Role) ([]Finding, error)
	// Mend repairs those of the findings that say that it does. It overwrites nothing that
	// has changed since it was read.
	Mend(ctx context.Context, findings []Finding) error
}

// The codes of the findings that every kind of store can have.
const (
	CodeWhiteSpace    = "white-space"
	CodeExpiryUnknown = "expiry-unknown"
	CodeFileOpen      = "file-open"
	CodeUserTwice     = "user-twice"
)

// SlipFinding returns the finding for a warning of a [Warner], or of [FieldWarnings], about
// the token with an ID.
func SlipFinding(id, warning string) Finding {
	f := Finding{Code: CodeWhiteSpace, Severity: SeverityWarning, Where: id, What: warning, Repair: "{name} doctor {store} --repair"}
	if strings.HasPrefix(warning, expiryField+": ") {
		f.Code, f.Repair = CodeExpiryUnknown, "{name} refresh {store} "+id
	}
	return f
}

// UserTwiceFinding returns the finding for a token whose user has another one.
func UserTwiceFinding(id, other string) Finding {
	return Finding{
		Code: CodeUserTwice, Severity: SeverityWarning, Where: id, What: "it belongs to the user of token " + other + ": finds and saves by that user reach only one of them",
		Repair: "{name} delete {store} with the ID of the one that is not in use",
	}
}
