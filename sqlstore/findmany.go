// FindTokens. One statement looks up many keys, and another reads the rows to which they lead,
// each once; the result must be that of single finds.

package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// together is how many keys a statement looks up, and how many rows it reads. Fewer than that
// are found one by one: to prepare such a statement takes as long as a hundred finds.
const together = 50

// FindTokens finds many tokens, each as FindToken would, and returns them in the order of the
// queries. It makes up to 500 finds in a transaction. Where a query finds nothing, the result
// is empty, and that is no error. Where a find fails, the result is empty too, and the error
// joins what has failed.
func (s *Store) FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	found := make([]tokenstore.OAuthToken, len(queries))
	var faults []error
	for first := 0; first < len(queries); first += pageRows {
		some := queries[first:min(first+pageRows, len(queries))]
		var unread map[int]error
		err := s.transaction(ctx, false, func(r *rows) (err error) {
			unread, err = r.findMany(some, found[first:])
			return err
		})
		if err != nil {
			return found, errors.Join(append(faults, s.failed(ctx, "find tokens", "", err))...)
		}
		for i, query := range some {
			if unread[i] != nil {
				faults = append(faults, s.failed(ctx, fmt.Sprintf("find token %d of %d", first+i+1, len(queries)), query.ID, unread[i]))
			}
		}
	}
	return found, errors.Join(faults...)
}

// findMany finds tokens. What cannot be read is returned by the index of its query.
func (r *rows) findMany(queries, found []tokenstore.OAuthToken) (unread map[int]error, err error) {
	unread = map[int]error{}
	if len(queries) < together {
		return unread, r.findEach(queries, found, unread)
	}
	at, err := r.placesOf(queries)
	if err != nil {
		return nil, err
	}
	places := make([]any, 0, len(at))
	known := map[any]manyRow{}
	for _, place := range at {
		if _, again := known[place]; !again && place != nil {
			known[place] = manyRow{}
			places = append(places, place)
		}
	}
	if err := r.readMany(places, known); err != nil {
		return nil, err
	}
	for i, place := range at {
		row := known[place]
		if found[i] = row.token; row.fault != nil {
			unread[i] = row.fault
		}
	}
	return unread, nil
}

// findEach finds tokens one by one.
func (r *rows) findEach(queries, found []tokenstore.OAuthToken, unread map[int]error) error {
	for i, query := range queries {
		var bad *unreadableError
		var err error
		found[i], err = rowstore.Find(r, query)
		switch {
		case errors.As(err, &bad):
			unread[i] = err
		case err != nil && !errors.Is(err, tokenstore.ErrNotFound):
			return err
		}
	}
	return nil
}

// placesOf returns the places of the rows that the queries find, nil for those that find none.
// Each look-up is made only if those before it have found nothing.
func (r *rows) placesOf(queries []tokenstore.OAuthToken) ([]any, error) {
	places := make([]any, len(queries))
	for n := 0; ; n++ {
		next := map[tokenstore.KeyKind][]int{} // the queries by what they look up now
		values := make([]string, len(queries))
		for i, query := range queries {
			if keys := lookUpsOf(query); places[i] == nil && n < len(keys) {
				next[keys[n].Kind] = append(next[keys[n].Kind], i)
				values[i] = keys[n].Value
			}
		}
		if len(next) == 0 {
			return places, nil
		}
		for kind, of := range next {
			query := r.table.manyLookUps[kind]
			for ; query != "" && len(of) > 0; of = of[min(together, len(of)):] {
				if err := r.lookUpMany(query, of[:min(together, len(of))], values, places); err != nil {
					return nil, err
				}
			}
		}
	}
}

// lookUpsOf returns what a find looks up, in order. An ID has no kind.
func lookUpsOf(query tokenstore.OAuthToken) []tokenstore.Key {
	keys := tokenstore.FindKeys(query)
	if query.ID != "" {
		keys = append([]tokenstore.Key{{Value: query.ID}}, keys...)
	}
	return keys
}

// lookUpMany looks up the values of some queries, and sets the places of those that it finds.
func (r *rows) lookUpMany(text string, of []int, values []string, places []any) error {
	args := make([]any, 2*together) // NULL finds nothing.
	for n, i := range of {
		args[2*n], args[2*n+1] = values[i], values[i]
	}
	found, err := r.query(text, args...)
	if err != nil {
		return r.told(err)
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		var n int
		var place any
		if err := found.Scan(&n, &place); err != nil {
			return r.told(err)
		}
		places[of[n]] = r.placeOf(place)
	}
	return r.told(found.Err())
}

// manyRow is a row, or why it cannot be read.
type manyRow struct {
	token tokenstore.OAuthToken
	fault error
}

// readMany reads the rows at some places.
func (r *rows) readMany(places []any, into map[any]manyRow) error {
	for len(places) > 0 {
		some := places[:min(together, len(places))]
		places = places[len(some):]
		var args []any
		for n := range together {
			var place any // NULL is no place.
			if n < len(some) {
				place = some[n]
			}
			args = append(args, r.atPlace(place)...)
		}
		err := r.scanAll(r.table.manyRows, args, func(t tokenstore.OAuthToken, row readRow, fault *unreadableError) {
			into[r.placeOf(row.place)] = manyRow{t, errorOf(fault)}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
