// Package recent has a map of bounded size that keeps what was put last.
package recent

// Half is how many names a Map keeps at least, and the half of what it keeps at
// most.
const Half = 1 << 15

// Map maps names to values: when the younger half is full, the older one is
// dropped. The zero value is empty. It is not safe for concurrent use.
type Map[V any] struct {
	younger, older map[string]V
}

// Get returns the value of a name, and whether there is one.
func (m *Map[V]) Get(name string) (V, bool) {
	if v, ok := m.younger[name]; ok {
		return v, true
	}
	v, ok := m.older[name]
	return v, ok
}

// Put gives a name a value.
func (m *Map[V]) Put(name string, v V) {
	if _, ok := m.younger[name]; !ok && (m.younger == nil || len(m.younger) >= Half) {
		m.younger, m.older = map[string]V{}, m.younger
	}
	m.younger[name] = v
}
