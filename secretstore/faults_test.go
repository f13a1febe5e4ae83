package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// partial reads batches in which some secrets have a fault of their own.
type partial struct {
	driver.Secrets
	batch  driver.BatchGetter
	faults map[string]error // by name
}

func (p *partial) Unwrap() driver.Secrets { return p.Secrets }

func (p *partial) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	var sound []string
	var faults []error
	for _, name := range names {
		if err := p.faults[name]; err != nil {
			faults = append(faults, &driver.NameError{Name: name, Err: err})
			continue
		}
		sound = append(sound, name)
	}
	secrets, err := p.batch.GetBatch(ctx, sound)
	return secrets, errors.Join(append(faults, err)...)
}

// TestBatchThatIsThrottledInPart has a find by an access token, which the index
// leaves out, read the tokens while the service is busy. A token that could not be read
// may be the one: it is neither absent nor unreadable.
func TestBatchThatIsThrottledInPart(t *testing.T) {
	for kind, retryable := range map[error]bool{driver.ErrThrottled: true, driver.ErrUnavailable: true, driver.ErrDenied: false} {
		t.Run(kind.Error(), func(t *testing.T) {
			ctx, secrets := t.Context(), memory.New()
			options := []secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex()}
			p := &partial{Secrets: secrets, batch: secrets.Batched(), faults: threeUsers(t, secrets, kind, options...)}
			store := open(t, p, options...)
			for what, query := range map[string]string{"a token": "fake-access-b", "nothing": "fake-unknown"} {
				_, err := store.FindToken(ctx, tokenstore.OAuthToken{AccessToken: query})
				if !errors.Is(err, kind) || errors.Is(err, tokenstore.ErrUnreadable) || tokenstore.Retryable(err) != retryable {
					t.Errorf("a find of %s gives %v, want %v", what, err, kind)
				}
			}
			if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{AccessToken: "fake-access-b", APIDomain: "https://api.example"}); !errors.Is(err, kind) {
				t.Errorf("a save by the access token gives %v, want %v", err, kind)
			}
			tokens, err := store.GetTokens(ctx)
			if !errors.Is(err, kind) || tokenstore.Retryable(err) != retryable || errors.Is(err, tokenstore.ErrUnreadable) == retryable {
				t.Errorf("GetTokens gives %v, want %v", err, kind)
			}
			if !retryable && len(tokens) != 2 {
				t.Errorf("GetTokens gives %d tokens, want 2", len(tokens))
			}
		})
	}
}

// answering reads batches with an answer of its own.
type answering struct {
	driver.Secrets
	answer func(names []string) ([]driver.Secret, error)
}

func (a *answering) Unwrap() driver.Secrets { return a.Secrets }

func (a *answering) GetBatch(_ context.Context, names []string) ([]driver.Secret, error) {
	return a.answer(names)
}

// TestAbsenceOfABatch has a service answer a batch read of existing secrets as if they did
// not exist. That is no proof: no token is missing from a list without an error, no hint
// is removed, and no second token is inserted.
func TestAbsenceOfABatch(t *testing.T) {
	named := func(names []string) error {
		var faults []error
		for _, name := range names {
			faults = append(faults, &driver.NameError{Name: name, Err: driver.ErrNotFound})
		}
		return errors.Join(faults...)
	}
	for what, c := range map[string]struct {
		answer func(names []string) ([]driver.Secret, error)
		fault  bool // of the call
	}{
		"refused as a whole":     {func([]string) ([]driver.Secret, error) { return nil, driver.ErrNotFound }, false},
		"refused, with a reason": {func([]string) ([]driver.Secret, error) { return nil, fmt.Errorf("batch: %w", driver.ErrNotFound) }, false},
		"one chunk refused": {func(names []string) ([]driver.Secret, error) {
			return nil, errors.Join(named(names[:1]), fmt.Errorf("batch: %w", driver.ErrNotFound))
		}, false},
		"no such container": {func([]string) ([]driver.Secret, error) { return nil, driver.ErrNoContainer }, true},
		"said of each name": {func(names []string) ([]driver.Secret, error) { return nil, named(names) }, false},
		"said by chunks": {func(names []string) ([]driver.Secret, error) {
			return nil, errors.Join(named(names[:1]), named(names[1:]))
		}, false},
		"an answer of nothing": {func([]string) ([]driver.Secret, error) { return nil, nil }, false},
		"a throttle in a chunk": {func(names []string) ([]driver.Secret, error) {
			return nil, errors.Join(named(names[:1]), errors.Join(named(names[1:2]), &driver.NameError{Name: names[0], Err: driver.ErrThrottled}))
		}, true},
	} {
		for _, form := range []string{"entries", "document", "document without access"} {
			t.Run(what+"/"+form, func(t *testing.T) {
				ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
				options := append([]secretstore.Option{noWait, secretstore.WithClock(func() time.Time { return now })}, forms[form]...)
				threeUsers(t, secrets, nil, options...)
				sound := open(t, secrets, options...)
				tokens, err := sound.GetTokens(ctx)
				if err != nil || len(tokens) != 3 {
					t.Fatal(tokens, err)
				}
				now = now.Add(48 * time.Hour)
				tokenBatches := func(names []string) ([]driver.Secret, error) {
					if !strings.HasPrefix(names[0], "tokenstore/tokens/") {
						return secrets.Batched().GetBatch(ctx, names) // The index reads by rules of its own.
					}
					return c.answer(names)
				}
				store := open(t, &answering{secrets, tokenBatches}, options...)
				check := func(how string, err error) {
					t.Helper()
					if c.fault && (err == nil || errors.Is(err, tokenstore.ErrNotFound) || tokenstore.Kind(err) == nil) || !c.fault && err != nil {
						t.Errorf("%s: %v", how, err)
					}
				}
				listed, err := store.GetTokens(ctx)
				check("GetTokens", err)
				if err == nil && !slices.Equal(listed, tokens) {
					t.Errorf("GetTokens gives %d tokens", len(listed))
				}
				_, err = store.FindToken(ctx, tokenstore.OAuthToken{AccessToken: "fake-access-b"})
				if form == "document without access" {
					check("a find that looks through all", err)
				}
				if report, err := store.Check(ctx); err == nil && (report.Tokens != 3 || report.HintsRemoved != 0) {
					t.Errorf("Check: %+v", report)
				} else {
					check("Check", err)
				}
				_, err = store.Reindex(ctx, secretstore.ReindexOptions{})
				check("Reindex", err)
				for _, token := range tokens {
					for _, k := range tokenstore.KeysOf(token) {
						if found, err := open(t, secrets, options...).FindToken(ctx, tokenstore.QueryFor(k)); err != nil || found != token {
							t.Errorf("after a repair, by the %s: %v", k, err)
						}
					}
				}
				if err := store.DeleteTokens(ctx); err != nil {
					t.Errorf("DeleteTokens: %v", err)
				}
				if left, err := sound.GetTokens(ctx); err != nil || len(left) != 0 {
					t.Errorf("after DeleteTokens %d are left, %v", len(left), err)
				}
			})
		}
	}
}

