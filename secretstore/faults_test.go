package secretstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

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
// leaves out, read the tokens while the service is busy. What could not be read
// now may be the token: it is neither absent nor unreadable.
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
