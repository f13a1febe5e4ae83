// Cases of contexts that are cancelled or expire.

package conformance

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore/driver"
)

func driverContextCases() []DriverCase {
	const rule = "every call honours its context: the context's error is returned, and nothing is written"
	return []DriverCase{
		{"cancelled", rule, func(t *driverTrial) {
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			t.refusesContext(ctx, context.Canceled)
		}},
		{"deadline", rule, func(t *driverTrial) {
			ctx, cancel := context.WithDeadline(t.ctx, time.Unix(1, 0))
			defer cancel()
			t.refusesContext(ctx, context.DeadlineExceeded)
		}},
		{"cancelled-list", "a list ends with the context's error when its context ends", func(t *driverTrial) {
			const stored = 3
			for _, name := range []string{"a", "b", "c"} {
				t.store(name, value(name), "")
			}
			t.lists("", "a", "b", "c")
			var last error
			n := 0
			// A stale list may be empty, and then does not end with an error.
			t.settled(func() bool {
				_ = repeated(func() error {
					n, last = t.cancelledAfterOne()
					return last
				}, refusedForNow)
				return n > 0 || last != nil
			}, func() {})
			// It may still yield the names that it has already read.
			if n < stored && !errors.Is(last, context.Canceled) {
				t.fails("a list whose context ended in the middle yielded %d of %d names and %s", n, stored, safe(last))
			}
		}},
	}
}

// cancelledAfterOne lists under a context that it cancels at the first name, and returns how
// many names there were, and the error at the end.
func (t *driverTrial) cancelledAfterOne() (n int, last error) {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	for _, err := range t.given.List(ctx, t.prefix) {
		if last != nil {
			t.breaks(ruleListEnds, "List continued after its error")
			break
		}
		if last = err; err == nil {
			n++
		}
		cancel()
	}
	return n, last
}

func (t *driverTrial) refusesContext(ctx context.Context, want error) {
	r := t.store("a", value("1"), "")
	check := func(method string, err error) {
		if !errors.Is(err, want) {
			t.fails("%s with an ended context: %s, instead of %q", method, safe(err), want)
		}
	}
	_, err := t.secrets.Get(ctx, t.named("a"))
	check("Get", err)
	_, err = t.secrets.Get(ctx, t.named("missing"))
	check("Get of a missing secret", err)
	_, err = t.secrets.Put(ctx, driver.Secret{Name: t.named("b"), Data: value("2")})
	check("Put of a new secret", err)
	_, err = t.secrets.Put(ctx, driver.Secret{Name: t.named("a"), Data: value("2"), Revision: r})
	check("Put", err)
	check("Delete", t.secrets.Delete(ctx, t.named("a"), r))
	_, err = t.listIn(ctx, t.prefix)
	check("List", err)
	if batch, ok := driver.As[driver.BatchGetter](t.secrets); ok {
		_, err := batch.GetBatch(ctx, []string{t.named("a"), t.named("b")})
		check("GetBatch", err)
	}
	if retirer, ok := driver.As[driver.Retirer](t.secrets); ok {
		check("Retire", retirer.Retire(ctx, t.named("a"), r))
	}
	t.missing("b")
	t.holds("a", value("1"), r)
	t.store("a", value("3"), r)
}
