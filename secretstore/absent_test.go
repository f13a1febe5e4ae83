package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// nowhere is a service that never returns a secret: the container does not exist, or
// secrets are removed immediately. put is the result of a write.
type nowhere struct {
	put   error
	calls int
}

func (n *nowhere) Get(ctx context.Context, _ string) (driver.Secret, error) {
	n.calls++
	return driver.Secret{}, errors.Join(ctx.Err(), driver.ErrNotFound)
}

func (n *nowhere) Put(context.Context, driver.Secret) (string, error) {
	n.calls++
	return fmt.Sprint("revision ", n.calls), n.put
}

func (n *nowhere) Delete(context.Context, string, string) error { n.calls++; return n.put }

func (n *nowhere) List(context.Context, string) iter.Seq2[string, error] {
	n.calls++
	return func(func(string, error) bool) {}
}

// TestNothingWaitsForEver runs every operation on a service that never returns a secret. It
// ends although its context has no deadline, and reports a write that was refused.
func TestNothingWaitsForEver(t *testing.T) {
	token := client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
	owned := client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-2"})
	operations := map[string]func(ctx context.Context, s *secretstore.Store) error{
		"save": func(ctx context.Context, s *secretstore.Store) error {
			_, err := s.SaveToken(ctx, token)
			return err
		},
		"save many": func(ctx context.Context, s *secretstore.Store) error {
			_, err := s.SaveTokens(ctx, append(newTokens(30), token, owned))
			return err
		},
		"save, rotate, list, find, delete and repair": func(ctx context.Context, s *secretstore.Store) error {
			rotated := token
			rotated.RefreshToken = "fake-refresh-3"
			_, err1 := s.SaveToken(ctx, token)
			_, err2 := s.SaveToken(ctx, rotated)
			_, err3 := s.GetTokens(ctx)
			if _, err := s.FindToken(ctx, owned); !errors.Is(err, tokenstore.ErrNotFound) {
				err3 = errors.Join(err3, err)
			}
			err4 := s.DeleteToken(ctx, "1")
			_, err5 := s.Reindex(ctx, secretstore.ReindexOptions{})
			return errors.Join(err1, err2, err3, err4, err5, s.DeleteTokens(ctx))
		},
	}
	for put, kind := range map[error]error{nil: nil, driver.ErrNoContainer: tokenstore.ErrNoContainer, driver.ErrConflict: tokenstore.ErrUnavailable} {
		for form, options := range forms {
			for name, do := range operations {
				t.Run(fmt.Sprintf("%v/%s/%s", put, form, name), func(t *testing.T) {
					service, now := &nowhere{put: put}, time.Unix(1_700_000_000, 0)
					begun := now
					store := open(t, service, append([]secretstore.Option{
						secretstore.WithParallelism(1), // The service and the clock take one call after the other.
						secretstore.WithClock(func() time.Time { return now }),
						secretstore.WithSleep(func(ctx context.Context, d time.Duration) error { now = now.Add(d); return ctx.Err() }),
					}, options...)...)
					err := do(t.Context(), store)
					t.Logf("%d calls, waited %v: %v", service.calls, now.Sub(begun), err)
					if (err == nil) != (kind == nil) || !errors.Is(err, kind) {
						t.Errorf("it ends with %v, want %v", err, kind)
					}
					if waited := now.Sub(begun); waited > time.Minute || service.calls > 1000 {
						t.Errorf("it has waited for %v, and made %d calls", waited, service.calls)
					}
				})
			}
		}
	}
}
