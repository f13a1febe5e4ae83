// What tests expect of the driver in memory beyond the suites of package conformance.

package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// TestAdapter runs every suite. Those that are about the engine are run at length
// in enginetest.
func TestAdapter(t *testing.T) {
	t.Parallel()
	under := func(s driver.Secrets) memory.Batched {
		m, _ := driver.As[memory.Batched](s)
		return m
	}
	enginetest.Suite{
		New: func(testing.TB) driver.Secrets { return memory.New().Batched() },
		Engine: func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
			return secretstore.New(secrets, append(options, secretstore.WithDocument(1))...)
		},
		Service: enginetest.Service{
			Edit: func(_ context.Context, s driver.Secrets, name string, data []byte) error {
				under(s).Edit(name, data)
				return nil
			},
		},
		Remove: func(_ context.Context, s driver.Secrets, name string) error {
			under(s).Remove(name)
			return nil
		},
		Restore: func(_ context.Context, s driver.Secrets, name string) error {
			under(s).Restore(name)
			return nil
		},
		RefusedBatch: func(_ context.Context, s driver.Secrets) (driver.Secrets, error) {
			return drivertest.Inject(s, drivertest.FailMethod(drivertest.GetBatch, drivertest.Denied)), nil
		},
		DriverOptions: []conformance.DriverOption{
			conformance.DriverMissing("memory is not inside anything that might not exist", "container-*"),
		},
		StoreOptions: []conformance.Option{conformance.WithTokens(100)},
		CrashOptions: enginetest.CrashOptions{Every: 24},
		ModelOptions: enginetest.ModelOptions{Operations: 200},
	}.Run(t)
}

var (
	_ driver.Secrets     = (*memory.Secrets)(nil)
	_ driver.Limited     = (*memory.Secrets)(nil)
	_ driver.Secrets     = memory.Batched{}
	_ driver.BatchGetter = memory.Batched{}
)

func put(t *testing.T, s driver.Secrets, name, data, revision string) string {
	t.Helper()
	revision, err := s.Put(context.Background(), driver.Secret{Name: name, Data: []byte(data), Revision: revision})
	if err != nil {
		t.Fatalf("Put(%q): %v", name, err)
	}
	return revision
}

