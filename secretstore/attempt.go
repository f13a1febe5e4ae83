// What an attempt keeps of its reads. Most attempts read one row and no index, so neither
// takes memory of its own before it is needed.

package secretstore

import (
	"context"

	"example.com/tokenstore/index"
)

// rowSet holds rows by their escaped IDs: the first one in a field, the others in a map.
type rowSet struct {
	first  *row
	others map[string]*row
}

// get returns the row with that ID, or nil.
func (s *rowSet) get(id string) *row {
	if s.first != nil && s.first.id == id {
		return s.first
	}
	return s.others[id]
}

func (s *rowSet) put(r *row) {
	switch {
	case s.first == nil && s.others[r.id] == nil, s.first != nil && s.first.id == r.id:
		s.first = r
	case s.others == nil:
		s.others = map[string]*row{r.id: r}
	default:
		s.others[r.id] = r
	}
}

func (s *rowSet) drop(id string) {
	if s.first != nil && s.first.id == id {
		s.first = nil
	}
	delete(s.others, id)
}

// dropAbsent drops the rows that are absent.
func (s *rowSet) dropAbsent() {
	if s.first != nil && s.first.state == absent {
		s.first = nil
	}
	for id, r := range s.others {
		if r.state == absent {
			delete(s.others, id)
		}
	}
}

func (s *rowSet) empty() bool { return s.first == nil && len(s.others) == 0 }

// lazyView is a view of an index, opened by its first use.
type lazyView struct {
	index index.Index
	view  index.View
}

func (v *lazyView) open() index.View {
	if v.view == nil {
		v.view = v.index.View()
	}
	return v.view
}

func (v *lazyView) Lookup(ctx context.Context, hashes ...string) ([][]index.Hint, error) {
	return v.open().Lookup(ctx, hashes...)
}

func (v *lazyView) Claim(ctx context.Context, claims ...index.Claim) ([][]index.Hint, error) {
	return v.open().Claim(ctx, claims...)
}

func (v *lazyView) Release(ctx context.Context, claims ...index.Claim) error {
	return v.open().Release(ctx, claims...)
}

// Forget drops what the view has read.
func (v *lazyView) Forget() {
	if v.view != nil {
		v.view.Forget()
	}
}
