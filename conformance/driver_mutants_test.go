package conformance_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

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

// renaming is a driver that maps names badly. It lists what it stores.
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

// mutants are wrong drivers, each with the case that must catch it.
var mutants = []struct {
	name, caughtBy string
	make           func() driver.Secrets
}{
	// Compare-and-swap.
	{"lost compare", "put-stale", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return checkThenWrite(ctx, m, s, func(string) bool { return s.Revision == "" })
	})},
	{"creates over what is there", "put-taken", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return checkThenWrite(ctx, m, s, func(string) bool { return s.Revision != "" })
	})},
	{"replaces what is not there", "put-gone", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return checkThenWrite(ctx, m, s, func(current string) bool { return current != "" })
	})},
	{"compares, then writes", "concurrent-replace", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return checkThenWrite(ctx, m, s, func(string) bool { return true })
	})},
	{"compares, then writes: counter", "concurrent-count", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return checkThenWrite(ctx, m, s, func(string) bool { return true })
	})},
	{"looks, then creates", "concurrent-new", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		if s.Revision != "" {
			return m.Put(ctx, s)
		}
		return checkThenWrite(ctx, m, s, func(string) bool { return true })
	})},
	{"conflict reported as not found", "put-stale", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if errors.Is(err, driver.ErrConflict) {
			err = driver.ErrNotFound
		}
		return r, err
	})},
	{"conflict that is not found too", "put-gone", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if errors.Is(err, driver.ErrConflict) {
			err = fmt.Errorf("%w: %w", driver.ErrConflict, driver.ErrNotFound)
		}
		return r, err
	})},
	{"error without a sentinel", "put-taken", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if err != nil {
			err = errConflictText
		}
		return r, err
	})},
	{"empty revision", "put-new", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		_, err := m.Put(ctx, s)
		return "", err
	})},
	{"returns the revision before", "put-current", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if err == nil && s.Revision != "" {
			return s.Revision, nil
		}
		return r, err
	})},
	{"an unchanged write is left out", "same-data", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		if got, err := m.Get(ctx, s.Name); err == nil && got.Revision == s.Revision && string(got.Data) == string(s.Data) {
			return got.Revision, nil
		}
		return m.Put(ctx, s)
	})},
	{"shares memory", "isolation", sharing},

	// Revisions.
	{"revision is a hash of the data", "aba", func() driver.Secrets { return newModel(func(_ int, data []byte) string { return hashOf(data) }) }},
	{"revision is a hash of the data: same data", "same-data", func() driver.Secrets { return newModel(func(_ int, data []byte) string { return hashOf(data) }) }},
	{"versions start again after a deletion", "recreate", func() driver.Secrets { return newModel(func(n int, _ []byte) string { return fmt.Sprint(n) }) }},
	{"versions start again after a deletion: late writer", "tombstone", func() driver.Secrets { return newModel(func(n int, _ []byte) string { return fmt.Sprint(n) }) }},
	{"versions start again after a deletion: race", "concurrent-recreate", func() driver.Secrets { return newModel(func(n int, _ []byte) string { return fmt.Sprint(n) }) }},

	// Delete.
	{"deletes whatever is there", "delete-stale", removing(func(ctx context.Context, m *memory.Secrets, name, _ string) error {
		m.Remove(name)
		return ctx.Err()
	})},
	{"compares, then deletes", "concurrent-delete", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		if got, err := m.Get(ctx, name); err == nil && got.Revision != revision {
			return driver.ErrConflict
		}
		for range 10 {
			runtime.Gosched()
		}
		m.Remove(name)
		return nil
	})},
	{"no revision deletes", "delete-unread", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		if revision == "" {
			m.Remove(name)
			return nil
		}
		return m.Delete(ctx, name, revision)
	})},
	{"missing is an error", "delete-missing", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		if _, err := m.Get(ctx, name); err != nil {
			return err
		}
		return m.Delete(ctx, name, revision)
	})},
	{"a stale deletion is passed over", "delete-reborn", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		if err := m.Delete(ctx, name, revision); !errors.Is(err, driver.ErrConflict) {
			return err
		}
		return nil
	})},
	{"deletes what is below", "names-depth", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		err := m.Delete(ctx, name, revision)
		if err == nil {
			for _, below := range namesOf(m, name+"/") {
				m.Remove(below)
			}
		}
		return err
	})},
	{"leaves an empty secret", "delete", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		_, err := m.Put(ctx, driver.Secret{Name: name, Data: []byte(`{}`), Revision: revision})
		return err
	})},
	{"put after delete is not allowed", "recreate", func() driver.Secrets { return newReserving() }},

	// List.
	{"prefix by segment", "list-prefix", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		folder := strings.TrimSuffix(prefix, "/")
		return yieldAll(slices.DeleteFunc(namesOf(m, folder), func(name string) bool {
			return name != folder && !strings.HasPrefix(name, folder+"/")
		}))
	})},
	{"lists one level only", "list-prefix", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return yieldAll(slices.DeleteFunc(namesOf(m, prefix), func(name string) bool {
			return strings.Contains(name[len(prefix):], "/")
		}))
	})},
	{"the prefix folds case", "list-prefix", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return yieldAll(slices.DeleteFunc(namesOf(m, ""), func(name string) bool {
			return !strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix))
		}))
	})},
	{"the empty prefix lists nothing", "list-all", listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		if prefix == "" {
			return yieldAll(nil)
		}
		return m.List(ctx, prefix)
	})},
	{"omits what comes after 100", "list-paging", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		names := namesOf(m, prefix)
		return yieldAll(names[:min(len(names), 100)])
	})},
	{"repeats the last of a page", "list-paging", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		names := namesOf(m, prefix)
		if len(names) > 100 {
			names = slices.Insert(names, 100, names[99])
		}
		return yieldAll(names)
	})},
	{"lists deleted names", "list-deleted", remembering},
	{"goes on after a break", "list-break", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, name := range namesOf(m, prefix) {
				yield(name, nil)
			}
		}
	})},
	{"goes on after its error", "cancelled", listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, name := range namesOf(m, prefix) {
				if err := ctx.Err(); err != nil && !yield("", err) {
					return
				}
				if !yield(name, nil) {
					return
				}
			}
		}
	})},
	{"a list stops silently when it is cancelled", "cancelled-list", listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for name, err := range m.List(ctx, prefix) {
				if err != nil || !yield(name, nil) {
					return
				}
			}
		}
	})},

	// Names.
	{"folds case", "names-letters", renaming(strings.ToLower)},
	{"escapes without escaping the escape", "names-escapes", renaming(strings.NewReplacer(" ", "_", "%", "_", "=", "_").Replace)},
	{"decodes names", "names-escapes", renaming(strings.NewReplacer("%20", " ", "%2F", "-").Replace)},
	{"cuts off spaces", "names-ends", renaming(strings.TrimSpace)},
	{"takes a hyphen and six characters for the service's own", "names-suffixes", renaming(func(name string) string {
		if n := len(name); n > 7 && name[n-7] == '-' && !strings.Contains(name[n-6:], "/") {
			return name[:n-7]
		}
		return name
	})},
	{"flattens the segments", "names-depth", renaming(func(name string) string { return strings.ReplaceAll(name, "/", "-") })},
	{"drops what is not ASCII", "names-unicode", renaming(func(name string) string {
		return strings.Map(func(r rune) rune {
			if r > 127 {
				return '_'
			}
			return r
		}, name)
	})},
	{"cuts off long names", "names-long", renaming(func(name string) string { return name[:min(len(name), 255)] })},
	{"keeps the end of long names", "names-long", renaming(func(name string) string { return name[max(0, len(name)-255):] })},
	{"makes invalid UTF-8 valid", "names-bytes", renaming(func(name string) string { return strings.ToValidUTF8(name, "\ufffd") })},
	{"walks up", "names-refused", renaming(func(name string) string { return strings.ReplaceAll(name, "..", "up") })},

	// Data.
	{"numbers become floats", "data", storing(func(data []byte) []byte { return retyped(data, func(v any) any { return v }) })},
	{"numbers become texts", "data", storing(func(data []byte) []byte {
		return retyped(data, func(v any) any {
			if _, ok := v.(float64); ok {
				return fmt.Sprint(v)
			}
			return v
		})
	})},
	{"digits become numbers", "data", storing(func(data []byte) []byte {
		return retyped(data, func(v any) any {
			if text, ok := v.(string); ok && json.Valid([]byte(text)) {
				return json.RawMessage(text)
			}
			return v
		})
	})},
	{"nulls are dropped", "data", storing(func(data []byte) []byte {
		var object map[string]json.RawMessage
		if json.Unmarshal(data, &object) != nil {
			return data
		}
		maps.DeleteFunc(object, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
		out, _ := json.Marshal(object)
		return out
	})},
	{"an update is merged", "put-whole", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		if got, err := m.Get(ctx, s.Name); err == nil {
			var object map[string]json.RawMessage
			_ = json.Unmarshal(got.Data, &object)
			_ = json.Unmarshal(s.Data, &object)
			s.Data, _ = json.Marshal(object)
		}
		return m.Put(ctx, s)
	})},
	{"shows its own fields", "put-new", storing(func(data []byte) []byte {
		var object map[string]json.RawMessage
		_ = json.Unmarshal(data, &object)
		object[driver.Reserved+"nonce"] = json.RawMessage(`"1"`)
		out, _ := json.Marshal(object)
		return out
	})},
	{"cuts off at 32 KiB", "data-large", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		s, err := m.Get(ctx, name)
		s.Data = s.Data[:min(len(s.Data), 32<<10)]
		return s, err
	})},
	{"refuses 32 KiB", "data-large", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		if len(s.Data) > 32<<10 {
			return "", driver.ErrTooLarge
		}
		return m.Put(ctx, s)
	})},
	{"stores any bytes", "data-refused", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return checkThenWrite(ctx, m, s, func(string) bool { return true })
	})},
	{"does not keep its limit", "data-limit", func() driver.Secrets {
		return limitless{memory.New()}
	}},
	{"writes before it looks at the size", "data-limit", func() driver.Secrets {
		limited := memory.New(memory.WithLimits(driver.Limits{MaxSize: 1000}))
		return &mutant{Secrets: limited, put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if errors.Is(err, driver.ErrTooLarge) {
				m.Edit(s.Name, []byte(`{}`))
			}
			return r, err
		}}
	}},
	{"a wrong limit", "data-limit", func() driver.Secrets {
		return &mutant{Secrets: memory.New(memory.WithLimits(driver.Limits{MaxSize: 1000})), put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			if len(s.Data) > 900 {
				return "", driver.ErrTooLarge
			}
			return m.Put(ctx, s)
		}}
	}},

	// Errors and contexts.
	{"quotes the data", "errors", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if err != nil {
			err = fmt.Errorf("put %s: %w", s.Data, err)
		}
		return r, err
	})},
	{"carries the data in a wrapped error", "errors", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if err != nil {
			err = &opaque{fmt.Errorf("body %q: %w", s.Data, err)}
		}
		return r, err
	})},
	{"Get ignores its context", "cancelled", getting(func(_ context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		return m.Get(context.Background(), name)
	})},
	{"Put ignores its context", "cancelled", putting(func(_ context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		return m.Put(context.Background(), s)
	})},
	{"Delete ignores its context", "deadline", removing(func(_ context.Context, m *memory.Secrets, name, revision string) error {
		return m.Delete(context.Background(), name, revision)
	})},
	{"List ignores its context", "cancelled", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return m.List(context.Background(), prefix)
	})},
	{"writes and then says that it was cancelled", "cancelled", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(context.WithoutCancel(ctx), s)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return r, err
	})},
	{"a deadline becomes unavailable", "deadline", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		s, err := m.Get(ctx, name)
		if errors.Is(err, context.DeadlineExceeded) {
			err = driver.ErrUnavailable
		}
		return s, err
	})},
	{"a missing secret is empty", "get-missing", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		s, err := m.Get(ctx, name)
		if errors.Is(err, driver.ErrNotFound) {
			return driver.Secret{Name: name, Data: []byte(`{}`), Revision: "0"}, nil
		}
		return s, err
	})},
	{"panics", "put-taken", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if err != nil {
			panic(string(s.Data))
		}
		return r, nil
	})},

	// Batch reads.
	{"a missing name is an error", "batch", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		var found []driver.Secret
		var faults []error
		for _, name := range names {
			s, err := m.Get(ctx, name)
			if err != nil {
				faults = append(faults, &driver.NameError{Name: name, Err: err})
				continue
			}
			found = append(found, s)
		}
		return found, errors.Join(faults...)
	})},
	{"a missing name is an empty secret", "batch", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		secrets := make([]driver.Secret, len(names))
		for i, name := range names {
			secrets[i], _ = m.Get(ctx, name)
		}
		return secrets, ctx.Err()
	})},
	{"a batch of 20 at most", "batch-many", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		return m.Batched().GetBatch(ctx, names[:min(len(names), 20)])
	})},
	{"one fault hides the batch", "batch-fault", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		secrets, err := m.Batched().GetBatch(ctx, names)
		if err != nil {
			return nil, err
		}
		return secrets, nil
	})},
	{"a fault is passed over", "batch-fault", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		secrets, _ := m.Batched().GetBatch(ctx, names)
		return secrets, ctx.Err()
	})},
	{"a fault without its name", "batch-fault", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		secrets, err := m.Batched().GetBatch(ctx, names)
		if err != nil {
			err = fmt.Errorf("batch: %w", driver.ErrInvalid)
		}
		return secrets, err
	})},

	// Retire.
	{"retires whatever is there", "retire-stale", retiringBy(func(_ context.Context, m *memory.Secrets, name, _ string) error {
		m.Remove(name)
		return nil
	})},
	{"retires what was created later", "retire-reborn", retiringBy(func(_ context.Context, m *memory.Secrets, name, _ string) error {
		m.Remove(name)
		return nil
	})},
	{"compares, then retires", "retire-race", retiringBy(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		if got, err := m.Get(ctx, name); err != nil || got.Revision != revision {
			return nil
		}
		for range 10 {
			runtime.Gosched()
		}
		m.Remove(name)
		return nil
	})},
	{"a retired name is lost", "retire", func() driver.Secrets { return reservingRetirer{newReserving()} }},
	{"a retired secret shows an older version", "retire", retiringBy(func(_ context.Context, m *memory.Secrets, name, _ string) error {
		m.Edit(name, []byte(`{"value":"fakecred-1"}`))
		return nil
	})},
	{"a retired missing name is created", "retire-missing", retiringBy(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		if err := m.Delete(ctx, name, revision); err != nil {
			return err
		}
		m.Edit(name, grave)
		return nil
	})},

	// Processes and persons.
	{"decides on a cached revision", "handles-stale", func() driver.Secrets { return &caching{Secrets: memory.New(), revisions: map[string]string{}} }},
	{"remembers that a name is missing", "handles-new", func() driver.Secrets { return &doubting{Secrets: memory.New(), missing: map[string]bool{}} }},
	{"every process has its own secrets", "handles-read", func() driver.Secrets { return separate{memory.New()} }},
	{"does not see a person's edit", "person-edit", func() driver.Secrets { return &caching{Secrets: memory.New(), revisions: map[string]string{}} }},
	{"what is no JSON is unreadable", "person-text", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		s, err := m.Get(ctx, name)
		if err == nil && !json.Valid(s.Data) {
			return driver.Secret{}, driver.ErrUnreadable
		}
		return s, err
	})},
	{"a person's numbers become floats", "person-object", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		s, err := m.Get(ctx, name)
		s.Data = retyped(s.Data, func(v any) any {
			if _, ok := v.(float64); ok {
				return fmt.Sprint(v)
			}
			return v
		})
		return s, err
	})},
	{"does not see a person's deletion", "person-delete", remembering},
	{"creates over a person's secret", "person-taken", func() driver.Secrets { return &caching{Secrets: memory.New(), revisions: map[string]string{}} }},
}

