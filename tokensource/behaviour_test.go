package tokensource_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// recorder keeps the steps that an observer sees.
type recorder struct {
	mu     sync.Mutex
	events []tokensource.Event
}

func (r *recorder) observe(_ context.Context, e tokensource.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// steps returns the steps since the last call, failed ones with a "!".
func (r *recorder) steps() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var steps []string
	for _, e := range r.events {
		step := string(e.Step)
		if e.Err != nil {
			step += "!"
		}
		steps = append(steps, step)
	}
	r.events = nil
	return steps
}

func (r *recorder) want(t *testing.T, steps ...string) {
	t.Helper()
	if got := r.steps(); !slices.Equal(got, steps) {
		t.Errorf("steps %q, want %q", got, steps)
	}
}

func TestEveryStepIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: time.Second}
		var mine, others recorder
		s := open(t, store, p, tokensource.WithObserver(mine.observe))
		other := open(t, store, p, tokensource.WithObserver(others.observe))
		go func() { want(t, other, "access-1") }()
		time.Sleep(time.Millisecond)
		want(t, s, "access-1")
		want(t, s, "access-1")
		time.Sleep(time.Second)
		others.want(t, "read", "claimed", "redeemed", "saved")
		mine.want(t, "read", "waited", "read", "waited", "read", "waited", "read", "adopted", "from memory")

		p.fail(tokensource.ErrMisconfigured)
		time.Sleep(2 * time.Hour)
		wantError(t, s, tokensource.ErrMisconfigured)
		mine.want(t, "read", "claimed", "redeemed!")
		p.fail(nil)
		time.Sleep(2 * time.Minute)
		want(t, other, "access-3") // It has not seen the claim stand, and waits.
		others.steps()
		time.Sleep(2 * time.Hour)
		p.fail(tokensource.ErrNeedsConsent)
		wantError(t, other, tokensource.ErrNeedsConsent)
		others.want(t, "read", "claimed", "redeemed!", "refused")
	})
}

// TestEventsHaveDurations: a step takes as long as the call that it made.
func TestEventsHaveDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := open(t, newFakeStore(stored(-time.Second)), &provider{delay: 3 * time.Second}, tokensource.WithObserver(r.observe))
		want(t, s, "access-1")
		for _, e := range r.events {
			if e.Step == tokensource.StepRedeemed && e.Duration != 3*time.Second || e.Token != "1" {
				t.Errorf("%+v", e)
			}
		}
	})
}

// TestNoCredentialIsShown: whatever fails, and whatever a redeemer's error quotes.
func TestNoCredentialIsShown(t *testing.T) {
	const canary = "CANARY"
	var failures = []error{
		nil,
		errors.New("POST https://accounts.example/token?refresh_token=" + canary),
		fmt.Errorf("%s: %w", canary, tokensource.ErrNeedsConsent),
		fmt.Errorf("%s: %w", canary, tokensource.ErrMisconfigured),
		fmt.Errorf("%s: %w", canary, tokensource.ErrNotSent),
		fmt.Errorf("%s: %w", canary, &tokensource.Error{Kind: tokensource.ErrThrottled, Err: errors.New(canary)}),
		&tokensource.Error{Kind: tokensource.ErrThrottled, Next: time.Now().Add(time.Hour), Err: errors.New(canary)},
		&tokensource.Error{Err: errors.New(canary)},
	}
	for i, failure := range failures {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row := stored(-time.Second)
				row.ID, row.RefreshToken, row.AccessToken, row.ClientSecret = "id-"+canary, canary, canary, canary
				store := newFakeStore(row)
				failed := false
				store.lost = func(op string) error {
					if failed = !failed; failed {
						return nil
					}
					return &tokenstore.Error{Store: "fake", Op: op, Kind: tokenstore.ErrUnavailable}
				}
				var log bytes.Buffer
				var mu sync.Mutex // of shown
				var shown strings.Builder
				show := func(v ...any) {
					mu.Lock()
					defer mu.Unlock()
					fmt.Fprintln(&shown, v...)
				}
				s := open(t, store, redeemerFunc(func(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
					return tokenstore.OAuthToken{AccessToken: canary + "2", RefreshToken: canary, Expiry: time.Now().Add(time.Hour)}, failure
				}), tokensource.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
					tokensource.WithObserver(func(_ context.Context, e tokensource.Event) { show(e, fmt.Sprintf("%+v", e)) }))
				for range 3 {
					token, err := s.Token(t.Context(), byUser)
					show(err)
					_, err = s.Renew(t.Context(), token)
					show(err)
				}
				time.Sleep(time.Minute)
				show(s.Close(t.Context()), store.row().Note)
				if text := shown.String() + log.String(); strings.Contains(text, canary) || log.Len() == 0 {
					t.Errorf("shown:\n%s", text)
				}
			})
		})
	}
}

