// Claims and releases of many keys, some of which cannot be applied.

package index

import (
	"context"
	"errors"
	"slices"

	"example.com/tokenstore/driver"
)

// Refused is the error of a Claim or Release if some secrets of the index could not be
// changed, for a reason that does not concern the others, which were.
type Refused struct {
	// Faults has one error for each claim, nil if it was applied.
	Faults []error
}

// refused returns a Refused, or nil if there are no faults.
func refused(faults []error) error {
	if !slices.ContainsFunc(faults, func(err error) bool { return err != nil }) {
		return nil
	}
	return &Refused{faults}
}

// Error returns each error once.
func (e *Refused) Error() string { return errors.Join(e.Unwrap()...).Error() }

// Unwrap returns each error once.
func (e *Refused) Unwrap() []error {
	var once []error
	seen := map[string]bool{}
	for _, err := range e.Faults {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			once = append(once, err)
		}
	}
	return once
}

// concernsOne reports whether the fault of one secret says nothing about others: it is
// full, its writes are used up, or it cannot be read.
func concernsOne(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, driver.ErrQuota) || errors.Is(err, driver.ErrTooLarge) || errors.Is(err, driver.ErrUnreadable)
}
