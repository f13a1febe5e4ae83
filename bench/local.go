// The stores without a service, and what people use in their place: a statement prepared by hand.

package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/sqlstore"
)

const (
	inSQLite = "SQLite"
	inFile   = "token file"
	inMemory = "memory"
	noStore  = "token source"
)

func localWays() []way {
	return []way{
		{service: inSQLite, name: "this library", ours: true, open: openSQLite},
		{service: inSQLite, name: "modernc.org/sqlite, prepared", note: "one statement per key; the last writer wins", open: openPrepared},
		{service: inFile, name: "this library", ours: true, open: openFile},
		{service: inMemory, name: "this library", ours: true, open: openMemory},
		{service: noStore, name: "this library's token source", ours: true, open: openSource},
		{service: noStore, name: "x/oauth2 ReuseTokenSource", note: "one token, in one process", open: openReuse},
	}
}

// many is a store that saves many tokens at once.
type many interface {
	tokenstore.Store
	SaveTokens(context.Context, []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
	Close() error
}

func keep(s many) *keeper {
	k := &keeper{close: s.Close}
	stored := 0
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		stored += len(tokens)
		_, err := s.SaveTokens(ctx, tokens)
		return err
	}
	k.do = storeActions(s, func() int { return stored })
	return k
}

// tempFile returns the path of a file that is not there yet, in a folder of its own.
func tempFile(w world, name string) (string, error) {
	folder, err := os.MkdirTemp(w.folder, "bench")
	return filepath.Join(folder, name), err
}

func openSQLite(ctx context.Context, w world) (*keeper, error) {
	path, err := tempFile(w, "tokens.db")
	if err != nil {
		return nil, err
	}
	s, err := sqlstore.OpenSQLite(ctx, path)
	if err != nil {
		return nil, err
	}
	return keep(s), nil
}

func openFile(_ context.Context, w world) (*keeper, error) {
	path, err := tempFile(w, "tokens.txt")
	if err != nil {
		return nil, err
	}
	s, err := filestore.Open(path)
	if err != nil {
		return nil, err
	}
	k := keep(s)
	fill := k.fill
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		if err := fill(ctx, tokens); err != nil {
			return err
		}
		old := time.Now().Add(-time.Hour) // A file that was written a moment ago is read again each time.
		return os.Chtimes(path, old, old)
	}
	return k, nil
}

// openMemory opens the engine over memory, with the index that the services have which charge.
func openMemory(context.Context, world) (*keeper, error) {
	service := memory.New(memory.WithLimits(driver.Limits{MaxSize: 64 << 10})).Batched()
	open := func() (*secretstore.Store, error) {
		return secretstore.New(service, secretstore.WithDocument(1), secretstore.WithoutAccessIndex())
	}
	return engine(&keeper{}, open, open)
}

// openPrepared has the same table and indexes as the store, and its own statements.
func openPrepared(ctx context.Context, w world) (*keeper, error) {
	path, err := tempFile(w, "prepared.db")
	if err != nil {
		return nil, err
	}
	s, err := sqlstore.OpenSQLite(ctx, path) // It creates the table, and fills it.
	if err != nil {
		return nil, err
	}
	k := keep(s)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, k.end(err)
	}
	p := prepared{db: db}
	k.close = func() error { return errors.Join(db.Close(), s.Close()) }
	if k.do, err = p.actions(ctx); err != nil {
		return nil, k.end(err)
	}
	return k, nil
}

// prepared are the statements of a program that needs nothing else.
type prepared struct{ db *sql.DB }

const columns = "id, user_name, client_id, client_secret, refresh_token, access_token, grant_token, expiry_time, redirect_url, api_domain"

func (p prepared) actions(ctx context.Context) (map[operation]action, error) {
	var err error
	prepare := func(query string) *sql.Stmt {
		s, prepareErr := p.db.PrepareContext(ctx, query)
		err = errors.Join(err, prepareErr)
		return s
	}
	byUser := prepare("select " + columns + " from oauthtoken where user_name = ? limit 1")
	byRefresh := prepare("select " + columns + " from oauthtoken where refresh_token = ? limit 1")
	update := prepare("update oauthtoken set access_token = ?, expiry_time = ? where user_name = ?")
	all := prepare("select " + columns + " from oauthtoken order by rowid")
	find := func(s *sql.Stmt, key func(tokenstore.OAuthToken) string) action {
		return func(ctx context.Context, t tokenstore.OAuthToken) error {
			var r row
			err := s.QueryRowContext(ctx, key(t)).Scan(r.into()...)
			if err == nil && r[4].String != t.RefreshToken {
				err = errors.New("another token was found")
			}
			return err
		}
	}
	return map[operation]action{
		findUser:    find(byUser, func(t tokenstore.OAuthToken) string { return t.UserName }),
		findRefresh: find(byRefresh, func(t tokenstore.OAuthToken) string { return t.RefreshToken }),
		save: func(ctx context.Context, t tokenstore.OAuthToken) error {
			_, err := update.ExecContext(ctx, t.AccessToken, tokenstore.FormatExpiry(t.Expiry), t.UserName)
			return err
		},
		list: func(ctx context.Context, _ tokenstore.OAuthToken) error {
			rows, err := all.QueryContext(ctx)
			if err != nil {
				return err
			}
			defer rows.Close()
			var tokens []row
			for rows.Next() {
				var r row
				if err := rows.Scan(r.into()...); err != nil {
					return err
				}
				tokens = append(tokens, r)
			}
			if len(tokens) == 0 {
				return errors.Join(errors.New("the table is empty"), rows.Err())
			}
			return rows.Err()
		},
	}, err
}

// row is a row of the table.
type row [10]sql.NullString

// into returns where to scan a row to.
func (r *row) into() []any {
	to := make([]any, len(r))
	for i := range r {
		to[i] = &r[i]
	}
	return to
}
