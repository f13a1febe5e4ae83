package conformance

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// rules are the decisions of a store; a wrong store changes one of them.
type rules struct {
	// query is applied to the argument of a find, ask to the argument of a save.
	query, ask func(token) token
	// unknownIDFinal ends a find whose ID is not stored.
	unknownIDFinal bool
	// byIDFirst says whether an ID decides before everything else.
	byIDFirst bool
	// keys and adoptionKeys are the keys of a find and of an adoption.
	keys, adoptionKeys func(token) []tokenstore.Key
	// holds says whether a row has a key; before says which of two such rows is taken.
	holds  func(row token, k tokenstore.Key, asked token) bool
	newest bool
	// adoptable says which rows may be adopted.
	adoptable func(row token) bool
	// otherwise is the result of a find when no key has found a row.
	otherwise func(*data, token) (token, error)
	// found is applied to the row that a find has found.
	found func(row, query token) token
	// update returns the updated row, or refuses the save.
	update func(row, asked token) (token, error)
	// checkInsert refuses tokens that cannot be inserted.
	checkInsert func(token) error
	// newID generates an ID.
	newID func(*data) (string, error)
	// stored is applied to the row that is written.
	stored func(token) token
	// result is applied to the result of a save.
	result func(saved, asked token) token
}

func rightRules() rules {
	same := func(t token) token { return t }
	return rules{
		query: same, ask: same, stored: same,
		byIDFirst:    true,
		keys:         tokenstore.FindKeys,
		adoptionKeys: tokenstore.AdoptionKeys,
		holds:        func(row token, k tokenstore.Key, _ token) bool { return tokenstore.Holds(row, k) },
		adoptable:    func(row token) bool { return row.UserName == "" },
		otherwise:    func(*data, token) (token, error) { return token{}, tokenstore.ErrNotFound },
		found:        func(row, _ token) token { return row },
		update:       func(row, asked token) (token, error) { return tokenstore.Update(row, asked), nil },
		checkInsert:  tokenstore.CheckInsert,
		newID:        func(d *data) (string, error) { return d.NewID() },
		result:       func(saved, _ token) token { return saved },
	}
}

// first returns the first row, or the last, that matches.
func (r rules) first(d *data, matches func(token) bool) (token, bool) {
	rows := d.rows
	if r.newest {
		rows = slices.Clone(rows)
		slices.Reverse(rows)
	}
	i := slices.IndexFunc(rows, matches)
	if i < 0 {
		return token{}, false
	}
	return rows[i], true
}

func (r rules) find(d *data, q token) (token, error) {
	q = r.query(q)
	if q.ID != "" && r.byIDFirst {
		if row, ok, _ := d.ByID(q.ID); ok {
			return row, nil
		}
		if r.unknownIDFinal {
			return token{}, tokenstore.ErrNotFound
		}
	}
	for _, k := range r.keys(q) {
		if row, ok := r.first(d, func(row token) bool { return r.holds(row, k, q) }); ok {
			return row, nil
		}
	}
	if q.ID != "" && !r.byIDFirst {
		if row, ok, _ := d.ByID(q.ID); ok {
			return row, nil
		}
	}
	return r.otherwise(d, q)
}

func (r rules) save(d *data, asked token) (token, error) {
	asked = r.ask(asked)
	if err := asked.Validate(); err != nil {
		return token{}, err
	}
	row, err := r.find(d, asked)
	for _, k := range r.adoptionKeys(asked) {
		if err == nil {
			break
		}
		if adopted, ok := r.first(d, func(row token) bool { return r.adoptable(row) && r.holds(row, k, asked) }); ok {
			row, err = adopted, nil
		}
	}
	if err != nil {
		return r.insert(d, asked)
	}
	updated, err := r.update(row, asked)
	if err != nil {
		return token{}, err
	}
	i := slices.IndexFunc(d.rows, func(o token) bool { return o.ID == row.ID })
	d.rows[i] = r.stored(updated)
	delete(d.odd, row.ID)
	return r.result(d.rows[i], asked), nil
}

func (r rules) insert(d *data, asked token) (token, error) {
	if err := r.checkInsert(asked); err != nil {
		return token{}, err
	}
	if asked.ID == "" {
		id, err := r.newID(d)
		if err != nil {
			return token{}, err
		}
		asked.ID = id
	}
	asked = r.stored(asked.Normal())
	return r.result(asked, asked), d.Insert(asked)
}

// ruled is a store with these rules.
type ruled struct {
	*reference
	rules rules
}

