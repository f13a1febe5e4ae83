// One run of a driver case. Some promises are checked on every call of every case.

package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
)

// The promises that every case checks.
const (
	ruleNoData     = "errors and logs never hold data"
	ruleSentinel   = "errors match one of the sentinels of package driver, or are the context's own"
	ruleRevision   = "a revision is a non-empty string that identifies one write; no two writes of a name share one"
	ruleUnchanged  = "data is immutable: a driver changes neither what was passed to Put nor what it has returned"
	ruleListEnds   = "an error ends the sequence of a list"
	ruleBatchError = "the error of a batch read joins one *driver.NameError for each secret that could not be read"
)

// driverTrial is one run of one case of the suite for drivers.
type driverTrial struct {
	record
	ctx      context.Context // A trial lives as long as one case.
	settings *driverSettings
	prefix   string // begins the names of this case
	given    driver.Secrets
	secrets  driver.Secrets // given, watched
	frozen   drivertest.Frozen

	revisions map[string]map[string]bool // by name, those that Put has returned; guarded by mu
	writes    int                        // all of them; guarded by mu
	doubts    int                        // those of unknown outcome; guarded by mu
}

func newDriverTrial(ctx context.Context, s *driverSettings, c DriverCase) *driverTrial {
	return &driverTrial{
		ctx: ctx, settings: s, record: record{name: c.Name, rule: c.Rule},
		prefix:    "conformance-" + strings.ToLower(rand.Text()[:10]) + "/",
		revisions: map[string]map[string]bool{},
	}
}

// use makes secrets the driver of the trial.
func (t *driverTrial) use(secrets driver.Secrets) {
	t.given = secrets
	t.secrets = t.watch(secrets)
}

// watch returns secrets whose calls are checked for the promises that hold for all. A call
// that is throttled is repeated, except for a list, which listIn repeats.
func (t *driverTrial) watch(secrets driver.Secrets) driver.Secrets {
	return drivertest.Intercept(t.frozen.Wrap(secrets), func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method.Writes() {
			t.mu.Lock()
			t.writes++
			t.mu.Unlock()
		}
		return repeated(func() error {
			err := do(ctx)
			t.checkError(call, err)
			return err
		}, func(err error) bool { return call.Method != drivertest.List && refusedForNow(err) })
	})
}

// refusedForNow reports whether a driver's service has throttled the call: nothing has
// happened, and it may be repeated.
func refusedForNow(err error) bool { return errors.Is(err, driver.ErrThrottled) }

// unchanged records a finding if the driver has changed data.
func (t *driverTrial) unchanged() {
	if err := t.frozen.Changed(); err != nil {
		t.breaks(ruleUnchanged, "%s", safe(err))
	}
}

var driverSentinels = []error{
	driver.ErrNotFound, driver.ErrNoContainer, driver.ErrConflict, driver.ErrInvalid, driver.ErrTooLarge, driver.ErrUnreadable,
	driver.ErrDenied, driver.ErrThrottled, driver.ErrQuota, driver.ErrUnavailable,
	context.Canceled, context.DeadlineExceeded,
}

func (t *driverTrial) checkError(call drivertest.Call, err error) {
	if err == nil {
		return
	}
	if leaks(err) {
		t.add(Finding{Rule: ruleNoData, Detail: fmt.Sprintf("%s returned an error that holds data", call.Method), hard: true})
	}
	known := func(sentinel error) bool { return errors.Is(err, sentinel) }
	if !slices.ContainsFunc(driverSentinels, known) {
		t.breaks(ruleSentinel, "%s: %s", call.Method, safe(err))
	}
	if call.Method != drivertest.Get && known(driver.ErrNotFound) {
		t.breaks(ruleAbsence, "%s: %s", call.Method, safe(err))
	}
}

// named returns the full name of what a case calls rest.
func (t *driverTrial) named(rest string) string { return t.prefix + rest }

// short is the reverse of named, for findings.
func (t *driverTrial) short(name string) string {
	return show(strings.TrimPrefix(name, t.prefix), false)
}
