// Documents of an older layout are deleted by later writers, after a grace period in which
// slow readers and writers may still need them. The root remembers them until then, so
// that nobody has to run a repair, and nothing is listed.

package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/parallel"
)

const (
	// shortestGrace is how long the documents of an older layout are kept at least:
	// longer than a process relies on a layout that it remembers.
	shortestGrace = 2 * rootLife
	// One claim or release looks at atATime documents of an older layout and deletes as
	// many as this of them, so that it does not take long.
	retiredAtOnce = 4
	// retryRetiring is how long a process that failed to delete one leaves them to others.
	retryRetiring = time.Hour
	// maxRetirements is how many older layouts the root remembers. Further documents are
	// left to the repair.
	maxRetirements = 32
)

// retirement is an older layout of which the root does not know that the documents are
// deleted.
type retirement struct {
	epoch  int64
	fanout int
	since  int64 // when another layout took its place, in Unix seconds
}

// retirements are stored as "epoch fanout since", separated by ";", the oldest first.
type retirements []retirement

// add returns r with one more layout. One of the root alone leaves no documents.
func (r retirements) add(l layout, now time.Time) retirements {
	if l.fanout == 1 {
		return r
	}
	added := append(slices.Clone(r), retirement{l.epoch, l.fanout, seconds(now)})
	return added[max(0, len(added)-maxRetirements):]
}

func (r retirements) String() string {
	var texts []string
	for _, old := range r {
		texts = append(texts, fmt.Sprintf("%d %d %d", old.epoch, old.fanout, old.since))
	}
	return strings.Join(texts, ";")
}

// parseRetirements parses the stored string. If it is invalid, the documents are left to
// the repair.
func parseRetirements(text string, epoch int64) retirements {
	var r retirements
	for word := range strings.SplitSeq(text, ";") {
		var old retirement
		if _, err := fmt.Sscanf(word, "%d %d %d", &old.epoch, &old.fanout, &old.since); err != nil ||
			old.epoch < 1 || old.epoch >= epoch || CheckFanout(old.fanout) != nil || old.since < 0 {
			return nil
		}
		r = append(r, old)
	}
	return r
}

// retiring is what a process knows of the documents that are to be deleted.
type retiring struct {
	known retirements
	busy  bool      // one goroutine is deleting some
	after time.Time // not before then
	epoch int64     // of the layout of which some are deleted
	done  int       // how many of its documents need no further look
}

// retire deletes some documents of an older layout, if their grace is over. It is called
// after each write of the index, whose success does not depend on it: what fails is left
// to a later writer.
func (x *Document) retire(ctx context.Context) {
	old, first, ok := x.beginRetiring()
	if !ok {
		return
	}
	done, err := x.retireSome(ctx, old, first)
	if err == nil && done == old.fanout {
		err = x.forgetRetired(ctx, old)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.retiring.busy, x.retiring.done = false, done
	if err != nil && ctx.Err() == nil && !errors.Is(err, driver.ErrConflict) {
		x.retiring.after = x.config.Now().Add(retryRetiring)
	}
}

// beginRetiring returns the oldest layout whose documents are to be deleted now, and the
// number of the first one to look at.
func (x *Document) beginRetiring() (old retirement, first int, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r, now := &x.retiring, x.config.Now()
	if len(r.known) == 0 || r.busy || now.Before(r.after) {
		return old, 0, false
	}
	old = r.known[0]
	if now.Sub(time.Unix(old.since, 0)) <= max(x.config.Grace, shortestGrace) {
		return old, 0, false
	}
	if r.epoch != old.epoch {
		r.epoch, r.done = old.epoch, 0
	}
	r.busy = true
	return old, r.done, true
}

// retireSome deletes the next documents of a layout, from number first on, and returns the
// number up to which they are deleted. A document that is not sealed was created by a
// process that slept, or a person broke it; the repair decides about it.
func (x *Document) retireSome(ctx context.Context, old retirement, first int) (done int, err error) {
	if first == old.fanout {
		return first, nil
	}
	end := min(first+atATime, old.fanout)
	names := x.names(layout{epoch: old.epoch, fanout: old.fanout})[first:end]
	stored, err := x.glance(ctx, names)
	if err != nil {
		return first, err
	}
	var sealed []object
	for n, name := range names {
		o, err := decodeObject(stored[name])
		if err != nil || !o.exists() {
			continue
		}
		if p, err := decodePage(o, false); err != nil || !p.frozen() {
			continue
		}
		if len(sealed) == retiredAtOnce {
			end = first + n
			break
		}
		sealed = append(sealed, o)
	}
	err = parallel.Each(ctx, len(sealed), x.config.Parallelism, func(ctx context.Context, i int) error {
		if err := x.remove(ctx, sealed[i]); !errors.Is(err, driver.ErrConflict) {
			return err
		}
		return nil // Another process is deleting it.
	})
	if err != nil {
		return first, err
	}
	return end, nil
}

// glance reads secrets as the service shows them: of what is deleted conditionally, an
// older state does no harm.
func (x *Document) glance(ctx context.Context, names []string) (map[string]driver.Secret, error) {
	stored := map[string]driver.Secret{}
	if batch, ok := driver.As[driver.BatchGetter](x.secrets); ok {
		secrets, err := batch.GetBatch(ctx, names)
		for _, s := range secrets {
			stored[s.Name] = s
		}
		return stored, err
	}
	secrets := make([]driver.Secret, len(names))
	err := parallel.Each(ctx, len(names), x.config.Parallelism, func(ctx context.Context, i int) (err error) {
		if secrets[i], err = x.secrets.Get(ctx, names[i]); errors.Is(err, driver.ErrNotFound) {
			return nil
		}
		return err
	})
	for i, s := range secrets {
		stored[names[i]] = s
	}
	return stored, err
}

// forgetRetired takes a layout whose documents are deleted from the root.
func (x *Document) forgetRetired(ctx context.Context, old retirement) error {
	root, err := x.readRoot(ctx)
	if err != nil {
		return err
	}
	i := slices.Index(root.retired, old)
	if i < 0 || root.next != nil {
		return nil
	}
	if crowded(root.writes.total(x.config.Now()), x.limits.WritesPerDay) {
		return driver.ErrQuota // The last writes of the day are kept for growth.
	}
	root.retired = slices.Delete(slices.Clone(root.retired), i, i+1)
	return x.save(ctx, root, x.limits.MaxSize)
}
