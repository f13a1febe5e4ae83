// The six methods of tokenstore.Store, SaveTokens, and the optional abilities.

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/plainfile"
	"example.com/tokenstore/internal/rowstore"
)

// FindToken returns the stored token that query is an example of, as
// tokenstore.Store says.
func (s *Store) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	found, err := s.find(ctx, query)
	if err != nil {
		return tokenstore.OAuthToken{}, s.failed(ctx, "find token", query.ID, err)
	}
	return found, nil
}

// FindTokenByID returns the token with the given ID, as tokenstore.Store says.
func (s *Store) FindTokenByID(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	const op = "find token by ID"
	if id == "" {
		return tokenstore.OAuthToken{}, s.failed(ctx, op, "", errNoID)
	}
	found, err := s.find(ctx, tokenstore.OAuthToken{ID: id})
	if err != nil {
		return tokenstore.OAuthToken{}, s.failed(ctx, op, id, err)
	}
	return found, nil
}

// SaveToken updates or inserts a token, as tokenstore.Store says. Of several
// saves at once each sees what the one before it stored.
func (s *Store) SaveToken(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	var saved tokenstore.OAuthToken
	err := s.transaction(ctx, true, func(r *rows) (err error) {
		saved, err = rowstore.Save(r, token)
		return err
	})
	if err != nil {
		return tokenstore.OAuthToken{}, s.failed(ctx, "save token", token.ID, err)
	}
	return saved, nil
}

// SaveTokens saves tokens in their order, as SaveToken would one after the
// other, and returns them as stored. All are saved in one transaction: if one
// cannot be saved, none is. The error then joins one for each token that cannot be
// saved, which says which of the tokens that is.
func (s *Store) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	saved := make([]tokenstore.OAuthToken, len(tokens))
	var faults []tokenFault
	save := func(careful bool) error {
		return s.transaction(ctx, true, func(r *rows) (err error) {
			faults, err = r.saveAll(tokens, saved, careful)
			return err
		})
	}
	err := save(false)
	if len(faults) > 0 {
		faults = nil
		err = save(true) // What stands behind the first fault may fail, too.
	}
	if err == nil {
		return saved, nil
	}
	if len(faults) == 0 {
		return nil, s.failed(ctx, "save tokens", "", err)
	}
	var all []error
	for _, f := range faults {
		op := fmt.Sprintf("save token %d of %d", f.index+1, len(tokens))
		all = append(all, s.failed(ctx, op, tokens[f.index].ID, f.err))
	}
	return nil, errors.Join(all...)
}

// wipeTime limits how long a delete waits for readers before it empties the log of
// what it deleted.
const wipeTime = time.Second

// wiped runs a delete, and lets nothing of what it removed stay in the files of
// a database that the store opened itself. Others that read at the same time may
// delay that, which does not undo the delete: only the delete's own error counts.
func (s *Store) wiped(ctx context.Context, remove func(*rows) error) error {
	if err := s.transaction(ctx, true, remove); err != nil || !s.owned {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wipeTime)
	defer cancel()
	_ = s.dialect.wipe(ctx, s.db)
	return nil
}

// DeleteToken removes the token with the given ID, as tokenstore.Store says. The
// package comment says when its values are gone from the files.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	const op = "delete token"
	if id == "" {
		return s.failed(ctx, op, "", errNoID)
	}
	return s.failed(ctx, op, id, s.wiped(ctx, func(r *rows) error { return r.delete(id) }))
}

// DeleteTokens removes all rows of the table, and nothing else: all or, if it
// fails, none.
func (s *Store) DeleteTokens(ctx context.Context) error {
	return s.failed(ctx, "delete tokens", "", s.wiped(ctx, (*rows).deleteAll))
}

var _ tokenstore.Remover = (*Store)(nil)

