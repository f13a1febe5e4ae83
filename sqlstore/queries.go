// The texts of the queries. Those for look-ups are made once for each form of the table.

package sqlstore

import (
	"slices"
	"strconv"
	"strings"

	"example.com/tokenstore"
)

// keyColumns says which column a kind of key is in.
var keyColumns = map[tokenstore.KeyKind]string{
	tokenstore.UserKey:    userColumn,
	tokenstore.RefreshKey: "refresh_token",
	tokenstore.AccessKey:  "access_token",
	tokenstore.GrantKey:   "grant_token",
}

// lookUp is what a row is looked up by: a kind of key, or the ID if there is none.
type lookUp struct {
	kind      tokenstore.KeyKind
	ownerless bool
}

// use makes a table the one of the store.
func (s *Store) use(t *table) (before *table) {
	if t.column(idColumn) != "" { // Else it is refused, or absent.
		r := &rows{store: s, table: t}
		t.lookUps = map[lookUp]string{{}: r.selection(r.holds(lookUp{})) + " LIMIT 1"}
		for kind, column := range keyColumns {
			if t.column(column) == "" {
				continue
			}
			for _, at := range []lookUp{{kind, false}, {kind, true}} {
				t.lookUps[at] = r.selection(r.holds(at)) + " LIMIT 1"
			}
		}
		t.makeMany(r)
	}
	before = s.table.Swap(t)
	s.statements.drop()
	return before
}

// makeMany makes the statements for many finds.
func (t *table) makeMany(r *rows) {
	t.manyLookUps = map[tokenstore.KeyKind]string{}
	for at := range t.lookUps {
		if at.ownerless {
			continue
		}
		from := r.from(r.holds(at), r.store.dialect.order(t)) + " LIMIT 1"
		var parts []string
		for n := range together {
			number := strconv.Itoa(n)
			parts = append(parts, "SELECT * FROM (SELECT "+number+" AS look_up, "+r.place()+" AS found_at"+from+") AS l"+number)
		}
		t.manyLookUps[at.kind] = strings.Join(parts, " UNION ALL ")
	}
	one := "(" + r.equalsPlace() + ")"
	t.manyRows = r.ordered(one+strings.Repeat(" OR "+one, together-1), "1")
}

// holds returns the condition that a row holds what is looked up.
func (r *rows) holds(at lookUp) string {
	if at.kind == "" {
		return r.equals(idColumn)
	}
	condition := r.equals(keyColumns[at.kind])
	if user := r.table.column(userColumn); at.ownerless && user != "" {
		user = r.store.dialect.quote(user)
		condition += " AND (" + user + " IS NULL OR " + user + " = '')"
	}
	return condition
}

func (r *rows) equals(column string) string {
	return r.store.dialect.equals(r.table, r.table.column(column))
}

// oldest returns a query for the oldest row that holds a key, or that has an ID if the key
// has no kind.
func (r *rows) oldest(key tokenstore.Key, ownerless bool) string {
	return r.table.lookUps[lookUp{key.Kind, ownerless}]
}

// selection returns a query for the place, the known columns and the others that are
// named, of all rows for which the condition is true, oldest first.
func (r *rows) selection(condition string, others ...string) string {
	return r.ordered(condition, r.store.dialect.order(r.table), others...)
}

// ordered is selection in another order.
func (r *rows) ordered(condition, order string, others ...string) string {
	d := r.store.dialect
	var b strings.Builder
	b.WriteString("SELECT " + r.place())
	for _, name := range slices.Concat(r.table.names, others) {
		if name != "" {
			b.WriteString(", " + d.quote(name))
		}
	}
	return b.String() + r.from(condition, order)
}

// place returns the expression for the place of a row.
func (r *rows) place() string {
	if place := r.store.dialect.place(); place != "" {
		return place
	}
	return r.store.dialect.quote(r.table.column(idColumn))
}

// from returns what follows the columns of a selection.
func (r *rows) from(condition, order string) string {
	from := " FROM " + r.store.dialect.quote(r.table.name)
	if condition != "" {
		from += " WHERE " + condition
	}
	return from + " ORDER BY " + order
}

// equalsPlace returns the condition that a row is at a place, which is its ID if the database
// knows no other, and atPlace its parameters.
func (r *rows) equalsPlace() string {
	if place := r.store.dialect.place(); place != "" {
		return place + " = ?"
	}
	return r.equals(idColumn)
}

// placeOf returns the place of a row as it is compared with others. That of MySQL is an ID, of
// which its driver makes one type or another, also if it is a number: that depends on whether
// the statement was prepared.
func (r *rows) placeOf(value any) any {
	if text, ok := r.store.dialect.text(value); ok && value != nil && r.store.dialect.place() == "" {
		return text
	}
	return value
}

func (r *rows) atPlace(place any) []any {
	if r.store.dialect.place() != "" {
		return []any{place}
	}
	if place != nil {
		place, _ = r.store.dialect.text(place)
	}
	return []any{place, place}
}
