// Generated IDs: one higher than any number that is or ever was one.

package sqlstore

import (
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"

	"example.com/tokenstore"
)

// NewID returns the number after the highest that is or ever was an ID.
func (r *rows) NewID() (string, error) {
	highest, err := r.highestEver()
	if err != nil {
		return "", err
	}
	for n := highest; n < math.MaxInt64; {
		n++
		id := strconv.FormatInt(n, 10)
		taken := false
		if len(id) > maxDigits { // A number that is too long to be counted may be there all the same.
			if _, taken, err = r.ByID(id); err != nil {
				return "", err
			}
		}
		if !taken {
			r.raise(n)
			return id, nil
		}
	}
	return "", fmt.Errorf("%w: no higher number is left for an ID; save the token with an ID of its own", tokenstore.ErrQuota)
}

// highestEver returns the highest number that is or ever was an ID.
func (r *rows) highestEver() (int64, error) {
	stored, err := r.highestStored()
	if err != nil {
		return 0, err
	}
	if r.counted == nil {
		var counted sql.NullInt64
		query := "SELECT highest FROM " + r.store.dialect.quote(counterTable) + " WHERE table_name = ?"
		if _, err := r.one(query, []any{r.counterName()}, &counted); err != nil {
			return 0, err
		}
		r.counted = &counted
	}
	return max(stored.Int64, r.counted.Int64, r.raised), nil
}

// highestStored returns the highest number that is an ID. It looks once in a transaction:
// what is inserted since is counted, and looking may mean to read all IDs.
func (r *rows) highestStored() (sql.NullInt64, error) {
	if r.highest == nil {
		var highest sql.NullInt64
		query := r.store.dialect.highest(r.table.name, r.table.column(idColumn))
		if _, err := r.one(query, nil, &highest); err != nil {
			return highest, err
		}
		r.highest = &highest
	}
	return *r.highest, nil
}

// counterName is the name under which the table's highest number is kept.
// Tables whose names differ in case only are one and the same.
func (r *rows) counterName() string { return strings.ToLower(r.table.name) }

// maxDigits is the length of the longest number that is counted when a caller
// chose it; without it, one ID could use up all numbers.
const maxDigits = 18

// remember keeps the number that an ID is, if it is one.
func (r *rows) remember(id string) {
	if n, err := strconv.ParseUint(id, 10, 63); err == nil && len(id) <= maxDigits {
		r.raise(int64(n))
	}
}

// raise raises the counter to n at the end of the transaction, unless it is higher.
func (r *rows) raise(n int64) { r.raised = max(r.raised, n) }

// finish writes what is written once in a transaction.
func (r *rows) finish() error {
	if r.raised == 0 {
		return nil
	}
	return r.exec(r.store.dialect.remember(), r.counterName(), r.raised)
}
