// The document index, for services that charge for each secret and each write: its options,
// its layout, and reading and writing single documents.

package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/recent"
)

// MaxFanout is the largest fan-out of a document index.
const MaxFanout = 4096

// CheckFanout returns an error if a document index cannot have that fan-out.
func CheckFanout(n int) error {
	if n < 1 || n > MaxFanout {
		return fmt.Errorf("fan-out %d: must be between 1 and %d", n, MaxFanout)
	}
	return nil
}

const (
	rootName = "root"

	// rootLife is how long a process relies on the layout that it remembers.
	// Documents of an older layout are kept for longer than that.
	rootLife = time.Hour
	// freshLife is how old a layout may be when a document is created for it. A process
	// that stalled for longer might create a document of a layout that is gone.
	freshLife = 5 * time.Minute
)

// Document is an index that keeps many keys in few secrets: either in the root
// alone, or in as many documents as the root's fan-out says, each with a part of the
// hashes. A look-up costs one read (two for the first one of a process if there are
// several documents); a claim costs a read and a write for each document that it
// touches.
//
// The index grows by itself. A claim that finds its document above three quarters of the
// service's limit of size, or a claim or release above three quarters of its limit of
// daily writes, doubles the fan-out before it goes on, up to [MaxFanout]; claims of one call
// that have no room make it as large as they need. It does so only where that helps: where
// the document's hints can be divided, and where the other documents too have been written
// often, on average half as often. The documents of the former layout are deleted by
// later claims and releases, a few at a time, once [Config.Grace] has passed. The index
// never gets smaller by itself. See also [Sizer] and [Resharder].
//
// If the writes of a document are used up all the same, a claim fails with an error that
// matches driver.ErrQuota and says until when, since a token whose keys are not in the
// index would not be found. A release does nothing then and returns no error: the hint that
// stays is harmless, and the repair removes it. A claim that would make a document too
// large, however many there are, fails with an error that matches [ErrFull] and
// driver.ErrTooLarge.
//
// A document that cannot be parsed is never overwritten; calls that need it fail
// with an error that matches driver.ErrUnreadable and names it. Delete it and rebuild
// the index from the tokens.
//
// Unknown fields survive writes of a document, but not a change of the fan-out.
type Document struct {
	source
	initial layout // Of a new index, without its epoch.

	kept kept // documents that were decoded

	mu       sync.Mutex
	known    layout // The layout seen last; fan-out 0 if none.
	seenAt   time.Time
	alone    recent.Map[time.Time] // When growth would not have helped a document, by name.
	retiring retiring
}

// DocumentOption is an option of [NewDocument].
type DocumentOption func(*Document)

// WithFanout sets the fan-out with which a new index starts; the default is 1. Values below
// 1 count as 1, values above [MaxFanout] as MaxFanout. An existing index keeps its own.
func WithFanout(fanout int) DocumentOption {
	return func(x *Document) { x.initial.fanout = min(max(fanout, 1), MaxFanout) }
}

// NewDocument returns an index of documents. It also implements [Lister], [Counter], [Resharder],
// [Sizer] and [Omitter].
func NewDocument(secrets driver.Secrets, c Config, options ...DocumentOption) Index {
	x := &Document{source: newSource(secrets, c), initial: layout{fanout: 1}}
	x.reader.Decode = x.answered
	for _, o := range options {
		o(x)
	}
	return x
}

// View returns a view for one attempt of one operation.
func (x *Document) View() View { return x.view() }

func (x *Document) view() *documentView {
	v := &documentView{x: x}
	v.Forget()
	return v
}

// name returns the name of document n.
func (x *Document) name(l layout, n int) string {
	if l.fanout == 1 {
		return x.root()
	}
	return fmt.Sprintf("%s%d-%d", x.config.Prefix, l.epoch, n)
}

func (x *Document) root() string { return x.config.Prefix + rootName }

// epochOf returns the epoch of the document with the given name.
func (x *Document) epochOf(name string) (epoch int64, ok bool) {
	rest, ok := strings.CutPrefix(name, x.config.Prefix)
	if !ok {
		return 0, false
	}
	e, n, _ := strings.Cut(rest, "-")
	epoch, err1 := strconv.ParseInt(e, 10, 64)
	number, err2 := strconv.Atoi(n)
	if err1 != nil || err2 != nil || rest != fmt.Sprintf("%d-%d", epoch, number) {
		return 0, false
	}
	return epoch, epoch > 0 && number >= 0 && number < MaxFanout
}

