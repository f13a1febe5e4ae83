package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// stored returns secrets with n tokens.
func stored(t *testing.T, n int, options ...secretstore.Option) *memory.Secrets {
	t.Helper()
	secrets := memory.New()
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		tokens[i] = client(tokenstore.OAuthToken{ID: fmt.Sprintf("%05d", i), UserName: fmt.Sprint("u", i), RefreshToken: fmt.Sprint("fake-refresh-", i)})
	}
	if _, err := open(t, secrets, options...).SaveTokens(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	return secrets
}

// TestTokensReadsAPartAtATime counts the reads that were made when a token is yielded, in
// each form of index.
func TestTokensReadsAPartAtATime(t *testing.T) {
	for form, options := range map[string][]secretstore.Option{"entries": nil, "documents": {secretstore.WithDocument(4)}} {
		const n = 1201
		var reads atomic.Int64
		store := open(t, drivertest.Inject(stored(t, n, options...), func(c drivertest.Call) drivertest.Outcome {
			if c.Method == drivertest.Get && strings.HasPrefix(c.Name, "tokenstore/tokens/") {
				reads.Add(1)
			}
			return drivertest.Outcome{}
		}), options...)
		yielded := 0
		for _, err := range store.Tokens(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if ahead := int(reads.Load()) - yielded; ahead > 500 {
				t.Fatalf("%s: %d tokens are held", form, ahead)
			}
			yielded++
		}
		if yielded != n || reads.Load() != n {
			t.Errorf("%s: %d tokens and %d reads, want %d", form, yielded, reads.Load(), n)
		}
		reads.Store(0)
		for range store.Tokens(t.Context()) {
			break
		}
		if reads.Load() > 500 {
			t.Errorf("%s: %d reads for the first token", form, reads.Load())
		}
	}
}

// TestTokensOfWhichALaterPartIsDenied has a role that may not read the last tokens of a
// long list. They are named, and do not hide the others, as in a short list.
func TestTokensOfWhichALaterPartIsDenied(t *testing.T) {
	const n = 503
	denied := func(c drivertest.Call) drivertest.Outcome {
		if c.Method == drivertest.Get && c.Name >= "tokenstore/tokens/00500" && strings.HasPrefix(c.Name, "tokenstore/tokens/") {
			return drivertest.Denied
		}
		return drivertest.Outcome{}
	}
	store := open(t, drivertest.Inject(stored(t, n), denied))
	tokens, faults := 0, 0
	for _, err := range store.Tokens(t.Context()) {
		switch {
		case err == nil:
			tokens++
		case errors.Is(err, tokenstore.ErrUnreadable) && errors.Is(err, tokenstore.ErrDenied):
			faults++
		default:
			t.Error(err)
		}
	}
	if tokens != 500 || faults != 3 {
		t.Errorf("%d tokens and %d faults, want 500 and 3", tokens, faults)
	}
	if tokens, err := store.GetTokens(t.Context()); len(tokens) != 500 || !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("GetTokens: %d tokens, %v", len(tokens), err)
	}
	report, err := store.Check(t.Context())
	if err != nil || report.Tokens != 500 || len(report.Unreadable) != 3 {
		t.Errorf("Check: %d tokens, %d unreadable, %v", report.Tokens, len(report.Unreadable), err)
	}
	nobody := open(t, drivertest.Inject(stored(t, n), drivertest.FailMethod(drivertest.Get, drivertest.Denied)))
	for _, err := range nobody.Tokens(t.Context()) {
		if !errors.Is(err, tokenstore.ErrDenied) || errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("a role that may read nothing: %v", err)
		}
	}
}

// TestTokensEndsAtAFault has the service fail in the second part.
func TestTokensEndsAtAFault(t *testing.T) {
	var reads atomic.Int64
	store := open(t, drivertest.Inject(stored(t, 700), func(c drivertest.Call) drivertest.Outcome {
		if c.Method == drivertest.Get && strings.HasPrefix(c.Name, "tokenstore/tokens/") && reads.Add(1) > 600 {
			return drivertest.Outcome{Err: driver.ErrThrottled}
		}
		return drivertest.Outcome{}
	}), noWait)
	var last error
	n := 0
	for _, err := range store.Tokens(t.Context()) {
		if last != nil {
			t.Fatal("the sequence goes on after a fault")
		}
		last = err
		n++
	}
	if !errors.Is(last, tokenstore.ErrThrottled) || n != 501 {
		t.Errorf("%d steps, the last with %v", n, last)
	}
}

// TestTokensWhileATokenRotates is TestListWhileATokenRotates for the sequence.
func TestTokensWhileATokenRotates(t *testing.T) {
	ctx := t.Context()
	options := []secretstore.Option{secretstore.WithDocument(4), secretstore.WithScanLimit(0), secretstore.WithParallelism(1), noWait}
	for first := range 6 {
		secrets := memory.New()
		writer := open(t, secrets, options...)
		token, err := writer.SaveToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh"}))
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		reader := open(t, drivertest.Intercept(secrets, func(ctx context.Context, _ drivertest.Call, do func(context.Context) error) error {
			if calls >= first {
				token.RefreshToken = fmt.Sprint("fake-refresh-", calls)
				if _, err := writer.SaveToken(ctx, token); err != nil {
					t.Error(err)
				}
			}
			calls++
			return do(ctx)
		}), options...)
		n := 0
		for got, err := range reader.Tokens(ctx) {
			if n++; err != nil || got.ID != token.ID {
				t.Errorf("from call %d: %v, %v", first, got.ID, err)
			}
		}
		if n != 1 {
			t.Errorf("from call %d: %d tokens", first, n)
		}
	}
}

// TestTokensOfABrokenIndex: the error is not that of a token, after which others follow.
func TestTokensOfABrokenIndex(t *testing.T) {
	store := open(t, drivertest.Inject(stored(t, 3, secretstore.WithDocument(1)), func(c drivertest.Call) drivertest.Outcome {
		if strings.HasPrefix(c.Name, "tokenstore/index/") {
			return drivertest.Outcome{Err: driver.ErrUnreadable}
		}
		return drivertest.Outcome{}
	}), secretstore.WithDocument(1))
	n := 0
	for _, err := range store.Tokens(t.Context()) {
		if n++; err == nil || tokenstore.Kind(err) != nil || tokenstore.Retryable(err) {
			t.Errorf("yields %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d steps", n)
	}
	if _, err := store.GetTokens(t.Context()); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("GetTokens: %v", err)
	}
}