// TestDriverMutants shows that the suite bites: every wrong driver is caught by
// the case that is about what it does wrong.
func TestDriverMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			options := append(mutantOptions(), conformance.DriverOnly(m.caughtBy))
			ran := false
			for result := range conformance.RunDriver(t.Context(), func(context.Context) (driver.Secrets, error) { return m.make(), nil }, options...) {
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

// TestDriverMutantsBase shows that what the mutants are made of is right.
func TestDriverMutantsBase(t *testing.T) {
	retire := func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		return m.Delete(ctx, name, revision)
	}
	for name, newSecrets := range map[string]func() driver.Secrets{
		"mutant":   func() driver.Secrets { return &mutant{Secrets: memory.New()} },
		"renaming": renaming(func(name string) string { return name }),
		"storing":  storing(func(data []byte) []byte { return data }),
		"retiring": retiringBy(retire),
		"model":    func() driver.Secrets { n := 0; return newModel(func(int, []byte) string { n++; return fmt.Sprint(n) }) },
	} {
		t.Run(name, func(t *testing.T) {
			options := mutantOptions()
			if name == "model" {
				options = append(options, conformance.DriverMissing("a model has no console", "person-*"))
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

// opaque hides its cause's text from fmt, but not from who unwraps it.
type opaque struct{ cause error }

func (o *opaque) Error() string { return "put failed" }
func (o *opaque) Unwrap() error { return o.cause }
