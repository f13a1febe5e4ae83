package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// noForeign plants nothing: the reference holds nothing but its rows.
func noForeign(context.Context, tokenstore.Store) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, nil
}

// allOptions are all options of a reference.
func allOptions() []Option {
	return []Option{
		WithReopen(reopen), WithForeign(noForeign),
		WithPerson(
			func(_ context.Context, s tokenstore.Store, id string) ([]byte, error) {
				return s.(*reference).data.personReads(id)
			},
			func(_ context.Context, s tokenstore.Store, id string, written []byte) error {
				return s.(*reference).data.personWrites(id, written)
			},
		),
		WithUnseen(func(context.Context) (tokenstore.Store, error) { return &reference{&data{blind: true}}, nil }),
		WithKeeping(func(_ context.Context, s tokenstore.Store) error { s.(*reference).data.keeps = true; return nil }),
	}
}

func TestReference(t *testing.T) {
	Store(t, func(testing.TB) tokenstore.Store { return newReference() }, allOptions()...)
}

func TestRunPassesEveryCase(t *testing.T) {
	n := 0
	open := func(context.Context) (tokenstore.Store, error) { return newReference(), nil }
	for r := range Run(t.Context(), open, allOptions()...) {
		n++
		if r.Outcome != Passed {
			t.Error(r)
		}
	}
	if n != len(Cases()) {
		t.Errorf("%d results of %d cases", n, len(Cases()))
	}
}

func TestNumberedCasesAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Cases() {
		if names[c.Name] {
			t.Errorf("two cases are named %s", c.Name)
		}
		if c.Rule == "" {
			t.Errorf("%s quotes no rule", c.Name)
		}
		names[c.Name] = true
	}
	for letter, last := range map[string]int{"F": 36, "S": 40, "D": 10, "I": 7, "L": 3, "O": 2} {
		for i := 1; i <= last; i++ {
			if name := letter + digit(i/10) + digit(i); !names[name] {
				t.Errorf("there is no case %s", name)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	open := func(context.Context) (tokenstore.Store, error) { return newReference(), nil }
	want := map[string]Outcome{"O01": Missing, "O02": Missing, "foreign": Failed, "F01": Failed, "F02": Passed, "options": Failed}
	for r := range Run(t.Context(), open,
		WithOnly("O*", "foreign", "F01", "F02"),
		WithMissing("it lives in memory", "O0?"),
		WithMissing("it works, though", "F01"),
		WithMissing("no such case", "X01")) {
		if r.Outcome != want[r.Case] {
			t.Errorf("%s instead of %s", r, want[r.Case])
		}
		delete(want, r.Case)
	}
	if len(want) != 0 {
		t.Errorf("no result of %v", want)
	}
}

func TestNoCaseRunsOnAStoreThatIsNotEmpty(t *testing.T) {
	full := newReference()
	full.data.rows = []token{{ID: "theirs", AccessToken: "a real one"}}
	for r := range Run(t.Context(), func(context.Context) (tokenstore.Store, error) { return full, nil }) {
		if r.Outcome != Failed {
			t.Error(r)
		}
	}
	if len(full.data.rows) != 1 {
		t.Error("the suite changed tokens that are not its own")
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for range Run(ctx, func(context.Context) (tokenstore.Store, error) { return newReference(), nil }) {
		n++
		cancel()
	}
	if n != 1 {
		t.Errorf("%d cases were run", n)
	}
}

func TestNewStoreFails(t *testing.T) {
	open := func(context.Context) (tokenstore.Store, error) { return nil, errors.New("no way") }
	for r := range Run(t.Context(), open, WithOnly("F01")) {
		if r.Outcome != Failed || len(r.Findings) != 1 || r.Findings[0].Rule != ruleNewStore {
			t.Error(r)
		}
	}
}

func TestOutputHoldsNoCredential(t *testing.T) {
	open := func(context.Context) (tokenstore.Store, error) { return newReference(), nil }
	for text, want := range map[string]Outcome{"saved token 1": Passed, "saved " + r1.RefreshToken: Failed} {
		for r := range Run(t.Context(), open, WithOnly("F02"), WithOutput(func() string { return text })) {
			if r.Outcome != want {
				t.Errorf("%s instead of %s", r, want)
			}
		}
	}
}

// TestRefusals shows that a store that cannot keep a string may be declared so, but must
// refuse it properly: returning a changed string is never excused.
func TestRefusals(t *testing.T) {
	refusing := func(err error) func(*data) tokenstore.Store {
		return wrongRules(func(r *rules) {
			r.checkInsert = func(t token) error {
				if strings.Contains(t.UserName, "\x00") {
					return err
				}
				return tokenstore.CheckInsert(t)
			}
		})
	}
	changing := wrongRules(func(r *rules) {
		r.stored = func(t token) token {
			t.UserName = strings.ReplaceAll(t.UserName, "\x00", "")
			return t
		}
	})
	for _, c := range []struct {
		name     string
		open     func(*data) tokenstore.Store
		declared bool
		want     Outcome
	}{
		{"refused and declared", refusing(tokenstore.ErrInvalidToken), true, Missing},
		{"refused as too large and declared", refusing(tokenstore.ErrTooLarge), true, Missing},
		{"refused and not declared", refusing(tokenstore.ErrInvalidToken), false, Failed},
		{"refused with a fault and declared", refusing(tokenstore.ErrUnavailable), true, Failed},
		{"changed and declared", changing, true, Failed},
		{"works and declared", wrongRules(func(*rules) {}), true, Failed},
	} {
		var options []Option
		if c.declared {
			options = append(options, WithMissing("no NUL", "text-nul"))
		}
		if r := outcomeOf(t, "text-nul", c.open, options...); r.Outcome != c.want {
			t.Errorf("%s: %s instead of %s", c.name, r, c.want)
		}
	}
}
