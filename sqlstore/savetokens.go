// Saving many tokens in one transaction. It ends as saving them one by one does, but
// for its end: if one fails, none is saved.

package sqlstore

import (
	"errors"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// tokenFault is what keeps one of many tokens from being saved.
type tokenFault struct {
	index int
	err   error
}

// errSomeFailed ends a transaction in which tokens could not be saved.
var errSomeFailed = errors.New("some tokens cannot be saved")

// saveAll saves tokens into saved. What is wrong with a token is in the faults, and
// the error is then errSomeFailed; any other error is one of the database.
//
// It stops at the first fault, since the failed save may have left something that
// the next ones must not see, and reads many rows back together at the end. With careful set
// it undoes each failed save and goes on, which costs two more statements for each token.
func (r *rows) saveAll(tokens, saved []tokenstore.OAuthToken, careful bool) (faults []tokenFault, err error) {
	if !careful && len(tokens) >= together {
		r.unverified = map[string]tokenstore.OAuthToken{}
	}
	for i := range tokens {
		goOn := careful
		if careful {
			saved[i], goOn, err = r.saveApart(tokens[i])
		} else {
			saved[i], err = rowstore.Save(r, tokens[i])
		}
		switch {
		case err == nil:
			continue
		case !r.ofToken(err):
			return nil, err
		}
		if faults = append(faults, tokenFault{i, err}); !goOn {
			return faults, errSomeFailed
		}
	}
	if len(faults) > 0 {
		return faults, errSomeFailed
	}
	switch ok, err := r.verifyAll(); {
	case err != nil:
		return nil, err
	case !ok:
		return []tokenFault{{err: errSomeFailed}}, errSomeFailed // To be careful tells which.
	}
	return nil, nil
}

// verifyAll reports whether all rows that were written read as they were written.
func (r *rows) verifyAll() (bool, error) {
	queries := make([]tokenstore.OAuthToken, 0, len(r.unverified))
	for id := range r.unverified {
		queries = append(queries, tokenstore.OAuthToken{ID: id})
	}
	found := make([]tokenstore.OAuthToken, len(queries))
	if _, err := r.findMany(queries, found); err != nil {
		return false, err
	}
	for i, query := range queries {
		if found[i] != r.unverified[query.ID] {
			return false, nil
		}
	}
	return true, nil
}

// ofToken reports whether an error is about one token, so that others may be saved.
func (r *rows) ofToken(err error) bool {
	kind := tokenstore.Kind(err)
	if kind == nil {
		kind = r.store.dialect.kind(err)
	}
	var unreadable *unreadableError
	return errors.Is(kind, tokenstore.ErrInvalidToken) || errors.Is(kind, tokenstore.ErrTooLarge) || errors.As(err, &unreadable)
}

// saveApart saves one token. If that fails it leaves nothing, and reports whether
// the transaction can go on: a trigger may have rolled back the whole of it, and what
// followed would then be written by itself.
func (r *rows) saveApart(token tokenstore.OAuthToken) (saved tokenstore.OAuthToken, goOn bool, err error) {
	const name = "tokenstore_save"
	raised := r.raised
	if err := r.execPlain("SAVEPOINT " + name); err != nil {
		return tokenstore.OAuthToken{}, false, err
	}
	saved, err = rowstore.Save(r, token)
	if err != nil {
		r.raised = raised
		if r.execPlain("ROLLBACK TO SAVEPOINT "+name) != nil {
			return tokenstore.OAuthToken{}, false, err
		}
	}
	if released := r.execPlain("RELEASE SAVEPOINT " + name); released != nil {
		return tokenstore.OAuthToken{}, false, released
	}
	return saved, true, err
}
