package secretstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// advising is a service with settings that endanger tokens.
type advising struct {
	driver.Secrets
	advice []string
	fault  error
}

func (a advising) Advice(context.Context) ([]string, error) { return a.advice, a.fault }

// TestSettingsAreWarnedOf has a mount that lets secrets expire: the log says so once,
// and every check.
func TestSettingsAreWarnedOf(t *testing.T) {
	const setting = "delete_version_after is set"
	for _, c := range []struct {
		name   string
		driver advising
		want   []string
		fails  bool
	}{
		{"a setting", advising{advice: []string{setting}}, []string{setting}, false},
		{"nothing", advising{}, nil, false},
		{"no permission", advising{fault: fmt.Errorf("%w: config", driver.ErrDenied)}, nil, false},
		{"a fault", advising{fault: driver.ErrUnavailable}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			c.driver.Secrets = memory.New()
			var log strings.Builder
			store := open(t, c.driver, secretstore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			if _, err := store.SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := store.GetTokens(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := strings.Count(log.String(), setting), len(c.driver.advice); got != want {
				t.Errorf("logged %d times, want %d: %s", got, want, log.String())
			}
			report, err := store.Check(ctx)
			if (err != nil) != c.fails {
				t.Fatalf("the check: %v", err)
			}
			matches := func(got, want string) bool { return strings.Contains(got, want) }
			if !c.fails && !slices.EqualFunc(report.Warnings, c.want, matches) {
				t.Errorf("the check warns of %q, want %q", report.Warnings, c.want)
			}
		})
	}
}
