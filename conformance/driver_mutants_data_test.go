package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

func dataMutants() []wrongDriver {
	return []wrongDriver{
		{"numbers become floats", "data", storing(func(data []byte) []byte { return retyped(data, func(v any) any { return v }) })},
		{"numbers become strings", "data", storing(func(data []byte) []byte {
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
		{"does not enforce its limit", "data-limit", func() driver.Secrets {
			return limitless{memory.New()}
		}},
		{"writes before it checks the size", "data-limit", func() driver.Secrets {
			limited := memory.New(memory.WithLimits(driver.Limits{MaxSize: 1000}))
			return &mutant{Secrets: limited, put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
				r, err := m.Put(ctx, s)
				if errors.Is(err, driver.ErrTooLarge) {
					m.Edit(s.Name, []byte(`{}`))
				}
				return r, err
			}}
		}},
		{"changes what it was given", "data-unchanged", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			for i, c := range s.Data {
				if c == ' ' {
					s.Data[i] = '\n'
				}
			}
			return r, err
		})},
		{"appends to what it was given", "data-unchanged", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			_ = append(s.Data[:max(len(s.Data)-1, 0)], `,"driver_nonce":"1"}`...)
			if len(s.Data) > 0 {
				s.Data[len(s.Data)-1] = '}'
			}
			return m.Put(ctx, s)
		})},
		{"reads into the same buffer again", "data-unchanged", rereading},
		{"changes what it has returned", "data-unchanged", func() driver.Secrets {
			var last []byte
			return &mutant{Secrets: memory.New(), get: func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
				clear(last)
				s, err := m.Get(ctx, name)
				s.Data = bytes.Clone(s.Data)
				last = s.Data
				return s, err
			}}
		}},
		{"a batch reads into the same buffer again", "data-unchanged", func() driver.Secrets {
			buffer := make([]byte, 0, 1<<16)
			return &mutant{Secrets: memory.New(), batch: func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
				all, err := m.Batched().GetBatch(ctx, names)
				buffer = buffer[:0]
				for i := range all {
					start := len(buffer)
					buffer = append(buffer, all[i].Data...)
					all[i].Data = buffer[start:]
				}
				return all, err
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
	}
}

func errorMutants() []wrongDriver {
	return []wrongDriver{
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
	}
}
