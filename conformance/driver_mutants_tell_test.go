package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

// identified, advising and dated are the memory driver with one more ability.
type (
	identified struct {
		*mutant
		identity func(ctx context.Context) (string, error)
	}
	advising struct {
		*mutant
		advice func(ctx context.Context, m *memory.Secrets) ([]string, error)
	}
	dated struct {
		*mutant
		written func(ctx context.Context, name, revision string) (time.Time, error)
	}
)

func (i identified) Identity(ctx context.Context) (string, error) { return i.identity(ctx) }

func (a advising) Advice(ctx context.Context) ([]string, error) { return a.advice(ctx, a.Secrets) }

func (d dated) Written(ctx context.Context, name, revision string) (time.Time, error) {
	return d.written(ctx, name, revision)
}

// telling is the memory driver with all of them.
type telling struct {
	*mutant
	dated      dated
	identified identified
	advising   advising
}

func (t telling) Identity(ctx context.Context) (string, error) { return t.identified.Identity(ctx) }
func (t telling) Advice(ctx context.Context) ([]string, error) { return t.advising.Advice(ctx) }
func (t telling) Written(ctx context.Context, name, revision string) (time.Time, error) {
	return t.dated.Written(ctx, name, revision)
}

// last is the last put of a driver.
type last struct {
	sync.Mutex
	name string
	data []byte
}

func (l *last) mutant() *mutant {
	return &mutant{Secrets: memory.New(), put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		l.Lock()
		defer l.Unlock()
		l.name, l.data = s.Name, s.Data
		return r, err
	}}
}

func (l *last) text() string {
	l.Lock()
	defer l.Unlock()
	return string(l.data)
}

// log is when each revision of a driver was written, by a clock that a write moves.
type log struct {
	sync.Mutex
	now     time.Time
	written map[string]time.Time // by name and revision
	created map[string]time.Time // by name
}

func newLog() *log {
	return &log{now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), written: map[string]time.Time{}, created: map[string]time.Time{}}
}

func (l *log) mutant() *mutant {
	return &mutant{Secrets: memory.New(), put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
		r, err := m.Put(ctx, s)
		if err != nil {
			return r, err
		}
		l.Lock()
		defer l.Unlock()
		l.now = l.now.Add(time.Second)
		l.written[s.Name+" "+r] = l.now
		if s.Revision == "" {
			l.created[s.Name] = l.now
		}
		return r, err
	}}
}

func (l *log) at(name, revision string) time.Time {
	l.Lock()
	defer l.Unlock()
	return l.written[name+" "+revision]
}

func (l *log) since(name string) time.Time {
	l.Lock()
	defer l.Unlock()
	return l.created[name]
}

