package importer_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/secretstore"
)

// single is a store that saves one token at a time.
type single struct{ tokenstore.Store }

// cutting is a store whose save number after is carried out, but ends with the context
// of its caller.
type cutting struct {
	tokenstore.Store
	cancel context.CancelFunc
	after  int
}

func (c *cutting) SaveToken(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if c.after--; c.after < 0 {
		_, _ = c.Store.SaveToken(ctx, t)
		c.cancel()
		return tokenstore.OAuthToken{}, ctx.Err()
	}
	return c.Store.SaveToken(ctx, t)
}

// TestTheReportOfAnInterruptedImportIsTrue: what was being written when the context
// ended is asked for, and is in the report as it is in the store.
func TestTheReportOfAnInterruptedImportIsTrue(t *testing.T) {
	for _, after := range []int{0, 1, 9, 10, 22} {
		ctx, cancel := context.WithCancel(t.Context())
		destination := store(t)
		report, err := importer.Import(ctx, listed{tokens: many(30)}, &cutting{single{destination}, cancel, after}, importer.Options{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d: %v", after, err)
		}
		all, err := destination.GetTokens(t.Context())
		if err != nil || report.Count(importer.Created) != len(all) || len(all) != after+1 || report.Count(importer.NotWritten) != 30-len(all) {
			t.Errorf("after %d: %d stored, %v, and the report says %v", after, len(all), err, outcomes(report))
		}
		for _, row := range report.Rows {
			if has := slices.ContainsFunc(all, func(token tokenstore.OAuthToken) bool { return token.UserName == row.User }); has != (row.Outcome == importer.Created) {
				t.Errorf("after %d: row %d is %s", after, row.Number, row.Outcome)
			}
		}
	}
}

// TestAnInterruptedImportOfManyIsTrue does the same with a store that saves many at once,
// and is interrupted at each of its calls.
func TestAnInterruptedImportOfManyIsTrue(t *testing.T) {
	for calls := 1; ; calls += 7 {
		ctx, cancel := context.WithCancel(t.Context())
		gate := &gated{Secrets: memory.New(), do: cancel}
		gate.left.Store(int64(calls))
		destination, err := secretstore.New(gate)
		if err != nil {
			t.Fatal(err)
		}
		report, err := importer.Import(ctx, listed{tokens: many(30)}, destination, importer.Options{})
		all, listErr := destination.GetTokens(t.Context())
		if listErr != nil {
			t.Fatal(listErr)
		}
		if len(report.Rows) > 0 && report.Count(importer.Created) != len(all) {
			t.Errorf("interrupted at call %d: %d stored, and the report says %v", calls, len(all), outcomes(report))
		}
		if err == nil {
			return
		}
	}
}

// gated does something when so many calls were made: before each call, or instead of
// it if refuse is set.
type gated struct {
	driver.Secrets
	left   atomic.Int64
	do     func()
	refuse error
}

func (g *gated) step() error {
	switch left := g.left.Add(-1); {
	case left == 0 && g.do != nil:
		g.do()
	case left < 0:
		return g.refuse
	}
	return nil
}

func (g *gated) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := g.step(); err != nil {
		return driver.Secret{}, err
	}
	return g.Secrets.Get(ctx, name)
}

func (g *gated) Put(ctx context.Context, s driver.Secret) (string, error) {
	if err := g.step(); err != nil {
		return "", err
	}
	return g.Secrets.Put(ctx, s)
}

// TestALoginThatEndsIsOneError: from some call on, the service takes the login no more.
// The rows that follow are not written, and none is refused or lost.
func TestALoginThatEndsIsOneError(t *testing.T) {
	for _, calls := range []int64{40, 80, 120, 200, 300, 500, 700} {
		gate := &gated{Secrets: memory.New(), refuse: driver.ErrDenied}
		gate.left.Store(calls)
		destination, err := secretstore.New(gate)
		if err != nil {
			t.Fatal(err)
		}
		report, err := importer.Import(t.Context(), listed{tokens: many(90)}, destination, importer.Options{})
		if gate.left.Load() >= 0 {
			t.Fatalf("%d calls are more than all", calls)
		}
		if !errors.Is(err, tokenstore.ErrDenied) || len(report.Lost) > 0 || report.Count(importer.Refused) > 0 {
			t.Errorf("after %d calls: %v, %d refused, %d lost", calls, err, report.Count(importer.Refused), len(report.Lost))
		}
		gate.left.Store(1 << 40)
		all, err := destination.GetTokens(t.Context())
		if created := report.Count(importer.Created); err != nil || created > len(all) || created+report.Count(importer.NotWritten) != 90 {
			t.Errorf("after %d calls: %d stored, %v, and the report says %d created", calls, len(all), err, created)
		}
	}
}

