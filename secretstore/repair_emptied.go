// Secrets of the index that the service has emptied. They hold nothing that a person could
// fix: while such a secret exists it cannot be read; once it is deleted, the repair
// rebuilds it from the tokens.

package secretstore

import (
	"context"
	"errors"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// emptied deletes the documents of the index that exist but are empty.
func (r *repair) emptied(ctx context.Context) error {
	if _, documents := r.s.index.(index.Resharder); !documents || r.options.DryRun {
		return nil
	}
	for name, err := range r.s.secrets.List(ctx, r.s.prefix+indexFolder) {
		if err != nil {
			return err
		}
		secret, err := r.s.secrets.Get(ctx, name)
		switch {
		case errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrUnreadable):
			continue
		case err != nil:
			return err
		case len(secret.Data) > 0:
			continue
		}
		err = r.s.secrets.Delete(ctx, name, secret.Revision)
		if err != nil && !errors.Is(err, driver.ErrConflict) { // It is not empty any more.
			return err
		}
	}
	return nil
}
