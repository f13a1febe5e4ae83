// The documents that a process keeps decoded. To find a token by a key it reads a document of
// up to 64 KiB, which rarely has changed since it was read last: then decoding it would cost
// many times what the rest of the find costs. A document is read from the service all the
// same, every time: what is saved is the decoding of a revision that was decoded before, so
// nothing is believed for longer than without.

package index

import (
	"container/list"
	"sync"
	"unsafe"

	"example.com/tokenstore/driver"
)

// keptBytes limits the memory of the documents that one Document keeps decoded: some 50 full
// ones of 64 KiB.
const keptBytes = 8 << 20

// kept are decoded documents, the ones that were used last. They are never changed: see
// page.own.
type kept struct {
	mu     sync.Mutex
	byName map[string]*list.Element // of *page
	order  list.List                // the one used last in front
	bytes  int
}

// get returns the page that was decoded from the same write of the same secret, or nil.
func (k *kept) get(s driver.Secret) *page {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byName[s.Name]
	if e == nil {
		return nil
	}
	p := e.Value.(*page)
	if p.revision != s.Revision || p.restored != s.Restored {
		return nil
	}
	k.order.MoveToFront(e)
	return p
}

// put keeps a page that was just decoded, and drops pages that were not used for longest.
func (k *kept) put(p *page) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byName == nil {
		k.byName = map[string]*list.Element{}
	}
	if e := k.byName[p.name]; e != nil {
		k.drop(e)
	}
	k.byName[p.name] = k.order.PushFront(p)
	k.bytes += p.memory()
	for k.bytes > keptBytes {
		k.drop(k.order.Back())
	}
}

func (k *kept) drop(e *list.Element) {
	p := k.order.Remove(e).(*page)
	delete(k.byName, p.name)
	k.bytes -= p.memory()
}

// memory returns about how many bytes a decoded page takes: its data, its fields and the
// places of its keys. What is kept of any page, even an empty one, takes less than a KiB.
func (p *page) memory() int {
	fields := len(p.WithPrefix("")) * int(unsafe.Sizeof(driver.Field{}))
	return 1<<10 + p.size + fields + len(p.places)*int(unsafe.Sizeof(place{}))
}

// answered is the answer about a document: without its content, if that was decoded before.
func (x *Document) answered(s driver.Secret, err error) (object, error) {
	if err == nil && s.Revision != "" {
		if p := x.kept.get(s); p != nil {
			o := p.object
			o.decoded = p
			return o, nil
		}
	}
	return answered(s, err)
}

// page returns the page of a document that was read. The caller may change it.
func (x *Document) page(o object) (*page, error) {
	if o.decoded == nil {
		p, err := decodePage(o, o.name == x.root())
		if err != nil || !o.exists() {
			return p, err
		}
		p.shared = true
		x.kept.put(p)
		o.decoded = p
	}
	own := *o.decoded
	return &own, nil
}

// own makes the fields of a page its own before one of them is changed.
func (p *page) own() {
	if p.shared {
		p.Object, p.shared = p.Clone(), false
	}
	p.places = nil // They are those of the fields before the change.
}

// place says that a key may be in a field of an ID: the beginning of the key, and the number
// of the field.
type place struct {
	begin uint64
	field int
}

// beginOf returns the beginning of a key as a number, which is faster to compare than a
// string.
func beginOf(key string) uint64 {
	_ = key[7]
	return uint64(key[0]) | uint64(key[1])<<8 | uint64(key[2])<<16 | uint64(key[3])<<24 |
		uint64(key[4])<<32 | uint64(key[5])<<40 | uint64(key[6])<<48 | uint64(key[7])<<56
}

// holders yields the fields that may hold a key, each once.
func (p *page) holders(key string, yield func(driver.Field)) {
	ids := p.ids()
	if p.places == nil {
		for _, f := range ids {
			if mayHold(f, key) {
				yield(f)
			}
		}
		return
	}
	last, begin := -1, beginOf(key)
	for _, at := range p.places {
		if at.begin == begin && at.field != last {
			yield(ids[at.field])
			last = at.field
		}
	}
}