// TestAbsenceOfAList has a service refuse to list as if it were asked for one secret.
func TestAbsenceOfAList(t *testing.T) {
	store := open(t, drivertest.Inject(memory.New(), drivertest.FailMethod(drivertest.List, drivertest.Outcome{Err: driver.ErrNotFound})))
	if tokens, err := store.GetTokens(t.Context()); tokenstore.Kind(err) == nil || len(tokens) != 0 {
		t.Errorf("GetTokens: %v, %v", tokens, err)
	}
	if err := store.DeleteTokens(t.Context()); tokenstore.Kind(err) == nil {
		t.Errorf("DeleteTokens: %v", err)
	}
	if _, err := store.Reindex(t.Context(), secretstore.ReindexOptions{}); tokenstore.Kind(err) == nil {
		t.Errorf("Reindex: %v", err)
	}
}

// threeUsers saves tokens of the users a, b and c. It returns the fault as that
// of the secret of the second.
func threeUsers(t *testing.T, secrets driver.Secrets, fault error, options ...secretstore.Option) map[string]error {
	t.Helper()
	faults := map[string]error{}
	store := open(t, secrets, options...)
	for _, user := range []string{"a", "b", "c"} {
		token, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: user, AccessToken: "fake-access-" + user})
		if err != nil {
			t.Fatal(err)
		}
		if user == "b" {
			faults["tokenstore/tokens/"+token.ID] = fault
		}
	}
	return faults
}

// TestRoleThatMayNotReadAll lists and repairs with a role that may not read one
// of the tokens, on a service without batch reads; and finds with one that may
// not list.
func TestRoleThatMayNotReadAll(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	faults := threeUsers(t, secrets, driver.ErrDenied)
	var last string
	for name := range secrets.List(ctx, "tokenstore/tokens/") {
		last = max(last, name)
	}
	store := open(t, drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome { return drivertest.Outcome{Err: faults[c.Name]} }))
	if tokens, err := store.GetTokens(ctx); len(tokens) != 2 || !errors.Is(err, tokenstore.ErrDenied) || !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("GetTokens gives %d tokens and %v, want 2 and a denial", len(tokens), err)
	}
	oneByOne := open(t, drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
		if c.Method == drivertest.Get && strings.HasPrefix(c.Name, "tokenstore/tokens/") && c.Name != last {
			return drivertest.Denied
		}
		return drivertest.Outcome{}
	}), secretstore.WithParallelism(1))
	if tokens, err := oneByOne.GetTokens(ctx); len(tokens) != 1 || !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("GetTokens gives %d tokens and %v where the last of three may be read", len(tokens), err)
	}
	if report, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil || report.Tokens != 2 || len(report.Unreadable) != 1 {
		t.Errorf("the repair gives %+v, %v", report, err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "b"}); !errors.Is(err, tokenstore.ErrDenied) || errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("a find of what may not be read gives %v", err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "unknown"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a find of an unknown user gives %v", err)
	}
	reader := open(t, drivertest.Inject(secrets, drivertest.FailMethod(drivertest.List, drivertest.Denied)))
	if _, err := reader.FindToken(ctx, tokenstore.OAuthToken{UserName: "unknown"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a find by a role that may not list gives %v", err)
	}
	nobody := open(t, drivertest.Inject(secrets, drivertest.FailMethod(drivertest.Get, drivertest.Denied)))
	if tokens, err := nobody.GetTokens(ctx); len(tokens) != 0 || !errors.Is(err, tokenstore.ErrDenied) || errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("GetTokens gives a role that may read nothing %d tokens and %v", len(tokens), err)
	}
}

// TestErrorsMatchASentinel has a service refuse what is sent as invalid, as where
// no region is set. Every error of a store matches a sentinel of the package.
func TestErrorsMatchASentinel(t *testing.T) {
	store := open(t, drivertest.Inject(memory.New(), func(drivertest.Call) drivertest.Outcome { return drivertest.Outcome{Err: driver.ErrInvalid} }))
	if _, err := store.FindTokenByID(t.Context(), "1"); !errors.Is(err, tokenstore.ErrInvalidArgument) || !errors.Is(err, driver.ErrInvalid) {
		t.Errorf("a find gives %v", err)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{RefreshToken: "fake"}); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a save gives %v", err)
	}
}
