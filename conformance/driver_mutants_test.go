package conformance_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

// ofChance reports whether a case has calls whose order is a matter of chance.
func ofChance(name string) bool {
	return name == "retire-race" || strings.HasPrefix(name, "concurrent-")
}

// mutant is the memory driver with one method replaced.
type mutant struct {
	*memory.Secrets
	get    func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error)
	put    func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error)
	remove func(ctx context.Context, m *memory.Secrets, name, revision string) error
	list   func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error]
	batch  func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error)
}

func (m *mutant) Unwrap() driver.Secrets { return m.Secrets }

func (m *mutant) Get(ctx context.Context, name string) (driver.Secret, error) {
	if m.get != nil {
		return m.get(ctx, m.Secrets, name)
	}
	return m.Secrets.Get(ctx, name)
}

func (m *mutant) Put(ctx context.Context, s driver.Secret) (string, error) {
	if m.put != nil {
		return m.put(ctx, m.Secrets, s)
	}
	return m.Secrets.Put(ctx, s)
}

func (m *mutant) Delete(ctx context.Context, name, revision string) error {
	if m.remove != nil {
		return m.remove(ctx, m.Secrets, name, revision)
	}
	return m.Secrets.Delete(ctx, name, revision)
}

func (m *mutant) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if m.list != nil {
		return m.list(ctx, m.Secrets, prefix)
	}
	return m.Secrets.List(ctx, prefix)
}

func (m *mutant) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	if m.batch != nil {
		return m.batch(ctx, m.Secrets, names)
	}
	return m.Batched().GetBatch(ctx, names)
}

// renaming is a driver that maps names badly. It lists the names as stored.
func renaming(to func(string) string) func() driver.Secrets {
	return func() driver.Secrets {
		return &mutant{
			Secrets: memory.New(),
			get: func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
				s, err := m.Get(ctx, to(name))
				s.Name = name
				return s, err
			},
			put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
				s.Name = to(s.Name)
				return m.Put(ctx, s)
			},
			remove: func(ctx context.Context, m *memory.Secrets, name, revision string) error {
				return m.Delete(ctx, to(name), revision)
			},
		}
	}
}

// storing is a driver that changes data before it stores them.
func storing(change func([]byte) []byte) func() driver.Secrets {
	return putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		if json.Valid(s.Data) {
			s.Data = change(s.Data)
		}
		return m.Put(ctx, s)
	})
}

func getting(get func(context.Context, *memory.Secrets, string) (driver.Secret, error)) func() driver.Secrets {
	return func() driver.Secrets { return &mutant{Secrets: memory.New(), get: get} }
}

func putting(put func(context.Context, *memory.Secrets, driver.Secret) (string, error)) func() driver.Secrets {
	return func() driver.Secrets { return &mutant{Secrets: memory.New(), put: put} }
}

func removing(remove func(context.Context, *memory.Secrets, string, string) error) func() driver.Secrets {
	return func() driver.Secrets { return &mutant{Secrets: memory.New(), remove: remove} }
}

func listing(list func(context.Context, *memory.Secrets, string) iter.Seq2[string, error]) func() driver.Secrets {
	return func() driver.Secrets { return &mutant{Secrets: memory.New(), list: list} }
}

func batching(batch func(context.Context, *memory.Secrets, []string) ([]driver.Secret, error)) func() driver.Secrets {
	return func() driver.Secrets { return &mutant{Secrets: memory.New(), batch: batch} }
}

// namesOf lists without errors.
func namesOf(m *memory.Secrets, prefix string) []string {
	var names []string
	for name := range m.List(context.Background(), prefix) {
		names = append(names, name)
	}
	return names
}

func yieldAll(names []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// retyped decodes and encodes data, with change applied to every value.
func retyped(data []byte, change func(any) any) []byte {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return data
	}
	for name, v := range object {
		object[name] = change(v)
	}
	out, _ := json.Marshal(object)
	return out
}

// checkThenWrite compares first and writes later, as two calls.
func checkThenWrite(ctx context.Context, m *memory.Secrets, s driver.Secret, checks func(revision string) bool) (string, error) {
	if err := driver.CheckName(s.Name); err != nil {
		return "", err
	}
	current, _ := m.Get(ctx, s.Name)
	if checks(current.Revision) && current.Revision != s.Revision {
		return "", driver.ErrConflict
	}
	for range 10 {
		runtime.Gosched()
	}
	return m.Edit(s.Name, s.Data), nil
}

var errConflictText = errors.New("conflict")

// wrongDriver is a driver with one fault, and the case that must catch it.
type wrongDriver struct {
	name, caughtBy string
	make           func() driver.Secrets
}

func wrongDrivers() []wrongDriver {
	return slices.Concat(
		swapMutants(), revisionMutants(), deleteMutants(), listMutants(), nameMutants(),
		dataMutants(), errorMutants(), batchMutants(), absenceMutants(), restoreMutants(), retireMutants(), recoverMutants(), processMutants(), serviceMutants(), tellMutants(),
	)
}

// TestDriverMutants shows that the suite works: every wrong driver is caught by the case
// for its fault.
func TestDriverMutants(t *testing.T) {
	for _, m := range wrongDrivers() {
		t.Run(m.name, func(t *testing.T) {
			options := append(mutantOptions(), conformance.DriverOnly(m.caughtBy))
			run := func() []conformance.Result {
				return slices.Collect(conformance.RunDriver(t.Context(), func(context.Context) (driver.Secrets, error) { return m.make(), nil }, options...))
			}
			results := run()
			// The order of concurrent goroutines is a matter of chance: a case of concurrency may
			// miss a fault once, but soon finds it.
			for n := 0; n < 50 && ofChance(m.caughtBy) && len(results) == 1 && results[0].Outcome != conformance.Failed; n++ {
				results = run()
			}
			ran := false
			for _, result := range results {
				ran = true
				if result.Outcome != conformance.Failed {
					t.Errorf("case %s does not catch it: %s", m.caughtBy, result)
				}
				for _, f := range result.Findings {
					if f.Rule == "" || f.Detail == "" {
						t.Errorf("a finding without rule or detail: %+v", f)
					}
				}
			}
			if !ran {
				t.Errorf("there is no case %s", m.caughtBy)
			}
		})
	}
}

// TestDriverMutantsBase shows that the drivers from which the mutants are made are right.
func TestDriverMutantsBase(t *testing.T) {
	retire := func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		return m.Delete(ctx, name, revision)
	}
	for name, newSecrets := range map[string]func() driver.Secrets{
		"mutant":   func() driver.Secrets { return &mutant{Secrets: memory.New()} },
		"renaming": renaming(func(name string) string { return name }),
		"storing":  storing(func(data []byte) []byte { return data }),
		"retiring": retiringBy(retire),
		"telling":  rightTelling,
		"model":    func() driver.Secrets { n := 0; return newModel(func(int, []byte) string { n++; return fmt.Sprint(n) }) },
	} {
		t.Run(name, func(t *testing.T) {
			options := append(mutantOptions(), conformance.DriverPatience(time.Minute))
			if name == "model" {
				options = append(options, conformance.DriverMissing("a model has no console", "person-*", "restored*"))
			}
			conformance.Driver(t, func(testing.TB) driver.Secrets { return newSecrets() }, options...)
		})
	}
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

var grave = []byte(`{"generation":"2"}`)

// opaque hides its cause from fmt, but not from errors.Unwrap.
type opaque struct{ cause error }

func (o *opaque) Error() string { return "put failed" }
func (o *opaque) Unwrap() error { return o.cause }