func TestRevisionsNeverComeAgain(t *testing.T) {
	s := memory.New()
	seen := map[string]bool{}
	for range 5 {
		first := put(t, s, "a", `{}`, "")
		second := put(t, s, "a", `{}`, first)
		if seen[first] || seen[second] || first == second {
			t.Fatalf("a revision came again: %s, %s", first, second)
		}
		seen[first], seen[second] = true, true
		if err := s.Delete(context.Background(), "a", second); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEditIsSeenByWriters(t *testing.T) {
	s := memory.New()
	read := put(t, s, "a", `{"x":"1"}`, "")
	s.Edit("a", []byte("not JSON"))
	_, err := s.Put(context.Background(), driver.Secret{Name: "a", Data: []byte(`{}`), Revision: read})
	if !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Put over a person's edit: %v, want ErrConflict", err)
	}
	got, err := s.Get(context.Background(), "a")
	if err != nil || string(got.Data) != "not JSON" {
		t.Errorf("Get = %q, %v", got.Data, err)
	}
	if !s.Remove("a") || s.Remove("a") || s.Len() != 0 {
		t.Error("Remove does not remove once")
	}
}

func TestCloneGoesItsOwnWay(t *testing.T) {
	s := memory.New(memory.WithLimits(driver.Limits{MaxSize: 10}))
	r := put(t, s, "a", `{"x":"1"}`, "")
	c := s.Clone()
	put(t, c, "a", `{"x":"2"}`, r)
	put(t, s, "a", `{"x":"3"}`, r)
	got, _ := c.Get(context.Background(), "a")
	if string(got.Data) != `{"x":"2"}` || c.Limits().MaxSize != 10 {
		t.Errorf("the clone has %s and limits %v", got.Data, c.Limits())
	}
}

// TestStoredDataIsNotTheCallers changes what was passed to Put, which the contract does not
// allow: a store that tests and small programs use forgives it. Appending to what Get has
// returned changes nothing either.
func TestStoredDataIsNotTheCallers(t *testing.T) {
	s := memory.New()
	data := []byte(`{"x":"1"}`)
	if _, err := s.Put(context.Background(), driver.Secret{Name: "a", Data: data}); err != nil {
		t.Fatal(err)
	}
	data[2] = 'y'
	got, _ := s.Get(context.Background(), "a")
	_ = append(got.Data, 'z')
	again, _ := s.Get(context.Background(), "a")
	if string(again.Data) != `{"x":"1"}` || cap(again.Data) != len(again.Data) {
		t.Errorf("stored data was changed from outside: %s", again.Data)
	}
}

func TestRefusals(t *testing.T) {
	s := memory.New(memory.WithLimits(driver.Limits{MaxSize: 8}))
	for _, c := range []struct {
		name, data string
		want       error
	}{
		{"", `{}`, driver.ErrInvalid},
		{"a//b", `{}`, driver.ErrInvalid},
		{"a", `[]`, driver.ErrInvalid},
		{"a", `{`, driver.ErrInvalid},
		{"a", ``, driver.ErrInvalid},
		{"a", `{"a":"1"}`, driver.ErrTooLarge},
	} {
		_, err := s.Put(context.Background(), driver.Secret{Name: c.name, Data: []byte(c.data)})
		if !errors.Is(err, c.want) {
			t.Errorf("Put(%q, %s): %v, want %v", c.name, c.data, err, c.want)
		}
	}
	if s.Len() != 0 {
		t.Error("something was written")
	}
}

func TestGetBatch(t *testing.T) {
	s := memory.New().Batched()
	put(t, s, "a", `{}`, "")
	put(t, s, "b", `{}`, "")
	got, err := s.GetBatch(context.Background(), []string{"b", "missing", "a", "", "b"})
	var fault *driver.NameError
	if !errors.As(err, &fault) || fault.Name != "" || !errors.Is(err, driver.ErrInvalid) {
		t.Errorf("error %v does not name the bad name", err)
	}
	var names []string
	for _, s := range got {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("GetBatch gives %q", names)
	}
}

func ExampleNew() {
	ctx := context.Background()
	secrets := memory.New()
	revision, _ := secrets.Put(ctx, driver.Secret{Name: "a/b", Data: []byte(`{"n":"1"}`)})
	_, err := secrets.Put(ctx, driver.Secret{Name: "a/b", Data: []byte(`{"n":"2"}`)})
	fmt.Println(err)
	_, err = secrets.Put(ctx, driver.Secret{Name: "a/b", Data: []byte(`{"n":"2"}`), Revision: revision})
	fmt.Println(err)
	// Output:
	// conflict: the secret already exists
	// <nil>
}

func TestRestoreSaysSo(t *testing.T) {
	s := memory.New()
	if s.Restore("a") {
		t.Error("what is not there was put back")
	}
	first := put(t, s, "a", `{"x":"1"}`, "")
	if s.Restore("a") {
		t.Error("there was nothing before the first write")
	}
	second := put(t, s, "a", `{"x":"2"}`, first)
	if !s.Restore("a") {
		t.Fatal("nothing was put back")
	}
	got, err := s.Get(context.Background(), "a")
	if err != nil || string(got.Data) != `{"x":"1"}` || !got.Restored || got.Revision == first || got.Revision == second {
		t.Errorf("what was put back is %+v, %v", got, err)
	}
	put(t, s, "a", `{"x":"3"}`, got.Revision)
	if got, err := s.Get(context.Background(), "a"); err != nil || got.Restored {
		t.Errorf("after a Put: %+v, %v", got, err)
	}
}