func (s ruled) FindToken(ctx context.Context, q token) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if s.data.damagedFor(q) {
		return token{}, tokenstore.ErrUnreadable
	}
	row, err := s.rules.find(s.data, q)
	if err != nil {
		return token{}, err
	}
	return s.rules.found(row, q), nil
}

func (s ruled) SaveToken(ctx context.Context, t token) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if saved, ok := s.data.mend(t); ok {
		return saved, nil
	}
	return s.rules.save(s.data, t)
}

// wrongRules returns the maker of a store in which one rule is changed.
func wrongRules(change func(*rules)) func(*data) tokenstore.Store {
	r := rightRules()
	change(&r)
	return func(d *data) tokenstore.Store { return ruled{&reference{data: d}, r} }
}

// wrong is a reference with some methods replaced; nil functions are not replaced.
type wrong struct {
	*reference
	find       func(ctx context.Context, s *reference, q token) (token, error)
	save       func(ctx context.Context, s *reference, t token) (token, error)
	many       func(ctx context.Context, s *reference, tokens []token) ([]token, error)
	byID       func(ctx context.Context, s *reference, id string) (token, error)
	deleteOne  func(ctx context.Context, s *reference, id string) error
	list       func(ctx context.Context, s *reference) ([]token, error)
	deleteAll  func(ctx context.Context, s *reference) error
	findNoted  func(ctx context.Context, s *reference, q token) (noted, error)
	swap       func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error)
	ping       func(ctx context.Context, s *reference) error
	remove     func(ctx context.Context, s *reference, tokens []token) []error
	stream     func(ctx context.Context, s *reference, yield func(token, error) bool)
	changeWith func(*wrong) // Sets functions that share the state of a handle.
}

func (s *wrong) FindToken(ctx context.Context, q token) (token, error) {
	if s.find != nil {
		return s.find(ctx, s.reference, q)
	}
	return s.reference.FindToken(ctx, q)
}

func (s *wrong) SaveToken(ctx context.Context, t token) (token, error) {
	if s.save != nil {
		return s.save(ctx, s.reference, t)
	}
	return s.reference.SaveToken(ctx, t)
}

func (s *wrong) SaveTokens(ctx context.Context, tokens []token) ([]token, error) {
	if s.many != nil {
		return s.many(ctx, s.reference, tokens)
	}
	return s.reference.SaveTokens(ctx, tokens)
}

func (s *wrong) FindTokenByID(ctx context.Context, id string) (token, error) {
	if s.byID != nil {
		return s.byID(ctx, s.reference, id)
	}
	return s.reference.FindTokenByID(ctx, id)
}

func (s *wrong) DeleteToken(ctx context.Context, id string) error {
	if s.deleteOne != nil {
		return s.deleteOne(ctx, s.reference, id)
	}
	return s.reference.DeleteToken(ctx, id)
}

func (s *wrong) GetTokens(ctx context.Context) ([]token, error) {
	if s.list != nil {
		return s.list(ctx, s.reference)
	}
	return s.reference.GetTokens(ctx)
}

func (s *wrong) Tokens(ctx context.Context) iter.Seq2[token, error] {
	if s.stream != nil {
		return func(yield func(token, error) bool) { s.stream(ctx, s.reference, yield) }
	}
	return s.reference.Tokens(ctx)
}

func (s *wrong) DeleteTokens(ctx context.Context) error {
	if s.deleteAll != nil {
		return s.deleteAll(ctx, s.reference)
	}
	return s.reference.DeleteTokens(ctx)
}

func (s *wrong) FindNoted(ctx context.Context, q token) (noted, error) {
	if s.findNoted != nil {
		return s.findNoted(ctx, s.reference, q)
	}
	return s.reference.FindNoted(ctx, q)
}

func (s *wrong) SwapToken(ctx context.Context, old noted, next token, note string) (noted, bool, error) {
	if s.swap != nil {
		return s.swap(ctx, s.reference, old, next, note)
	}
	return s.reference.SwapToken(ctx, old, next, note)
}

func (s *wrong) Ping(ctx context.Context) error {
	if s.ping != nil {
		return s.ping(ctx, s.reference)
	}
	return s.reference.Ping(ctx)
}

// wrongMethods returns the maker of a store with methods replaced.
func wrongMethods(w wrong) func(*data) tokenstore.Store {
	return func(d *data) tokenstore.Store {
		s := w
		s.reference = &reference{data: d}
		if s.changeWith != nil {
			s.changeWith(&s)
		}
		return &s
	}
}

// wrongStore is a store that breaks one rule, and the case that must catch it.
type wrongStore struct {
	name     string
	caughtBy string
	open     func(*data) tokenstore.Store
}

