// The calls that driver cases are made of, each with its checks, so that cases read as lists
// of calls.

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
)

// value returns data of the suite: an object with one field that distinguishes it. Like
// all data of the suite, it holds the mark.
func value(text string) []byte {
	data, err := json.Marshal(map[string]string{"value": secret(text)})
	if err != nil {
		return nil // not reached: strings can be marshalled
	}
	return data
}

// put calls Put and checks the revision. It never ends the case.
func (t *driverTrial) put(s driver.Secrets, name string, data []byte, revision string) (string, error) {
	got, err := s.Put(t.ctx, driver.Secret{Name: t.named(name), Data: data, Revision: revision})
	if err == nil {
		t.newRevision(name, got)
	}
	return got, err
}

// newRevision records the revision of a write.
func (t *driverTrial) newRevision(name, revision string) {
	t.mu.Lock()
	again := t.revisions[name][revision]
	if t.revisions[name] == nil {
		t.revisions[name] = map[string]bool{}
	}
	t.revisions[name][revision] = true
	t.mu.Unlock()
	switch {
	case revision == "":
		t.breaks(ruleRevision, "Put returned an empty revision")
	case again:
		t.breaks(ruleRevision, "Put of %s returned the revision of an earlier write of that name", show(name, false))
	}
}

// store calls Put and ends the case if it fails.
func (t *driverTrial) store(name string, data []byte, revision string) string {
	got, err := t.put(t.secrets, name, data, revision)
	t.must("Put", err)
	return got
}

// remove calls Delete and ends the case if it fails.
func (t *driverTrial) remove(name, revision string) {
	t.must("Delete", t.secrets.Delete(t.ctx, t.named(name), revision))
}

// conflicts records a finding unless err matches ErrConflict and no other sentinel.
func (t *driverTrial) conflicts(doing string, err error) {
	if !errors.Is(err, driver.ErrConflict) {
		t.fails("%s: %s, instead of an error that matches ErrConflict", doing, safe(err))
		return
	}
	for _, s := range driverSentinels {
		if !errors.Is(s, driver.ErrConflict) && errors.Is(err, s) {
			t.breaks("every fault matches its own sentinel only", "%s: the error matches both ErrConflict and %q", doing, s)
		}
	}
}

// holds records a finding unless the name holds data at revision.
func (t *driverTrial) holds(name string, data []byte, revision string) {
	t.holdsFor(t.secrets, name, data, revision)
}

func (t *driverTrial) holdsFor(s driver.Secrets, name string, data []byte, revision string) {
	var problem string
	t.settled(func() bool {
		got, err := s.Get(t.ctx, t.named(name))
		switch {
		case err != nil:
			problem = "Get of " + show(name, false) + ": " + safe(err)
		case got.Name != t.named(name):
			problem = "Get of " + show(name, false) + " returned a secret with the name " + t.short(got.Name)
		case !sameData(got.Data, data):
			problem = "Get of " + show(name, false) + " returned " + showData(got.Data) + " instead of " + showData(data)
		case revision != "" && got.Revision != revision:
			problem = "Get of " + show(name, false) + " returned another revision than the write of this data"
		case got.Revision == "":
			problem = "Get of " + show(name, false) + " returned no revision"
		default:
			return true
		}
		return false
	}, func() { t.fails("%s", problem) })
}

// missing records a finding if the name is found.
func (t *driverTrial) missing(name string) { t.missingFor(t.secrets, name) }

func (t *driverTrial) missingFor(s driver.Secrets, name string) {
	var problem error
	t.settled(func() bool {
		_, problem = s.Get(t.ctx, t.named(name))
		return errors.Is(problem, driver.ErrNotFound)
	}, func() {
		t.fails("Get of %s: %s, instead of an error that matches ErrNotFound", show(name, false), safe(problem))
	})
}

// get returns the result of a settled read, or ends the case.
func (t *driverTrial) get(name string) driver.Secret {
	got, err := t.secrets.Get(t.ctx, t.named(name))
	t.must("Get", err)
	return got
}

// settled calls ok until it returns true, as often as reads may be stale; after that it
// calls failed.
func (t *driverTrial) settled(ok func() bool, failed func()) {
	for tries := 0; !ok(); tries++ {
		if t.settings.settle == nil || tries == 100 {
			failed()
			return
		}
		if err := t.settings.settle(t.ctx); err != nil {
			failed()
			return
		}
	}
}

// list returns the names with the prefix, in the case's own form, sorted.
func (t *driverTrial) list(prefix string) ([]string, error) {
	return t.listRaw(t.named(prefix))
}

// listRaw lists any prefix, and leaves out the names of other cases.
func (t *driverTrial) listRaw(prefix string) (names []string, failed error) {
	all, failed := t.listIn(t.ctx, prefix)
	for _, name := range all {
		if own, ok := strings.CutPrefix(name, t.prefix); ok {
			names = append(names, own)
		} else if len(prefix) >= len(t.prefix) {
			t.fails("List yielded the name %s, which does not begin with the prefix", show(name, false))
		}
	}
	slices.Sort(names)
	return names, failed
}

// listIn lists under a context. It bypasses the checks of the other calls, which would
// end a sequence at its error.
func (t *driverTrial) listIn(ctx context.Context, prefix string) (names []string, failed error) {
	failed = repeated(func() error {
		names, failed = t.listOnce(ctx, prefix)
		return failed
	}, refusedForNow)
	return names, failed
}

func (t *driverTrial) listOnce(ctx context.Context, prefix string) (names []string, failed error) {
	for name, err := range t.given.List(ctx, prefix) {
		if failed != nil {
			t.breaks(ruleListEnds, "List continued after its error")
			break
		}
		if err == nil {
			names = append(names, name)
		}
		failed = err
	}
	t.checkError(drivertest.Call{Method: drivertest.List, Name: prefix}, failed)
	return names, failed
}

// lists records a finding unless List yields exactly these names.
func (t *driverTrial) lists(prefix string, want ...string) {
	want = slices.Sorted(slices.Values(want))
	var problem string
	t.settled(func() bool {
		got, err := t.list(prefix)
		if err != nil {
			problem = safe(err)
			return false
		}
		problem = namesDiffer(got, want)
		return problem == ""
	}, func() { t.fails("List of prefix %s: %s", show(prefix, false), problem) })
}

// namesDiffer describes how two sorted lists of names differ; "" if they are equal.
func namesDiffer(got, want []string) string {
	for i, name := range got {
		if i > 0 && got[i-1] == name {
			return "the name " + show(name, false) + " is listed twice"
		}
		if _, ok := slices.BinarySearch(want, name); !ok {
			return "the name " + show(name, false) + " is listed, but is not stored or does not begin with the prefix"
		}
	}
	for _, name := range want {
		if _, ok := slices.BinarySearch(got, name); !ok {
			return "the name " + show(name, false) + " is missing"
		}
	}
	return ""
}

// sameData reports whether got is an object equal to want or, if want is not JSON, the
// same bytes.
func sameData(got, want []byte) bool {
	g, gotErr := decodeData(got)
	w, wantErr := decodeData(want)
	if wantErr != nil {
		return bytes.Equal(got, want)
	}
	return gotErr == nil && reflect.DeepEqual(g, w)
}

func decodeData(data []byte) (any, error) {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// showData shows data in a finding. Data without the mark is not the suite's own and is
// not shown.
func showData(data []byte) string { return show(string(data), true) }
