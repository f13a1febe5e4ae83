package mysql_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

func init() { tokenstore.RegisterPolicy("mysql", sqlstore.Policy) }

// statements returns the statements that the command prints for a role, for another account.
func (d database) statements(t *testing.T, role tokenstore.Role, user string) []string {
	t.Helper()
	p, err := tokenstore.PolicyFor(t.Context(), d.at(""), tokenstore.PolicyRequest{Role: role, Account: user + "@%"})
	must(t, err)
	return strings.Split(strings.TrimSpace(p.Text), "\n")
}

// granted returns an account with such statements, each of which names its user.
func (d database) granted(t *testing.T, statements func(user string) []string) *mysql.Config {
	t.Helper()
	c := d.account(t, "USAGE ON *.*")
	run(t, d.raw(t), statements(c.User)...)
	return c
}

// work does the work of a role, and returns the first error.
func work(t *testing.T, role tokenstore.Role, c *mysql.Config) error {
	t.Helper()
	var options []sqlstore.Option
	if role == tokenstore.RoleReader {
		options = append(options, sqlstore.WithReadOnly())
	}
	s, err := sqlstore.OpenMySQL(t.Context(), c, options...)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if role == tokenstore.RoleReader {
		row, err := s.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: "u1"})
		if err == nil && row.Note != "a note" {
			err = errors.New("no note")
		}
		tokens, listErr := s.GetTokens(t.Context())
		if listErr == nil && (len(tokens) != 2 || tokens[0].ID != "9") {
			listErr = errors.New("not the oldest first")
		}
		return errors.Join(err, listErr)
	}
	if _, err := s.SaveToken(t.Context(), full("u2", "2")); err != nil {
		return err
	}
	if _, err := s.SaveToken(t.Context(), full("u3", "3")); err != nil {
		return err
	}
	saved, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u2", AccessToken: "a3"})
	if err != nil {
		return err
	}
	row, err := s.FindNoted(t.Context(), tokenstore.OAuthToken{ID: saved.ID})
	if err != nil {
		return err
	}
	for _, note := range []string{"one", "two"} {
		if row, _, err = s.SwapToken(t.Context(), row, row.OAuthToken, note); err != nil {
			return err
		}
	}
	return s.DeleteToken(t.Context(), saved.ID)
}

// diagnosed fails if a diagnosis for a role finds that it lacks something.
func diagnosed(t *testing.T, role tokenstore.Role, c *mysql.Config) {
	t.Helper()
	s, err := sqlstore.OpenMySQL(t.Context(), c, sqlstore.WithReadOnly())
	must(t, err)
	defer func() { _ = s.Close() }()
	findings, err := s.Diagnose(t.Context(), role)
	must(t, err)
	for _, f := range findings {
		if f.Severity != tokenstore.SeverityNote {
			t.Errorf("%+v", f)
		}
	}
}

// missed fails unless a diagnosis for a role names the right that was taken out of a statement,
// and its table. Without reading the tokens the store cannot even be opened.
func missed(t *testing.T, role tokenstore.Role, c *mysql.Config, right, statement string) {
	t.Helper()
	s, err := sqlstore.OpenMySQL(t.Context(), c, sqlstore.WithReadOnly())
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	findings, err := s.Diagnose(t.Context(), role)
	must(t, err)
	for _, f := range findings {
		_, table, _ := strings.Cut(statement, "`.`")
		table, _, _ = strings.Cut(table, "`")
		if f.Code == "check-failed" || f.Code == "denied-"+strings.ToLower(right) && strings.Contains(f.Where, table) {
			return
		}
	}
	t.Errorf("as a %s, no finding names %s of\n%s\nbut %+v", role, right, statement, findings)
}

// TestPolicies has each role do its work with the statements that the command prints, and
// without each of their rights, which it must miss, and of which a diagnosis must tell.
// Those of the operator are the writer's, and what its first start needs.
func TestPolicies(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(t)
	older, younger := full("u1", "1"), full("u0", "0")
	older.ID, younger.ID = "9", "5"
	save(t, s, older)
	save(t, s, younger)
	row, err := s.FindNoted(t.Context(), tokenstore.OAuthToken{UserName: "u1"})
	must(t, err)
	_, _, err = s.SwapToken(t.Context(), row, row.OAuthToken, "a note")
	must(t, err)
	for _, role := range tokenstore.Roles() {
		t.Run(string(role), func(t *testing.T) {
			d := d
			if role == tokenstore.RoleOperator {
				d = newDatabase(t)
			}
			all := func(user string) []string { return d.statements(t, role, user) }
			c := d.granted(t, all)
			must(t, work(t, role, c))
			diagnosed(t, role, c)
			if role == tokenstore.RoleReader {
				_, err := sqlstore.OpenMySQL(t.Context(), c)
				must(t, err)
				err = work(t, tokenstore.RoleWriter, c)
				wantError(t, err, tokenstore.ErrDenied, "grant it")
			}
			if role == tokenstore.RoleOperator {
				if n := text(t, d.raw(t), "select count(*) from information_schema.statistics where table_schema = database() and index_name like 'tokenstore_%'"); n == "0" {
					t.Error("no index was made")
				}
			}
			if role == tokenstore.RoleOperator { // It has made its tables, which needs CREATE.
				return
			}
			for i, statement := range all("nobody") {
				rights, _, _ := strings.Cut(strings.TrimPrefix(statement, "GRANT "), " ON ")
				for _, right := range strings.Split(rights, ", ") {
					run(t, d.raw(t), "delete from oauthtoken where user_name in ('u2', 'u3')")
					c := d.granted(t, func(user string) []string { return without(all(user), i, right) })
					if err := work(t, role, c); err == nil {
						t.Errorf("the work is done without %s of\n%s", right, statement)
					}
					missed(t, role, c, right, statement)
				}
			}
		})
	}
}

// without returns the statements without one right of one of them.
func without(statements []string, i int, right string) []string {
	rights, rest, _ := strings.Cut(strings.TrimPrefix(statements[i], "GRANT "), " ON ")
	left := slices.DeleteFunc(strings.Split(rights, ", "), func(r string) bool { return r == right })
	if len(left) == 0 {
		return slices.Delete(statements, i, i+1)
	}
	statements[i] = "GRANT " + strings.Join(left, ", ") + " ON " + rest
	return statements
}
