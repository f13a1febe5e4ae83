package sqlstore

import "database/sql"

// DB returns the database under a store.
func (s *Store) DB() *sql.DB { return s.db }
