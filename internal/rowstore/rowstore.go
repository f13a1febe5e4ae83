// Package rowstore finds and saves tokens in rows that one transaction can
// read and change together: a table, a file, a map. It is the contract of
// package tokenstore without the difficulties of secret managers.
package rowstore

import (
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// Rows is the view of one transaction. If several rows match, the oldest one counts. A
// missing row is reported by ok, not by an error.
type Rows interface {
	// ByID returns the row with the given ID.
	ByID(id string) (row tokenstore.OAuthToken, ok bool, err error)
	// ByKey returns the oldest row that has the key; with ownerless set, the oldest one
	// without a user.
	ByKey(key tokenstore.Key, ownerless bool) (row tokenstore.OAuthToken, ok bool, err error)
	// NewID returns an ID that no row has or has had.
	NewID() (string, error)
	// Insert adds a row after all others.
	Insert(row tokenstore.OAuthToken) error
	// Update replaces the row with the ID of row, and keeps its place.
	Update(row tokenstore.OAuthToken) error
}

// Find returns the row that a find of query finds, or tokenstore.ErrNotFound.
func Find(rows Rows, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if query.ID != "" {
		if row, ok, err := rows.ByID(query.ID); ok || err != nil {
			return row, err
		}
	}
	return firstOf(rows, tokenstore.FindKeys(query), false)
}

func firstOf(rows Rows, keys []tokenstore.Key, ownerless bool) (tokenstore.OAuthToken, error) {
	for _, k := range keys {
		if row, ok, err := rows.ByKey(k, ownerless); ok || err != nil {
			return row, err
		}
	}
	return tokenstore.OAuthToken{}, tokenstore.ErrNotFound
}

// Save saves t and returns the row as stored. It writes at most one row, and none if
// nothing changes.
func Save(rows Rows, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if err := t.Validate(); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	row, err := Find(rows, t)
	if errors.Is(err, tokenstore.ErrNotFound) {
		row, err = firstOf(rows, tokenstore.AdoptionKeys(t), true)
	}
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return insert(rows, t)
	case err != nil:
		return tokenstore.OAuthToken{}, err
	}
	updated := tokenstore.Update(row, t)
	if updated == row {
		return row, nil
	}
	return updated, rows.Update(updated)
}

func insert(rows Rows, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if err := tokenstore.CheckInsert(t); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	if t.ID == "" {
		id, err := rows.NewID()
		if err != nil {
			return tokenstore.OAuthToken{}, fmt.Errorf("generate an ID: %w", err)
		}
		t.ID = id
	}
	t = t.Normal()
	return t, rows.Insert(t)
}

// Warnings returns the warnings of tokenstore.Warner about one token. oddExpiry says that
// the expiry in its row cannot be parsed.
func Warnings(t tokenstore.OAuthToken, oddExpiry bool) []string {
	var object driver.Object
	tokenstore.EncodeFields(t, &object)
	if oddExpiry {
		object.Set("expiry_time", "not a time")
	}
	return tokenstore.FieldWarnings(object)
}

// RowErrors is implemented by an error that names several rows. A report gives
// each of them a line of its own.
type RowErrors interface {
	error
	// RowErrors returns an error for each row.
	RowErrors() []error
}

// SplitErrors takes an error of GetTokens apart: joined errors, and those that name
// several rows.
func SplitErrors(err error) []error {
	if err == nil {
		return nil
	}
	var rows RowErrors
	joined, ok := err.(interface{ Unwrap() []error })
	_, one := err.(*tokenstore.Error) //nolint:errorlint // Only the outermost error: one with a cause is one fault.
	switch {
	case ok && !one:
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, SplitErrors(e)...)
		}
		return all
	case errors.As(err, &rows):
		return rows.RowErrors()
	}
	return []error{err}
}