// outcomeOf runs one case on a store that open makes.
func outcomeOf(t *testing.T, name string, open func(*data) tokenstore.Store, options ...Option) Result {
	t.Helper()
	current := &data{}
	options = append([]Option{
		WithOnly(name),
		WithPerson(
			func(_ context.Context, _ tokenstore.Store, id string) ([]byte, error) { return current.personReads(id) },
			func(_ context.Context, _ tokenstore.Store, id string, data []byte) error {
				return current.personWrites(id, data)
			},
		),
		WithUnseen(func(context.Context) (tokenstore.Store, error) { return open(&data{blind: true}), nil }),
		WithKeeping(func(context.Context, tokenstore.Store) error { current.keeps = true; return nil }),
		WithPatience(100 * time.Millisecond),
		WithReopen(func(context.Context, tokenstore.Store) (tokenstore.Store, error) { return open(current), nil }),
		WithForeign(func(context.Context, tokenstore.Store) (func(context.Context) error, error) {
			current.foreign = []token{{ID: "foreign"}}
			return func(context.Context) error {
				if len(current.foreign) != 1 {
					return errors.New("the foreign row is gone")
				}
				return nil
			}, nil
		}),
	}, options...)
	var result Result
	n := 0
	for r := range Run(t.Context(), func(context.Context) (tokenstore.Store, error) {
		current = &data{}
		return open(current), nil
	}, options...) {
		result = r
		n++
	}
	if n != 1 {
		t.Fatalf("%d cases are named %s", n, name)
	}
	return result
}

// TestWrongStores tests the suite itself: each wrong store is caught by the case that is
// named.
func TestWrongStores(t *testing.T) {
	stores := slices.Concat(wrongFinds(), wrongKeys(), wrongSaves(), wrongAdoptions(), wrongValues(), wrongDeletes(),
		wrongLists(), wrongErrors(), wrongContexts(), wrongHandles(), wrongConcurrency(),
		wrongBatches(), wrongStreams(), wrongWaits(), wrongWithPersons(), wrongSwaps(), wrongNotes(), wrongRemoves(), wrongAbilities())
	const least = 40
	if len(stores) < least {
		t.Errorf("only %d wrong stores", len(stores))
	}
	for _, w := range stores {
		t.Run(w.name, func(t *testing.T) {
			result := outcomeOf(t, w.caughtBy, w.open)
			// The order of concurrent goroutines is a matter of chance: a case of
			// concurrency may miss a fault once, but soon finds it.
			for range 50 {
				if result.Outcome == Failed || !ofChance(w.caughtBy) {
					break
				}
				result = outcomeOf(t, w.caughtBy, w.open)
			}
			if result.Outcome != Failed {
				t.Errorf("not caught by %s", w.caughtBy)
				for _, c := range Cases() {
					if testing.Verbose() && outcomeOf(t, c.Name, w.open).Outcome == Failed {
						t.Log("but by", c.Name)
					}
				}
				return
			}
			t.Log(result)
		})
	}
	t.Logf("%d wrong stores", len(stores))
}

// ofChance reports whether the result of a case depends on how goroutines are scheduled.
func ofChance(name string) bool {
	return strings.HasPrefix(name, "concurrent-") || name == "context-cancelled-midway" || name == "S40"
}

// TestRightRules shows that the base of the wrong stores breaks no rule itself.
func TestRightRules(t *testing.T) {
	for name, open := range map[string]func(*data) tokenstore.Store{
		"rules": wrongRules(func(*rules) {}), "methods": wrongMethods(wrong{}),
	} {
		for _, c := range Cases() {
			if result := outcomeOf(t, c.Name, open, WithPatience(time.Minute)); result.Outcome != Passed {
				t.Errorf("%s: %s", name, result)
			}
		}
	}
}

// keysIn returns a key for each kind, in this order, whose value is set.
func keysIn(t token, kinds ...tokenstore.KeyKind) []tokenstore.Key {
	var keys []tokenstore.Key
	for _, kind := range kinds {
		for _, k := range tokenstore.KeysOf(t) {
			if k.Kind == kind {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// valueOf returns the value that a row has for a kind of key.
func valueOf(row token, kind tokenstore.KeyKind) string {
	for _, k := range keysIn(row, kind) {
		return k.Value
	}
	return ""
}

// locked runs f with exclusive access to the rows.
func locked[T any](s *reference, f func(*data) (T, error)) (T, error) {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return f(s.data)
}

var _ rowstore.Rows = (*data)(nil)
