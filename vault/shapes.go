package vault

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxShapes bounds the memory for shapes.
const maxShapes = 20_000

// shapes are the names of the fields that versions have, without the values:
// who patches a version has to name the fields that are to go. The last version
// seen of each secret is kept. Secrets of one kind share the text.
type shapes struct {
	mu     sync.Mutex
	byName map[string]shape
	shared map[string]string
}

type shape struct {
	version int64
	fields  string // names, with line breaks between
}

func newShapes() *shapes { return &shapes{byName: map[string]shape{}, shared: map[string]string{}} }

// names returns the names of fields, sorted.
func names(fields map[string]json.RawMessage) []string { return slices.Sorted(maps.Keys(fields)) }

// saw takes note of what a read has shown.
func (s *shapes) saw(name string, st state) {
	if st.fields != nil {
		s.set(name, st.version, names(st.fields))
	}
}

func (s *shapes) set(name string, version int64, fields []string) {
	joined := strings.Join(fields, "\n")
	if strings.Count(joined, "\n") != max(len(fields)-1, 0) {
		return // A name with a line break in it.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byName) >= maxShapes {
		clear(s.byName)
		clear(s.shared)
	}
	text, ok := s.shared[joined]
	if !ok {
		text = joined
		s.shared[joined] = joined
	}
	s.byName[name] = shape{version, text}
}

// of returns the names of the fields of one version, and false if they are not
// known.
func (s *shapes) of(name string, version int64) ([]string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.byName[name]
	if !ok || found.version != version {
		return nil, false
	}
	if found.fields == "" {
		return nil, true
	}
	return strings.Split(found.fields, "\n"), true
}