// part returns the number of the document that holds a key.
func (l layout) part(key string) int {
	n := 0
	for i := range 4 { // 20 bits.
		n = n<<5 | digit(key[i])
	}
	return n % l.fanout
}

// names returns the names of all documents of a layout.
func (x *Document) names(l layout) []string {
	names := make([]string, l.fanout)
	for n := range names {
		names[n] = x.name(l, n)
	}
	return names
}

// namesOf returns the names of the documents that hold the keys, each once, in
// numerical order.
func (x *Document) namesOf(l layout, keys []string) []string {
	numbers := make([]int, len(keys))
	for i, key := range keys {
		numbers[i] = l.part(key)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = x.name(l, n)
	}
	return names
}

// remembered returns the layout that this process has seen last. It does not return
// a layout of the root alone: reading the hints means reading the root anyway.
func (x *Document) remembered() (layout, bool) {
	l, ok := x.seenLately()
	return l, ok && l.fanout > 1
}

// seenLately returns the layout that this process has seen last, if that is recent enough to
// rely on.
func (x *Document) seenLately() (layout, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	fresh := x.config.Now().Sub(x.seenAt) < rootLife
	return x.known, x.known.fanout > 0 && fresh
}

// remember keeps the layout of a root that was just read or written. The documents
// created for it count as seen, so that a read that misses one is retried.
func (x *Document) remember(root *page) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if root.epoch > x.known.epoch {
		for _, n := range root.filled {
			x.seen.Expect(x.name(root.layout, n))
		}
	}
	if root.epoch >= x.known.epoch || !root.exists() {
		x.known, x.seenAt, x.retiring.known = root.layout, x.config.Now(), root.retired
	}
}

// readRoot reads the root. If it does not exist, its layout is zero.
func (x *Document) readRoot(ctx context.Context) (*page, error) {
	root, err := x.readPage(ctx, x.root())
	if err != nil {
		return nil, err
	}
	x.remember(root)
	return root, nil
}

// readPage reads one document.
func (x *Document) readPage(ctx context.Context, name string) (*page, error) {
	o, err := x.reader.Read(ctx, name)
	if err != nil {
		return nil, err
	}
	return x.page(o)
}

// readPages reads documents.
func (x *Document) readPages(ctx context.Context, names []string) ([]*page, error) {
	objects, err := x.reader.ReadMany(ctx, names)
	if err != nil {
		return nil, err
	}
	pages := make([]*page, len(objects))
	for i, o := range objects {
		if pages[i], err = x.page(o); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// save writes a page by compare-and-swap and updates its revision, generation and size.
func (x *Document) save(ctx context.Context, p *page, limit int) error {
	p.writes = p.writes.add(x.config.Now())
	o, err := x.put(ctx, p.stored(), limit)
	if err != nil {
		return err
	}
	p.revision, p.generation, p.size = o.revision, o.generation, o.size
	if o.name == x.root() {
		x.remember(p)
	}
	return nil
}

// create writes the first root, or returns the one that another process has written.
func (x *Document) create(ctx context.Context, first layout) (*page, error) {
	root := &page{object: absent(x.root())}
	for attempt := 0; ; attempt++ {
		x.begin(root, first)
		err := x.save(ctx, root, x.limits.MaxSize)
		if err == nil || !errors.Is(err, driver.ErrConflict) {
			return root, err
		}
		if attempt > 0 { // The first conflict does not mean that reads are stale.
			if err := x.retry(ctx, attempt, root.object, err); err != nil {
				return nil, err
			}
		}
		if root, err = x.readRoot(ctx); err != nil || root.exists() {
			return root, err
		}
	}
}

// begin gives a new root its first layout. The epoch is the clock's seconds, so that
// it differs from the epochs of an earlier root that was lost.
func (x *Document) begin(root *page, first layout) {
	root.layout = first
	root.epoch = max(seconds(x.config.Now()), 1)
}
