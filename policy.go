// The rights that a role needs on a store, in the form that the store's service takes. They
// are made from a URL alone: a policy is needed before any call to the service is allowed.

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Role is what a program or a person does with a store. Each role may do what the ones
// before it may.
type Role string

// The roles.
const (
	// RoleReader finds and lists tokens.
	RoleReader Role = "reader"
	// RoleWriter also saves, refreshes and deletes tokens, and undoes deletions: the role of
	// an application.
	RoleWriter Role = "writer"
	// RoleOperator also lists the secrets that lie below the tokens, checks and repairs them.
	RoleOperator Role = "operator"
)

// Roles returns the roles, the one that may least first.
func Roles() []Role { return []Role{RoleReader, RoleWriter, RoleOperator} }

// PolicyRequest says for whom a policy is.
type PolicyRequest struct {
	Role Role
	// Account is what the service calls the owner of the secrets or the receiver of the
	// rights, where the policy has to name it and the URL does not: the number of an AWS
	// account or of a GCP project, an account of a database, a group of an operating system.
	Account string
}

// Policy gives a role the rights that it needs on a store, and no others.
type Policy struct {
	// Text is the policy in the form that the service, or a shell, takes.
	Text string
	// Remarks say what the policy cannot limit, and what is left to whoever applies it.
	Remarks []string
}

// PolicyFunc returns the policy of a role on the store that a URL names. It calls no
// service and needs no credentials. If the URL or the account is invalid, the error matches
// ErrInvalidArgument and quotes neither.
type PolicyFunc func(ctx context.Context, u *url.URL, request PolicyRequest) (Policy, error)

var policies = map[string]PolicyFunc{} // Guarded by openersMu.

// RegisterPolicy makes the policies of a scheme available to [PolicyFor]. It is optional, for
// stores on which rights can be granted. Programs that print policies call it, as package
// command/stores does, and not the packages of the stores: an application need not link what
// it never prints. Registering a scheme again replaces it, and nil removes it.
func RegisterPolicy(scheme string, policy PolicyFunc) {
	openersMu.Lock()
	defer openersMu.Unlock()
	policies[scheme] = policy
}

// PolicyFor returns the policy of a role on the store that a URL names, as for [Open]. It
// opens nothing. If the scheme has no policies, or the request is invalid, the error
// matches ErrInvalidArgument.
func PolicyFor(ctx context.Context, rawURL string, request PolicyRequest) (Policy, error) {
	fail := func(err error) (Policy, error) {
		return Policy{}, &Error{Op: "policy", Kind: ErrInvalidArgument, Err: err}
	}
	u, err := parseURL(rawURL)
	if err != nil {
		return fail(err)
	}
	openersMu.RLock()
	policy := policies[u.Scheme]
	openersMu.RUnlock()
	if policy == nil {
		return fail(fmt.Errorf("stores of the scheme %s have no rights that could be granted", u.Scheme))
	}
	switch request.Role {
	case RoleReader, RoleWriter, RoleOperator:
		return policy(ctx, u, request)
	}
	return fail(errors.New("unknown role; the roles are " + joinRoles()))
}

func joinRoles() string {
	var names []string
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}
