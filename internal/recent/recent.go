// Package recent is a map of bounded size that keeps the names put most recently, so
// that a process that runs for months remembers secrets in bounded memory.
package recent

// Half is the number of names in each half of a [Map]: it keeps at least the last Half
// names, and at most twice as many.
const Half = 1 << 15

// Map maps names to values. When the younger half is full, the older half is dropped.
// The zero value is empty. A Map is not safe for concurrent use.
type Map[V any] struct {
	younger, older map[string]V
	turn           uint32
}

// Turn returns a number that changes whenever the younger half becomes the older: a name that
// was put in this turn is kept for at least the next.
func (m *Map[V]) Turn() uint32 { return m.turn }

// Get returns the value of a name, and whether there is one.
func (m *Map[V]) Get(name string) (V, bool) {
	if v, ok := m.younger[name]; ok {
		return v, true
	}
	v, ok := m.older[name]
	return v, ok
}

// Use is Get for a name that is in use: it counts as put again.
func (m *Map[V]) Use(name string) (V, bool) {
	if v, ok := m.younger[name]; ok {
		return v, true
	}
	v, ok := m.older[name]
	if ok {
		m.Put(name, v)
	}
	return v, ok
}

// Put sets the value of a name.
func (m *Map[V]) Put(name string, v V) {
	if _, ok := m.younger[name]; !ok && (m.younger == nil || len(m.younger) >= Half) {
		m.younger, m.older = map[string]V{}, m.younger
		m.turn++
	}
	m.younger[name] = v
}