// TestLogLevels: what needs attention is a warning, and the usual is not.
func TestLogLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		var log bytes.Buffer
		s := open(t, store, p, tokensource.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		want(t, s, "access-1")
		if text := log.String(); strings.Count(text, "level=INFO") != 2 || strings.Contains(text, "WARN") {
			t.Errorf("a refresh logs\n%s", text)
		}
		p.fail(tokensource.ErrNeedsConsent)
		time.Sleep(2 * time.Hour)
		wantError(t, s, tokensource.ErrNeedsConsent)
		if text := log.String(); strings.Count(text, "level=WARN") != 2 {
			t.Errorf("a refusal logs\n%s", text)
		}
	})
}

// TestErrorText: an error says what to do, and when.
func TestErrorText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		err  error
		want string
	}{
		{&tokensource.Error{Kind: tokensource.ErrNeedsConsent, Since: at}, "tokensource: the provider refuses the refresh token: the user has to consent again (since 2026-01-02T03:04:05Z)"},
		{&tokensource.Error{Kind: tokensource.ErrThrottled, Next: at}, "tokensource: the provider asks for a pause (next attempt at 2026-01-02T03:04:05Z)"},
		{&tokensource.Error{Kind: tokenstore.ErrUnavailable, Err: context.DeadlineExceeded}, "tokensource: unavailable: timeout"},
		{&tokensource.Error{Kind: tokenstore.ErrUnavailable, Err: io.ErrUnexpectedEOF}, "tokensource: unavailable: the connection was closed"},
		{&tokensource.Error{Kind: tokenstore.ErrUnavailable, Err: errors.New("secret")}, "tokensource: unavailable: *errors.errorString"},
		{&tokensource.Error{}, "tokensource: failed"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestCloseEndsEverything: no goroutine is left, whatever was going on.
func TestCloseEndsEverything(t *testing.T) {
	before := goroutines()
	store := newFakeStore(stored(-time.Second))
	hangs := redeemerFunc(func(ctx context.Context, _ tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
		<-ctx.Done()
		return tokenstore.OAuthToken{}, ctx.Err()
	})
	var sources []*tokensource.Source
	for range 3 { // One redeems, the others wait for it.
		s, err := tokensource.New(store, hangs)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := s.Token(ctx, byUser); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
	}
	if goroutines() <= before {
		t.Error("nothing is going on")
	}
	for _, s := range sources {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := s.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
	}
	for end := time.Now().Add(time.Minute); goroutines() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after:\n%s", before, goroutines(), stacks())
		}
	}
}

// goroutines counts those that sources have started: of a test, or of the one before, others
// may end or begin meanwhile.
func goroutines() (n int) {
	for stack := range strings.SplitSeq(stacks(), "\n\n") {
		if strings.Contains(stack, "tokensource.(*Source).") && !strings.Contains(stack, "testing.tRunner(") {
			n++
		}
	}
	return n
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// TestCloseCompletesARefresh: what has begun is saved, and those who wait for others get an error.
func TestCloseCompletesARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: 5 * time.Second}
		s, other := open(t, store, p), open(t, store, p)
		var wg sync.WaitGroup
		wg.Go(func() { want(t, s, "access-1") })
		time.Sleep(time.Second)
		wg.Go(func() { wantError(t, other, tokensource.ErrClosed) })
		time.Sleep(time.Second)
		start := time.Now()
		if err := other.Close(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("Close of one that waits: %v after %s", err, time.Since(start))
		}
		if err := s.Close(t.Context()); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Close during a redemption: %v after %s", err, time.Since(start))
		}
		wg.Wait()
		if store.row().RefreshToken != "refresh-1" {
			t.Error("the refresh token is lost")
		}
	})
}

// TestQueriesFollowTheRow: a query that finds another token by now gets that one.
func TestQueriesFollowTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := stored(time.Hour), stored(time.Hour)
		two.ID, two.UserName, two.AccessToken, two.RefreshToken = "2", "v", "access-v", "refresh-v"
		store, p := newFakeStore(one, two), &provider{}
		s := open(t, store, p)
		want(t, s, "access-0")
		store.edit(func(r *tokenstore.Noted) { r.UserName = "w" })
		store.mu.Lock()
		store.rows[1].UserName = "u"
		store.rows[1].Expiry = time.Now().Add(3 * time.Hour)
		store.mu.Unlock()
		time.Sleep(time.Hour)
		want(t, s, "access-v")
		// By a refresh token that was rotated away nothing is found once memory has run out.
		query := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: "refresh-v"}
		if _, err := s.Token(t.Context(), query); err != nil {
			t.Error(err)
		}
		time.Sleep(4 * time.Hour)
		if got, err := s.Token(t.Context(), query); err != nil || got.RefreshToken == "refresh-v" {
			t.Errorf("the call that rotates: %v", err)
		}
		time.Sleep(4 * time.Hour)
		if _, err := s.Token(t.Context(), query); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("by a refresh token of long ago: %v", err)
		}
		if _, err := s.Token(t.Context(), tokenstore.OAuthToken{}); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("by nothing: %v", err)
		}
	})
}

