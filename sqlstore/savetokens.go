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
// the next ones must not see. With careful set it undoes each failed save and goes on,
// which costs two more statements for each token.
func (r *rows) saveAll(tokens, saved []tokenstore.OAuthToken, careful bool) (faults []tokenFault, err error) {
	for i := range tokens {
		saved[i], err = r.save(tokens[i], careful)
		switch {
		case err == nil:
		case !r.ofToken(err):
			return nil, err
		default:
			faults = append(faults, tokenFault{i, err})
			if !careful {
				return faults, errSomeFailed
			}
		}
	}
	if len(faults) > 0 {
		return faults, errSomeFailed
	}
	return nil, nil
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

// save saves one token. With careful set, a save that fails leaves nothing.
func (r *rows) save(token tokenstore.OAuthToken, careful bool) (tokenstore.OAuthToken, error) {
	if !careful {
		return rowstore.Save(r, token)
	}
	const name = "tokenstore_save"
	if err := r.exec("SAVEPOINT " + name); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	saved, fault := rowstore.Save(r, token)
	if fault != nil {
		// If a trigger rolled the whole transaction back, there is no savepoint
		// any more, and this error ends it.
		if err := r.exec("ROLLBACK TO SAVEPOINT " + name); err != nil {
			return tokenstore.OAuthToken{}, err
		}
	}
	if err := r.exec("RELEASE SAVEPOINT " + name); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	return saved, fault
}