// DeleteUnchanged deletes the tokens that are still what was read, as tokenstore.Remover
// says, in one transaction: if it fails, none is deleted.
func (s *Store) DeleteUnchanged(ctx context.Context, tokens []tokenstore.OAuthToken) []error {
	const op = "delete unchanged token"
	faults := make([]error, len(tokens))
	err := s.wiped(ctx, func(r *rows) error {
		for i, t := range tokens {
			var err error
			if faults[i], err = r.deleteUnchanged(t); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	for i, t := range tokens {
		if err != nil {
			faults[i] = err
		}
		faults[i] = s.failed(ctx, op, t.ID, faults[i])
	}
	return faults
}

// deleteUnchanged deletes a token that is still what was read. What keeps it from being
// deleted is the fault; an error is one of the database, after which nothing of the
// transaction may be left.
func (r *rows) deleteUnchanged(t tokenstore.OAuthToken) (fault, err error) {
	err = rowstore.Unchanged(r, t)
	var unreadable *unreadableError
	switch {
	case err == nil:
		return nil, r.delete(t.ID)
	case t.ID == "", errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, rowstore.ErrChanged), errors.As(err, &unreadable):
		return err, nil
	}
	return nil, err
}

// GetTokens returns all tokens, oldest first, as tokenstore.Store says. The
// error joins one for each unreadable row, which names its rowid and ID.
func (s *Store) GetTokens(ctx context.Context) ([]tokenstore.OAuthToken, error) {
	const op = "get tokens"
	var tokens []tokenstore.OAuthToken
	var faults []error
	err := s.transaction(ctx, false, func(r *rows) error {
		tokens, faults = []tokenstore.OAuthToken{}, nil
		return r.scanAll(r.selection(""), nil, func(t tokenstore.OAuthToken, _ readRow, fault *unreadableError) {
			if fault != nil {
				faults = append(faults, s.failed(ctx, op, "", fault))
			} else {
				tokens = append(tokens, t)
			}
		})
	})
	if err != nil {
		return nil, s.failed(ctx, op, "", err)
	}
	return tokens, errors.Join(faults...)
}

// Exists implements tokenstore.Exister: it reports whether the database has the
// table.
func (s *Store) Exists(ctx context.Context) (bool, error) {
	var exists bool
	err := s.transaction(ctx, false, func(r *rows) error {
		f, err := s.dialect.look(ctx, r.tx, s.config.table)
		exists = len(f.columns) > 0
		return err
	})
	return exists, s.failed(ctx, "look for the table", "", err)
}

// Ping implements tokenstore.Pinger: it reads from the table, in one transaction.
func (s *Store) Ping(ctx context.Context) error {
	err := s.transaction(ctx, false, func(r *rows) error {
		has, err := r.hasTable(s.config.table)
		switch {
		case err != nil:
			return err
		case !has:
			return tokenstore.ErrNotFound
		}
		var one int
		_, err = r.one("SELECT 1 FROM "+s.dialect.quote(s.config.table)+" LIMIT 1", nil, &one)
		return err
	})
	return s.failed(ctx, "ping", "", err)
}

// Warnings implements tokenstore.Warner.
func (s *Store) Warnings(ctx context.Context) (map[string][]string, error) {
	warnings := map[string][]string{}
	if s.openToOthers() {
		warnings[""] = []string{"file: " + plainfile.OthersMayUse}
	}
	type odd struct {
		id    string
		words []string
	}
	for row, err := range stream(ctx, s, "look for slips", func(r *rows, p *page[odd]) error {
		return r.scanAll(r.pageSelection(p.after), r.pageArgs(p.after), func(t tokenstore.OAuthToken, row readRow, fault *unreadableError) {
			if fault != nil {
				p.unread(fault)
			} else {
				p.add(row.place, t.ID, odd{t.ID, rowstore.Warnings(t, row.oddExpiry)})
			}
		})
	}) {
		switch {
		case err != nil && !errors.Is(err, tokenstore.ErrUnreadable):
			return nil, err
		case len(row.words) > 0:
			warnings[row.id] = row.words
		}
	}
	return warnings, nil
}
