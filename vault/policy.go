// The ACL policies of the roles, for one store: mount, namespace and prefix come from its
// URL. integration/vault loads them into servers, and compares them with the requests that
// each role makes.

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"example.com/tokenstore"
)

// rule is what a policy allows on the paths that begin with one.
type rule struct {
	why          string
	part         string // of the mount's API
	below        string // a folder of the prefix
	capabilities []string
	denied       string // a parameter
}

const (
	canCreate = "create"
	canRead   = "read"
	canUpdate = "update"
	canPatch  = "patch"
	canDelete = "delete"
	canList   = "list"
)

const (
	indexFolder = "index/"
	oneVersion  = "Secrets of the index keep one version; without this, as many as the mount says."
)

// rules returns what a role may do below the prefix.
func rules(role tokenstore.Role) []rule {
	detailed := rule{why: "OpenBao only: its list of metadata shows lists what a person has deleted.", part: "detailed-metadata", capabilities: []string{canList}}
	if role == tokenstore.RoleReader {
		return []rule{
			{why: "Current versions only: an older one may hold a refresh token that still works.", part: "data", capabilities: []string{canRead}, denied: "version"},
			{why: "Lists, and a find by an access token that the index leaves out.", part: "metadata", capabilities: []string{canList}},
			detailed,
		}
	}
	common := []rule{
		{why: "Tokens and the index.", part: "data", capabilities: []string{canCreate, canRead, canUpdate, canPatch}},
		{why: "Older versions of a deleted token are destroyed.", part: "destroy", capabilities: []string{canUpdate}},
	}
	if role == tokenstore.RoleOperator {
		return append(common,
			rule{why: "Undoes a deletion that was made in Vault's UI.", part: "undelete", capabilities: []string{canUpdate}},
			rule{why: "Lists; and the repair removes names for good.", part: "metadata", capabilities: []string{canList, canRead, canDelete}},
			rule{why: oneVersion, part: "metadata", below: indexFolder, capabilities: []string{canList, canRead, canUpdate, canDelete}},
			detailed)
	}
	return append(common,
		rule{why: "Lists; and a deletion reads which versions exist.", part: "metadata", capabilities: []string{canList, canRead}},
		rule{why: oneVersion, part: "metadata", below: indexFolder, capabilities: []string{canList, canUpdate}},
		detailed)
}

// write writes the rule as HCL.
func (r rule) write(b *strings.Builder, path string) {
	var capabilities []string
	for _, c := range r.capabilities {
		capabilities = append(capabilities, fmt.Sprintf("%q", c))
	}
	list := "[" + strings.Join(capabilities, ", ") + "]"
	_, _ = fmt.Fprintf(b, "# %s\npath \"%s\" {\n", r.why, path)
	if r.denied == "" {
		_, _ = fmt.Fprintf(b, "  capabilities = %s\n}\n", list)
		return
	}
	_, _ = fmt.Fprintf(b, "  capabilities      = %s\n  denied_parameters = { %q = [] }\n}\n", list, r.denied)
}

// mountForm matches a mount's path in which nothing means something in a policy.
var mountForm = regexp.MustCompile(`^[A-Za-z0-9/._=@:-]+$`)

// Policy is a tokenstore.PolicyFunc: it returns the policy of a role for the store that a URL
// names. Package command/stores registers it; programs that only use a store do not link it.
func Policy(_ context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	fail := func(err error) (tokenstore.Policy, error) { return tokenstore.Policy{}, openError(err) }
	if err := tokenstore.CheckParams(u, parameters...); err != nil {
		return tokenstore.Policy{}, err
	}
	options, err := urlOptions(u)
	if err != nil {
		return fail(err)
	}
	c := defaults()
	for _, o := range options {
		o(&c)
	}
	if err := c.check(); err != nil {
		return fail(err)
	}
	switch {
	case !mountForm.MatchString(c.mount):
		return fail(errors.New("the mount has a character that means something in a policy; write the policy by hand"))
	case request.Account != "":
		return fail(errors.New("a policy of Vault names no account; leave it out"))
	}
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "# The %s of the tokens below %s in the mount %s.\n", request.Role, paths.Escape(c.prefix), c.mount)
	for _, r := range rules(request.Role) {
		_, _ = text.WriteString("\n")
		r.write(&text, c.mount+"/"+r.part+"/"+paths.Escape(c.prefix+r.below)+"*")
	}
	if request.Role == tokenstore.RoleOperator {
		_, _ = text.WriteString("\n")
		rule{why: "The check warns of settings of the mount that delete tokens.", capabilities: []string{canRead}}.write(&text, c.mount+"/config")
	}
	p := tokenstore.Policy{Text: text.String()}
	if c.namespace != "" {
		p.Remarks = append(p.Remarks, "write the policy in the namespace of the URL: vault policy write -namespace="+c.namespace)
	}
	return p, nil
}
