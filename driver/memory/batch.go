// Batch reads are a type of their own, so that tests can run the engine over a driver
// with them and without.

package memory

import (
	"context"
	"errors"

	"example.com/tokenstore/driver"
)

// Batched is a [Secrets] that also implements driver.BatchGetter.
type Batched struct{ *Secrets }

// Batched returns the same store with batch reads.
func (s *Secrets) Batched() Batched { return Batched{s} }

// GetBatch implements driver.BatchGetter. It reads all secrets at one moment.
func (b Batched) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var found []driver.Secret
	var faults []error
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		if err := driver.CheckName(name); err != nil {
			faults = append(faults, &driver.NameError{Name: name, Err: err})
			continue
		}
		if x, ok := b.stored[name]; ok {
			found = append(found, x.as(name))
		}
	}
	return found, errors.Join(faults...)
}
