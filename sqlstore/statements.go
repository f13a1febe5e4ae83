// Prepared statements. A statement that is used a second time is prepared, and kept until the
// store is closed or its table has another form: what a program does once costs nothing more.
// Package database/sql prepares it again on each connection that runs it, and forgets it with
// the connection.

package sqlstore

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds how many statements are kept, and so how many each connection holds:
// a server of MySQL counts those of all clients. A store uses about twenty.
const maxStatements = 32

// statements are the prepared statements of a store, by their text.
type statements struct {
	mu     sync.Mutex
	closed bool
	kept   map[string]*sql.Stmt
	wanted map[string]bool // used, and not prepared yet
}

// get returns the prepared statement of a text, or nil: then the text is wanted from now on.
func (p *statements) get(text string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.kept[text]; s != nil {
		return s
	}
	if len(p.kept)+len(p.wanted) < maxStatements && !p.closed {
		if p.wanted == nil {
			p.wanted = map[string]bool{}
		}
		p.wanted[text] = true
	}
	return nil
}

// prepare prepares what is wanted. The caller holds no connection: there may be only one. A
// statement that cannot be prepared is wanted again when it is used, and then says itself what
// is wrong.
func (p *statements) prepare(ctx context.Context, db *sql.DB) {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for text := range wanted {
		s, err := db.PrepareContext(ctx, text)
		if err != nil {
			return
		}
		p.keep(text, s)
	}
}

// keep keeps a statement, unless another caller was faster.
func (p *statements) keep(text string, s *sql.Stmt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.kept[text] != nil {
		_ = s.Close() // Nobody has used it.
		return
	}
	if p.kept == nil {
		p.kept = map[string]*sql.Stmt{}
	}
	p.kept[text] = s
}

// drop closes all statements: the table has another form, or a connection does not know them
// any more. Calls that are using one end as they would have.
func (p *statements) drop() {
	p.mu.Lock()
	kept := p.kept
	p.kept, p.wanted = nil, nil
	p.mu.Unlock()
	for _, s := range kept {
		_ = s.Close() // What a connection makes of that does not matter any more.
	}
}

// close closes all statements for good.
func (p *statements) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop()
}

// query runs a query, in the transaction if there is one.
func (r *rows) query(text string, args ...any) (*sql.Rows, error) {
	s, err := r.prepared(text) //nolint:sqlclosecheck // Whoever keeps it closes it.
	switch {
	case err != nil:
		return nil, err
	case s == nil && r.tx != nil:
		return r.tx.QueryContext(r.ctx, text, args...)
	case s == nil:
		return r.store.db.QueryContext(r.ctx, text, args...)
	}
	found, err := s.QueryContext(r.ctx, args...)
	if err != nil && r.tx == nil && err.Error() == "sql: statement is closed" { // Another call has dropped it. The error has no name.
		return r.store.db.QueryContext(r.ctx, text, args...)
	}
	return found, err
}

// run runs a statement that returns no rows, in the transaction.
func (r *rows) run(text string, args ...any) (sql.Result, error) {
	s, err := r.prepared(text) //nolint:sqlclosecheck // Whoever keeps it closes it.
	switch {
	case err != nil:
		return nil, err
	case s != nil:
		return s.ExecContext(r.ctx, args...)
	}
	return r.tx.ExecContext(r.ctx, text, args...)
}

// prepared returns the prepared statement of a text, as the transaction uses it. In a
// transaction that uses a text more than once it is prepared for that one alone, unless the
// store has it. It is nil if the text is to be run as it is.
func (r *rows) prepared(text string) (*sql.Stmt, error) {
	if r.tx == nil {
		return r.store.statements.get(text), nil
	}
	s, again := r.statements[text]
	if s != nil {
		return s, nil
	}
	if r.statements == nil {
		r.statements = map[string]*sql.Stmt{}
	}
	if kept := r.store.statements.get(text); kept != nil {
		s = r.tx.StmtContext(r.ctx, kept)
	} else if again {
		var err error
		if s, err = r.tx.PrepareContext(r.ctx, text); err != nil {
			return nil, err
		}
	}
	r.statements[text] = s
	return s, nil
}
