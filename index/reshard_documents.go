// The documents in a change of the fan-out: sealing the old ones, and creating the new ones
// from them. Many processes may do it together.

package index

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

// sealAll seals the documents of the present layout and returns them.
func (x *Document) sealAll(ctx context.Context, root *page) ([]*page, error) {
	if root.fanout == 1 {
		return []*page{root}, nil // Sealed by the announcement.
	}
	names := x.names(root.layout)
	sealed := make([]*page, len(names))
	if len(names) > atATime {
		// A writer with little time goes on with what others have left.
		all := numbers(len(names), func(int) bool { return true })
		err := x.inTurn(ctx, all, 10*atATime, func(ctx context.Context, turn []int) error {
			pages, err := x.readPages(ctx, namesAt(names, turn))
			for i, p := range pages {
				if p.frozen() {
					sealed[turn[i]] = p
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	left := numbers(len(names), func(i int) bool { return sealed[i] == nil })
	return sealed, x.inTurn(ctx, left, atATime, func(ctx context.Context, turn []int) error {
		pages, err := x.readPages(ctx, namesAt(names, turn))
		if err != nil {
			return err
		}
		return parallel.Each(ctx, len(turn), x.config.Parallelism, func(ctx context.Context, i int) (err error) {
			sealed[turn[i]], err = x.seal(ctx, pages[i])
			return err
		})
	})
}

// numbers returns those of the numbers 0 to n-1 that are left.
func numbers(n int, left func(int) bool) []int {
	var some []int
	for i := range n {
		if left(i) {
			some = append(some, i)
		}
	}
	return some
}

// inTurn calls do with the numbers, at most n at a time, beginning anywhere: processes that
// finish one change together then do different parts of it.
func (x *Document) inTurn(ctx context.Context, numbers []int, n int, do func(ctx context.Context, turn []int) error) error {
	first := int(x.config.Jitter() * float64(len(numbers)))
	numbers = slices.Concat(numbers[first:], numbers[:first])
	for turn := range slices.Chunk(numbers, n) {
		if err := x.patiently(ctx, func() error { return do(ctx, turn) }); err != nil {
			return err
		}
	}
	return nil
}

// patiently calls do again while the service asks for fewer calls.
func (x *Document) patiently(ctx context.Context, do func() error) error {
	for attempt := 0; ; attempt++ {
		err := do()
		if attempt == writeAttempts-1 || !errors.Is(err, driver.ErrThrottled) {
			return err
		}
		if err := x.wait(ctx, attempt); err != nil {
			return err
		}
	}
}

// atATime is how many documents a change of the fan-out reads at a time before it writes
// them; it looks for ten times as many that others have written, all of which it reads again
// if it is throttled.
const atATime = 20

func namesAt(names []string, turn []int) []string {
	some := make([]string, len(turn))
	for i, n := range turn {
		some[i] = names[n]
	}
	return some
}

// seal seals one document. A missing one is created as a sealed one, so that no
// process can create it later.
func (x *Document) seal(ctx context.Context, p *page) (*page, error) {
	for attempt := 0; ; attempt++ {
		if p.frozen() {
			return p, nil
		}
		p.sealed, p.writes = x.sealTime(), nil
		o, err := x.put(ctx, p.stored(), x.limits.MaxSize)
		if err == nil {
			p.revision, p.generation = o.revision, o.generation
			return p, nil
		}
		if !errors.Is(err, driver.ErrConflict) {
			return nil, err
		}
		if err := x.retry(ctx, attempt, p.object, err); err != nil {
			return nil, err
		}
		if p, err = x.readPage(ctx, p.name); err != nil {
			return nil, err
		}
	}
}

// split returns the documents of the next layout, without empty ones. Its result
// depends on the old documents and on nothing else.
func (x *Document) split(old []*page, next layout) []*page {
	var sealed, generation int64
	lacking := false
	byPart := make([]map[string][]held, next.fanout)
	for _, p := range old {
		sealed, generation, lacking = max(sealed, p.sealed), max(generation, p.generation), lacking || p.lacking
		for _, h := range p.all() {
			part := next.part(h.key)
			if byPart[part] == nil {
				byPart[part] = map[string][]held{}
			}
			byPart[part][h.ID] = append(byPart[part][h.ID], h)
		}
	}
	var pages []*page
	for n, byID := range byPart {
		if len(byID) == 0 && next.fanout > 1 && !lacking {
			continue
		}
		p := &page{object: absent(x.name(next, n)), part: n, lacking: lacking}
		p.generation = generation
		p.writes = p.writes.add(time.Unix(sealed, 0))
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			p.setID(id, encodeHints(id, byID[id]))
		}
		pages = append(pages, p)
	}
	return pages
}

// createAll creates the new documents that do not exist yet. It gives up with errMoved
// if it has taken so long that the layout may be out of date.
func (x *Document) createAll(ctx context.Context, pages []*page, began time.Time) error {
	names, created := make([]string, len(pages)), make([]bool, len(pages))
	for i, p := range pages {
		names[i] = p.name
	}
	all := numbers(len(pages), func(int) bool { return true })
	return x.inTurn(ctx, all, 10*atATime, func(ctx context.Context, turn []int) error {
		there, err := x.existing(ctx, namesAt(names, turn))
		if err != nil {
			return err
		}
		return parallel.Each(ctx, len(turn), x.config.Parallelism, func(ctx context.Context, i int) error {
			p := pages[turn[i]]
			if created[turn[i]] || there[p.name] {
				return nil
			}
			if x.config.Now().Sub(began) > freshLife {
				return errMoved
			}
			if _, err := x.putExact(ctx, p.stored(), 0); err != nil && !errors.Is(err, driver.ErrConflict) {
				return err
			}
			created[turn[i]] = true
			return nil
		})
	})
}

// existing returns which of the documents have been created already, as far as one
// call can show.
func (x *Document) existing(ctx context.Context, names []string) (map[string]bool, error) {
	there := map[string]bool{}
	if _, ok := driver.As[driver.BatchGetter](x.secrets); !ok {
		return there, nil
	}
	objects, err := x.reader.ReadMany(ctx, names)
	for _, o := range objects {
		there[o.name] = o.exists()
	}
	return there, err
}
