package sqlstore

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// No look-up reads the whole table or sorts, in the present form of the table
// and in an older one, with and without statistics.
func TestFindsUseAnIndex(t *testing.T) {
	forms := map[string]string{
		"present": "",
		"older":   "create table oauthtoken (id varchar(255) not null, user_mail varchar(255) not null, client_id varchar(255), client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255), expiry_time varchar(20), redirect_url varchar(255))",
		"number":  "create table oauthtoken (id int not null, user_mail varchar(255), client_id varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255), expiry_time bigint)",
	}
	for name, create := range forms {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			path := filepath.Join(t.TempDir(), "tokens.db")
			if create != "" {
				if err := createFile(path); err != nil {
					t.Fatal(err)
				}
				planExec(t, path, create)
			}
			s, err := OpenSQLite(ctx, path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			checkPlans(t, s)
			planExec(t, path, "with recursive n(x) as (values(1) union all select x+1 from n where x < 2000) "+
				"insert into oauthtoken (id, "+s.table.Load().column(userColumn)+", refresh_token) select x, 'u'||x, 'r'||x from n", "analyze")
			checkPlans(t, s)
		})
	}
}

func planExec(t *testing.T, path string, statements ...string) {
	t.Helper()
	s, err := OpenSQLite(context.Background(), path, WithTable("unused"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, statement := range statements {
		if _, err := s.db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func checkPlans(t *testing.T, s *Store) {
	t.Helper()
	r := &rows{store: s, table: s.table.Load()}
	queries := map[string]string{"id": r.selection(r.equals(idColumn)) + " LIMIT 1"}
	for kind, column := range keyColumns {
		queries[string(kind)] = r.selection(r.equals(column)) + " LIMIT 1"
		if kind != tokenstore.UserKey {
			queries["ownerless "+string(kind)] = r.selection(r.holds(lookUp{kind, true})) + " LIMIT 1"
		}
	}
	for kind, query := range r.table.manyLookUps {
		queries["many "+string(kind)] = query
	}
	queries["many rows"] = r.table.manyRows
	queries["highest"] = s.dialect.highest(r.table.name, r.table.column(idColumn))
	for name, query := range queries {
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = "x"
		}
		plan := explain(t, s, query, args...)
		// The one scan is that of the highest number: the index in order, one row of it.
		scan := strings.ReplaceAll(plan, "SCAN CONSTANT ROW", "")
		if name == "highest" {
			scan = strings.ReplaceAll(scan, "SCAN oauthtoken USING INDEX tokenstore_oauthtoken_number", "")
		}
		if strings.HasPrefix(name, "many ") { // Each part of it is scanned, and has one row.
			scan = strings.ReplaceAll(scan, "SCAN l", "")
		}
		if strings.Contains(scan, "SCAN") || strings.Contains(scan, "TEMP B-TREE") {
			t.Errorf("%s reads the whole table or sorts:\n%s", name, plan)
		}
	}
}

func explain(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	found, err := s.db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = found.Close() }()
	var plan []string
	for found.Next() {
		var id, parent, unused int
		var detail string
		if err := found.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := found.Err(); err != nil || len(plan) == 0 {
		t.Fatalf("no plan for %s: %v", query, err)
	}
	return strings.Join(plan, "\n")
}