// typed is a store in which a person has typed a refresh token: it is not found by it
// until a save claims it.
type typed struct {
	tokenstore.Store
	token   string
	claimed bool
}

func (s *typed) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if query.RefreshToken == s.token && !s.claimed {
		return tokenstore.OAuthToken{}, tokenstore.ErrNotFound
	}
	return s.Store.FindToken(ctx, query)
}

func (s *typed) SaveToken(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	s.claimed = s.claimed || t.RefreshToken == s.token
	return s.Store.SaveToken(ctx, t)
}

// TestATokenThatAPersonPatchedIsFoundAfterwards: a row that is said to be there is found
// by every key; one that was not is saved again.
func TestATokenThatAPersonPatchedIsFoundAfterwards(t *testing.T) {
	tokens := many(3)
	destination := &typed{Store: store(t, tokens...), token: "r1"}
	report := imported(t, destination, importer.Options{}, tokens...)
	expect(t, report, importer.Present, importer.Updated, importer.Present)
	if !report.Complete() || report.Finds != 9 {
		t.Errorf("%d finds, %+v", report.Finds, report.Rows[1])
	}
	expect(t, imported(t, destination, importer.Options{}, tokens...), importer.Present, importer.Present, importer.Present)
}

// deaf is a store that finds nothing by refresh token.
type deaf struct{ tokenstore.Store }

func (d deaf) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if query.RefreshToken != "" {
		return tokenstore.OAuthToken{}, tokenstore.ErrNotFound
	}
	return d.Store.FindToken(ctx, query)
}

func TestATokenThatIsNotFoundIsNotSaidToBeThere(t *testing.T) {
	tokens := many(2)
	destination := deaf{store(t, tokens...)}
	report, err := importer.Import(t.Context(), listed{tokens: tokens}, destination, importer.Options{})
	if err != nil || len(report.Lost) != 2 || report.Complete() {
		t.Fatalf("%v, lost %v", err, report.Lost)
	}
	if got := outcomes(report); !slices.Equal(got, []importer.Outcome{importer.Undecided, importer.Undecided}) {
		t.Errorf("outcomes %v", got)
	}
}

// moving is a store in which a token changes as soon as it is saved: its application
// uses it already.
type moving struct{ tokenstore.Store }

func (m moving) SaveToken(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	saved, err := m.Store.SaveToken(ctx, t)
	if err == nil {
		_, err = m.Store.SaveToken(ctx, tokenstore.OAuthToken{ID: saved.ID, AccessToken: "refreshed-" + saved.ID, Expiry: start})
	}
	return saved, err
}

func TestATokenThatChangesMeanwhileIsNotLost(t *testing.T) {
	report, err := importer.Import(t.Context(), listed{tokens: many(2)}, moving{store(t)}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, importer.Created, importer.Created)
	if !report.Complete() || !slices.Contains(report.Rows[0].Warnings, "changed in the store since it was moved") {
		t.Errorf("%+v", report.Rows[0])
	}
}

// TestProgressBeginsWithTheFirstRow: it goes on row by row, whether the destination saves
// rows together or one by one, and ends when all are done.
func TestProgressBeginsWithTheFirstRow(t *testing.T) {
	for name, destination := range map[string]tokenstore.Store{"together": store(t), "one by one": single{store(t)}} {
		var seen []int
		_, err := importer.Import(t.Context(), listed{tokens: many(250)}, destination, importer.Options{Progress: func(stage importer.Stage, done, total int) {
			if stage == importer.Moving {
				seen = append(seen, done)
			}
			if stage == importer.Moving && total != 250 {
				t.Errorf("%s: %d rows in all", name, total)
			}
		}})
		if err != nil || !slices.IsSorted(seen) || len(slices.Compact(seen)) != 251 || seen[0] != 0 {
			t.Errorf("%s: %v, %v", name, seen, err)
		}
	}
}
