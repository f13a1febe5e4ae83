// An index of entries that reads each entry once. A repair needs all of them several times:
// to see which keys are missing, which hints lead nowhere, what to sweep, and how large they
// are.

package index

import (
	"context"
	"sync"
)

// Keeper is implemented by an index whose secrets are many, and read one by one.
type Keeper interface {
	// Keep returns the index for the use of one operation. It lists its secrets once, and
	// reads each once: after that it relies on what it has read or written, unless a write
	// shows that others have written since. So its answers may be as old as the operation.
	Keep() Index
}

// Keep implements [Keeper].
func (x *Entries) Keep() Index {
	return &Entries{source: x.source, kept: &snapshot{objects: map[string]object{}}}
}

// snapshot is what an index has read during one operation. A nil one keeps nothing.
type snapshot struct {
	mu      sync.Mutex
	objects map[string]object // by name; an absent one has no revision
	listed  bool
	names   []string
}

// get returns a copy of what was kept.
func (k *snapshot) get(name string) (object, bool) {
	if k == nil {
		return object{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	o, ok := k.objects[name]
	o.Object = o.Clone() // Decoding an entry changes it.
	return o, ok
}

// put keeps copies of objects that were read or written.
func (k *snapshot) put(objects ...object) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range objects {
		o.Object = o.Clone()
		k.objects[o.name] = o
	}
}

// drop forgets an object, which others have written.
func (k *snapshot) drop(name string) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.objects, name)
}

// read returns the named entries, in that order, as they are stored or kept.
func (x *Entries) read(ctx context.Context, names []string) ([]object, error) {
	if x.kept == nil {
		return x.reader.ReadMany(ctx, names)
	}
	objects := make([]object, len(names))
	var missing []string
	var places []int
	for i, name := range names {
		o, ok := x.kept.get(name)
		if objects[i] = o; !ok {
			missing, places = append(missing, name), append(places, i)
		}
	}
	if len(missing) == 0 {
		return objects, nil
	}
	fresh, err := x.reader.ReadMany(ctx, missing)
	if err != nil {
		return nil, err
	}
	x.kept.put(fresh...)
	for i, o := range fresh {
		objects[places[i]] = o
	}
	return objects, nil
}

// names returns the sorted names of all entries, as they are stored or kept.
func (x *Entries) names(ctx context.Context) ([]string, error) {
	if x.kept == nil {
		return x.list(ctx)
	}
	x.kept.mu.Lock()
	defer x.kept.mu.Unlock()
	if x.kept.listed {
		return x.kept.names, nil
	}
	names, err := x.list(ctx)
	if err != nil {
		return nil, err
	}
	x.kept.listed, x.kept.names = true, names
	return names, nil
}
