// Cases of what a driver tells about its service: as whom it acts, which settings endanger the
// secrets, and when a secret was written.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
)

func driverTellCases() []DriverCase {
	return []DriverCase{
		{"identity", "Identity returns the name under which the service knows the caller, or nothing; it does not depend on what is stored, and is no credential", driverIdentity},
		{"advice", "Advice returns one sentence for each setting, without data or the name of a secret, and changes nothing", driverAdvice},
		{"written", "Written, asked right after a write, returns when that revision was written, by the service's clock, or the zero time", driverWritten},
	}
}

func driverIdentity(t *driverTrial) {
	who, ok := driver.As[driver.Identifier](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.Identifier")
	}
	ask := func(ctx context.Context) (name string, err error) {
		err = t.asks("Identity", func() (err error) {
			name, err = who.Identity(ctx)
			return err
		})
		return name, err
	}
	name, err := ask(t.ctx)
	if errors.Is(err, driver.ErrDenied) {
		t.lacks("this role may not ask for its identity")
	}
	t.must("Identity", err)
	r := t.store("a", value("1"), "")
	t.holds("a", value("1"), r)
	again, err := ask(t.ctx)
	t.must("Identity", err)
	t.isName(name, again)
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if _, err := ask(ctx); !errors.Is(err, context.Canceled) {
		t.fails("Identity with an ended context: %s", safe(err))
	}
	t.holds("a", value("1"), r)
}

// asks makes a call that the trial does not watch: it checks its error, and repeats it if it is
// throttled.
func (t *driverTrial) asks(method drivertest.Method, call func() error) error {
	return repeated(func() error {
		err := call()
		t.checkError(drivertest.Call{Method: method}, err)
		return err
	}, refusedForNow)
}

func driverAdvice(t *driverTrial) {
	advisor, ok := driver.As[driver.Advisor](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.Advisor")
	}
	ask := func(ctx context.Context) (advice []string, err error) {
		err = t.asks("Advice", func() (err error) {
			advice, err = advisor.Advice(ctx)
			return err
		})
		return advice, err
	}
	held := map[string]string{}
	advise := func() {
		// Some settings may be out of this role's reach: the others are reported all the same.
		advice, _ := ask(t.ctx)
		for i, sentence := range advice {
			switch {
			case strings.Contains(sentence, mark):
				t.add(Finding{Rule: ruleNoData, Detail: "Advice returned a sentence that holds data", hard: true})
			case strings.Contains(sentence, strings.TrimSuffix(t.prefix, "/")):
				t.fails("Advice returned a sentence that holds the name of a secret")
			case strings.TrimSpace(sentence) == "", strings.ContainsAny(sentence, "\r\n"):
				t.fails("Advice returned %s, which is not one sentence", show(sentence, false))
			case slices.Contains(advice[:i], sentence):
				t.fails("Advice returned the sentence %s twice", show(sentence, false))
			}
		}
		for name, r := range held {
			t.holds(name, value(name), r)
		}
	}
	advise()
	for _, name := range []string{"a", "b"} {
		held[name] = t.store(name, value(name), t.store(name, value("0"), ""))
		advise()
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if _, err := ask(ctx); !errors.Is(err, context.Canceled) {
		t.fails("Advice with an ended context: %s", safe(err))
	}
}

// Between these times are those of any service's clock, and of a fake's. What was read in the
// wrong unit is not.
var (
	firstYear = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	lastYear  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func driverWritten(t *driverTrial) {
	dated, ok := driver.As[driver.Dated](t.secrets)
	if !ok {
		t.lacks("the driver does not implement driver.Dated")
	}
	ask := func(ctx context.Context, name, revision string) (at time.Time, err error) {
		err = t.asks("Written", func() (err error) {
			at, err = dated.Written(ctx, t.named(name), revision)
			return err
		})
		return at, err
	}
	write := func(name, text, revision string) (string, time.Time) {
		r := t.store(name, value(text), revision)
		at, err := ask(t.ctx, name, r)
		t.must("Written", err)
		if !at.IsZero() && (at.Before(firstYear) || at.After(lastYear)) {
			t.fails("a revision was written in the year %d", at.UTC().Year())
			giveUp()
		}
		t.holds(name, value(text), r)
		return r, at
	}
	// A clock may be set back, and those of a service's hosts may differ a little, but not
	// between the same writes again and again.
	const attempts = 3
	for n := range attempts {
		name := fmt.Sprint("a", n)
		first, created := write(name, "1", "")
		between := created
		for i := 0; i < 3 && !between.After(created); i++ {
			if _, at := write(fmt.Sprintf("b%d-%d", n, i), "1", ""); !at.IsZero() {
				between = at
			}
		}
		_, replaced := write(name, "2", first)
		if created.IsZero() || replaced.IsZero() || !replaced.Before(between) {
			break
		}
		if n == attempts-1 {
			t.fails("a revision was written before another that is older: when the secret was created is not when it was written")
		}
	}
	r, _ := write("c", "1", "")
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if _, err := ask(ctx, "c", r); !errors.Is(err, context.Canceled) {
		t.fails("Written with an ended context: %s", safe(err))
	}
}
