package drivertest_test

import (
	"context"
	"strings"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// TestFreeze has either side change what was passed on, in each way.
func TestFreeze(t *testing.T) {
	change := func(data []byte) { data[2] = 'y' }
	add := func(data []byte) { _ = append(data, 'y') }
	for name, c := range map[string]struct {
		given, returned func([]byte) // what the driver does with data that it was given, and its caller with what it got
		batch           bool
		want            string
	}{
		"nobody":                    {},
		"the driver changes":        {given: change, want: "the driver has changed the data of a Put"},
		"the driver appends":        {given: add, want: "the driver has changed the data of a Put"},
		"the caller changes":        {returned: change, want: "the caller has changed the data of a Get"},
		"the caller appends":        {returned: add, want: "the caller has changed the data of a Get"},
		"the caller changes one":    {returned: change, batch: true, want: "the caller has changed the data of a GetBatch"},
		"the caller appends to one": {returned: add, batch: true, want: "the caller has changed the data of a GetBatch"},
	} {
		inner := giving{memory.New().Batched(), c.given}
		s, frozen := drivertest.Freeze(inner)
		put(t, s, "a", `{"x":"1"}`, "")
		got, err := s.Get(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if c.batch {
			batch, _ := driver.As[driver.BatchGetter](s)
			all, err := batch.GetBatch(ctx, []string{"a"})
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			got = all[0]
		}
		if c.returned != nil {
			c.returned(got.Data)
		}
		switch err := frozen.Changed(); {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	kept := []byte(`{"x":"1"}`)
	s, frozen := drivertest.Freeze(memory.New())
	if _, err := s.Put(ctx, driver.Secret{Name: "a", Data: kept}); err != nil {
		t.Fatal(err)
	}
	if change(kept); frozen.Changed() == nil {
		t.Error("the caller may change what it has put")
	}
}

// giving does something with the data that was put.
type giving struct {
	memory.Batched
	do func([]byte)
}

func (g giving) Put(ctx context.Context, s driver.Secret) (string, error) {
	revision, err := g.Batched.Put(ctx, s)
	if g.do != nil {
		g.do(s.Data)
	}
	return revision, err
}