// tellMutants tell something wrong about their service.
func tellMutants() []wrongDriver {
	identifying := func(f func(ctx context.Context, l *last) (string, error)) func() driver.Secrets {
		return func() driver.Secrets {
			l := &last{}
			return identified{l.mutant(), func(ctx context.Context) (string, error) { return f(ctx, l) }}
		}
	}
	advises := func(f func(ctx context.Context, m *memory.Secrets, l *last) ([]string, error)) func() driver.Secrets {
		return func() driver.Secrets {
			l := &last{}
			return advising{l.mutant(), func(ctx context.Context, m *memory.Secrets) ([]string, error) { return f(ctx, m, l) }}
		}
	}
	writing := func(f func(ctx context.Context, l *log, name, revision string) (time.Time, error)) func() driver.Secrets {
		return func() driver.Secrets {
			l := newLog()
			return dated{l.mutant(), func(ctx context.Context, name, revision string) (time.Time, error) {
				return f(ctx, l, name, revision)
			}}
		}
	}
	return []wrongDriver{
		{"is what it has stored", "identity", identifying(func(ctx context.Context, l *last) (string, error) { return l.text(), ctx.Err() })},
		{"is known only once it has stored something", "identity", identifying(func(ctx context.Context, l *last) (string, error) {
			if l.text() == "" {
				return "", ctx.Err()
			}
			return "arn:aws:iam::1:role/app", ctx.Err()
		})},
		{"is two lines of a reply", "identity", identifying(func(ctx context.Context, _ *last) (string, error) { return "app\ndefault", ctx.Err() })},
		{"is somebody in an ended context", "identity", identifying(func(context.Context, *last) (string, error) { return "app", nil })},
		{"cannot tell, with an error of its own", "identity", identifying(func(ctx context.Context, _ *last) (string, error) {
			return "", errors.Join(ctx.Err(), errors.New("404"))
		})},
		{"is not found", "identity", identifying(func(ctx context.Context, _ *last) (string, error) {
			return "", errors.Join(ctx.Err(), driver.ErrNotFound)
		})},
		{"advises with the name of a secret", "advice", advises(func(ctx context.Context, _ *memory.Secrets, l *last) ([]string, error) {
			l.Lock()
			defer l.Unlock()
			return []string{fmt.Sprintf("the secret %s expires: unset its expiry", strings.ReplaceAll(l.name, "/", "--"))}, ctx.Err()
		})},
		{"advises with data", "advice", advises(func(ctx context.Context, _ *memory.Secrets, l *last) ([]string, error) {
			return []string{"a secret expires: " + l.text()}, ctx.Err()
		})},
		{"advises with nothing", "advice", advises(func(ctx context.Context, _ *memory.Secrets, _ *last) ([]string, error) {
			return make([]string, 1), ctx.Err()
		})},
		{"advises for every secret", "advice", advises(func(ctx context.Context, m *memory.Secrets, _ *last) ([]string, error) {
			var all []string
			for range namesOf(m, "") {
				all = append(all, "a secret expires: unset its expiry")
			}
			return all, ctx.Err()
		})},
		{"advises in lines", "advice", advises(func(ctx context.Context, _ *memory.Secrets, _ *last) ([]string, error) {
			return []string{"secrets expire\nunset their expiry"}, ctx.Err()
		})},
		{"has no settings, which it calls not found", "advice", advises(func(ctx context.Context, _ *memory.Secrets, _ *last) ([]string, error) {
			return nil, errors.Join(ctx.Err(), driver.ErrNotFound)
		})},
		{"changes the setting that it should report", "advice", advises(func(ctx context.Context, m *memory.Secrets, _ *last) ([]string, error) {
			for _, name := range namesOf(m, "") {
				s, _ := m.Get(ctx, name)
				m.Edit(name, s.Data)
			}
			return []string{"versions were not kept; they are now"}, ctx.Err()
		})},
		{"has nothing to report in an ended context", "advice", advises(func(context.Context, *memory.Secrets, *last) ([]string, error) { return nil, nil })},
		{"was written when the secret was created", "written", writing(func(ctx context.Context, l *log, name, _ string) (time.Time, error) { return l.since(name), ctx.Err() })},
		{"reads seconds for milliseconds", "written", writing(func(ctx context.Context, l *log, name, revision string) (time.Time, error) {
			return time.UnixMilli(l.at(name, revision).Unix()), ctx.Err()
		})},
		{"reads milliseconds for seconds", "written", writing(func(ctx context.Context, l *log, name, revision string) (time.Time, error) {
			return time.Unix(l.at(name, revision).UnixMilli(), 0), ctx.Err()
		})},
		{"fails where it cannot tell", "written", writing(func(context.Context, *log, string, string) (time.Time, error) {
			return time.Time{}, fmt.Errorf("%w: it was just written", driver.ErrNotFound)
		})},
		{"was written in an ended context", "written", writing(func(_ context.Context, l *log, name, revision string) (time.Time, error) {
			return l.at(name, revision), nil
		})},
	}
}

// rightTelling returns a driver that tells what it should.
func rightTelling() driver.Secrets {
	l := newLog()
	m := l.mutant()
	return telling{
		m,
		dated{m, func(ctx context.Context, name, revision string) (time.Time, error) {
			return l.at(name, revision), ctx.Err()
		}},
		identified{m, func(ctx context.Context) (string, error) { return "app", ctx.Err() }},
		advising{m, func(ctx context.Context, _ *memory.Secrets) ([]string, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return []string{"the mount requires check-and-set", "secrets expire after a day"}, fmt.Errorf("%w: another setting", driver.ErrDenied)
		}},
	}
}
