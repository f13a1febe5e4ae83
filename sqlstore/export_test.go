package sqlstore

import "database/sql"

// DB returns the database under a store.
func (s *Store) DB() *sql.DB { return s.db }

// DropConnections closes the idle connections of a store: the next call opens one.
func DropConnections(s *Store) {
	s.db.SetMaxIdleConns(-1)
	s.db.SetMaxIdleConns(maxConnections)
}

// DropStatements closes the prepared statements of a store.
func DropStatements(s *Store) { s.statements.drop() }

// MySQLPlace returns a place of MySQL as it is compared with others.
func MySQLPlace(value any) any {
	return (&rows{store: &Store{dialect: mysqlDialect{}}}).placeOf(value)
}