// TestManyTokens: memory is bounded, and what is forgotten is read again.
func TestManyTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows []tokenstore.OAuthToken
		for i := range 500 {
			row := stored(time.Hour)
			row.ID, row.UserName, row.AccessToken = fmt.Sprint("id", i), fmt.Sprint("user", i), fmt.Sprint("access", i)
			rows = append(rows, row)
		}
		store := newFakeStore(rows...)
		s := open(t, store, &provider{}, tokensource.WithLimit(100))
		for range 3 {
			for i := range 500 {
				for _, query := range []tokenstore.OAuthToken{{UserName: fmt.Sprint("user", i)}, {ID: fmt.Sprint("id", i)}, {AccessToken: fmt.Sprint("access", i)}} {
					if got, err := s.Token(t.Context(), query); err != nil || got.AccessToken != fmt.Sprint("access", i) {
						t.Fatalf("%d: %q, %v", i, got.AccessToken, err)
					}
				}
			}
		}
		if tokens, queries := tokensource.Sizes(s); tokens > 101 || queries > 201 {
			t.Errorf("%d tokens, %d queries", tokens, queries)
		}
	})
}

// TestManyTokensAtOnce: tokens are refreshed and forgotten by many goroutines at once.
func TestManyTokensAtOnce(t *testing.T) {
	var rows []tokenstore.OAuthToken
	for i := range 100 {
		row := stored(-time.Second)
		row.ID, row.UserName, row.RefreshToken = fmt.Sprint("id", i), fmt.Sprint("user", i), fmt.Sprint("refresh", i)
		rows = append(rows, row)
	}
	s := open(t, newFakeStore(rows...), &provider{}, tokensource.WithLimit(10))
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 200 {
				query := tokenstore.OAuthToken{UserName: fmt.Sprint("user", (i*7+g)%100)}
				if _, err := s.Token(t.Context(), query); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTransport(t *testing.T) {
	refused := "access-0"
	var bodies, got []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies, got = append(bodies, string(body)), append(got, r.Header.Get("Authorization"))
		if r.Header.Get("Authorization") == "Bearer "+refused {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer api.Close()
	store, p := newFakeStore(stored(time.Hour)), &provider{}
	s := open(t, store, p)
	client := &http.Client{Transport: s.Transport(byUser, nil)}
	post := func(body io.Reader) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if r.Header.Get("Authorization") != "" {
			t.Error("the request was modified")
		}
		return answer.StatusCode
	}
	if status := post(io.NopCloser(strings.NewReader("once"))); status != http.StatusUnauthorized || len(got) != 1 {
		t.Errorf("a body that cannot be sent again: status %d after %d requests", status, len(got))
	}
	if status := post(strings.NewReader("again")); status != http.StatusOK || !slices.Equal(bodies, []string{"once", "again", "again"}) || got[2] != "Bearer access-1" {
		t.Errorf("status %d, bodies %q, tokens %q", status, bodies, got)
	}
	refused = "access-1"
	if status := post(strings.NewReader("no")); status != http.StatusUnauthorized || len(got) != 4 {
		t.Errorf("a new token that is refused: status %d after %d requests", status, len(got))
	}
}

// TestTransportKeepsTokensFromOtherHosts: a redirect does not lead a token to another host.
func TestTransportKeepsTokensFromOtherHosts(t *testing.T) {
	var got []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	defer api.Close()
	s := open(t, newFakeStore(stored(time.Hour)), &provider{})
	client := &http.Client{Transport: s.Transport(byUser, nil)}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL, nil)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if !slices.Equal(got, []string{""}) {
		t.Errorf("the other host got %q", got)
	}
}

// TestAlone: without coordination a save does not insert what was deleted, and a token that another
// process has stored stays.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: time.Second}
		s := open(t, store, p, tokensource.WithoutCoordination())
		go func() {
			time.Sleep(500 * time.Millisecond)
			store.edit(func(r *tokenstore.Noted) { r.RefreshToken = "pasted" })
		}()
		if _, err := s.Token(t.Context(), byUser); err != nil {
			t.Error(err)
		}
		if store.row().RefreshToken != "pasted" {
			t.Errorf("stored %q", store.row().RefreshToken)
		}
		time.Sleep(2 * time.Hour)
		go func() { time.Sleep(500 * time.Millisecond); _ = store.DeleteToken(t.Context(), "1") }()
		wantError(t, s, tokenstore.ErrNotFound)
		if len(store.rows) != 0 {
			t.Error("a deleted token came back")
		}
	})
}

// TestAloneRefused: a process alone asks once about a refused refresh token, too.
func TestAloneRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{spent: map[string]bool{"refresh-0": true}}
		s := open(t, store, p, tokensource.WithoutCoordination())
		for range 3 {
			wantError(t, s, tokensource.ErrNeedsConsent)
		}
		if p.asked() != 1 {
			t.Errorf("asked %d times", p.asked())
		}
		store.edit(func(r *tokenstore.Noted) { r.RefreshToken = "pasted" })
		want(t, s, "access-2")
	})
}

// TestOptions: New says what is wrong.
func TestOptions(t *testing.T) {
	for _, o := range []tokensource.Option{tokensource.WithReuse(-1), tokensource.WithMargin(-1), tokensource.WithClaim(time.Second)} {
		if _, err := tokensource.New(newFakeStore(), &provider{}, o); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("New: %v", err)
		}
	}
	if _, err := tokensource.New(nil, &provider{}); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("New without a store: %v", err)
	}
}
