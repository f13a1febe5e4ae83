// The GRANT statements of the roles, for the tables of one store: database, table and user
// come from its URL. integration/mysql runs each role's work with them.

package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"example.com/tokenstore"
)

// anyHost is the host of an account that may connect from anywhere.
const anyHost = "%"

// mysqlAccountForm matches an account's name, or its host, that needs no escape in quotes.
var mysqlAccountForm = regexp.MustCompile("^[^'\"`\\\\[:cntrl:]]+$")

// mysqlPolicy returns the policy of a role for the store that a URL names.
func mysqlPolicy(_ context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	fail := func(problem string) (tokenstore.Policy, error) {
		return tokenstore.Policy{}, &tokenstore.Error{Op: "policy", Kind: tokenstore.ErrInvalidArgument, Err: errors.New(problem)}
	}
	configuration, options, err := parseMySQL(u)
	if err != nil {
		return tokenstore.Policy{}, err
	}
	c, err := configure(options)
	if err != nil {
		return tokenstore.Policy{}, failure("policy", "", nil, err)
	}
	user, host, named := strings.Cut(cmp.Or(request.Account, configuration.User), "@")
	if !named {
		host = anyHost
	}
	if !mysqlAccountForm.MatchString(user) || !mysqlAccountForm.MatchString(host) {
		return fail("an account has the form user or user@host, without quotes")
	}
	d := mysqlDialect{}
	var text strings.Builder
	for _, g := range mysqlGrants(request.Role, c.table, c.upgrade) {
		_, _ = fmt.Fprintf(&text, "GRANT %s ON %s.%s TO '%s'@'%s';\n",
			strings.Join(g.rights, ", "), d.quote(configuration.DBName), d.quote(g.table), user, host)
	}
	p := tokenstore.Policy{Text: text.String()}
	if !named {
		p.Remarks = append(p.Remarks, "the account may connect from any host; give --account USER@HOST for another")
	}
	if request.Role != tokenstore.RoleOperator {
		p.Remarks = append(p.Remarks, "the tables must exist: with the rights of an operator, save or import a token first")
	}
	return p, nil
}

// grant is what an account may do with a table.
type grant struct {
	table  string
	rights []string
}

// mysqlGrants returns what a role may do with the tables.
func mysqlGrants(role tokenstore.Role, table string, upgrade bool) []grant {
	if role == tokenstore.RoleReader {
		return []grant{{table, []string{"SELECT"}}, {ageTable, []string{"SELECT"}}, {notesTable, []string{"SELECT"}}}
	}
	all := []grant{
		{table, []string{"SELECT", "INSERT", "UPDATE", "DELETE"}},
		{counterTable, []string{"SELECT", "INSERT", "UPDATE"}},
		{ageTable, []string{"SELECT", "INSERT", "DELETE"}},
		{notesTable, []string{"SELECT", "INSERT", "DELETE"}},
	}
	if role == tokenstore.RoleOperator {
		for i := range all {
			all[i].rights = append(all[i].rights, "CREATE")
		}
		all[0].rights = append(all[0].rights, "INDEX")
		if upgrade {
			all[0].rights = append(all[0].rights, "ALTER")
		}
	}
	return all
}
