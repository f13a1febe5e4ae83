package index_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

func expect(t *testing.T, x index.Index, tokens, hints int) {
	t.Helper()
	if err := x.(index.Sizer).Expect(ctx, tokens, hints); err != nil {
		t.Fatalf("Expect(%d, %d): %v", tokens, hints, err)
	}
}

func fanoutOf(t *testing.T, secrets driver.Secrets) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(data(t, secrets, "root")), `"fanout":"`)
	fanout, _, _ := strings.Cut(rest, `"`)
	return fanout
}

// tokenClaims are the claims of token n: its user and its refresh token.
func tokenClaims(n int) []index.Claim {
	return []index.Claim{{Hash: userHash(n), ID: userHash(n), Generation: 1}, {Hash: hash(n), ID: userHash(n), Generation: 1}}
}

// checkTokens checks that a process that knows nothing finds tokens 0 to n-1.
func checkTokens(t *testing.T, secrets driver.Secrets, c *clock, n int, when string) {
	t.Helper()
	v := document(1).make(secrets, c.config()).View()
	for i := range n {
		for _, hints := range mustLookup(t, v, userHash(i), hash(i)) {
			wantIDs(t, fmt.Sprint(when, ", token ", i), hints, userHash(i))
		}
	}
}

// What was expected fits without growth, in an index that was empty or was not.
func TestExpect(t *testing.T) {
	const size = 8192
	for _, before := range []int{0, 100} {
		for _, more := range []int{10, 100, 1000} {
			t.Run(fmt.Sprintf("%d more than %d", more, before), func(t *testing.T) {
				c := newClock()
				secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: size}))
				x := document(1).make(secrets, c.config())
				if before > 0 {
					expect(t, x, before, 2*before)
					thousand(t, x, c, before, 0)
				}
				expect(t, x, more, 2*more)
				var was string
				if before+more > 50 {
					was = fanoutOf(t, secrets)
				}
				thousand(t, x, c, before+more, 0)
				stats, err := x.Stats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range stats {
					if s.Size > size/4*3 {
						t.Errorf("%s has %d of %d bytes", s.Name, s.Size, size)
					}
				}
				if now := fanoutOf(t, secrets); was != "" && now != was {
					t.Errorf("fan-out %s, then %s", was, now)
				}
			})
		}
	}
}

// Expect plans for the writes of a day too, never makes the fan-out smaller, and does
// nothing on a service without limits.
func TestExpectWrites(t *testing.T) {
	c := newClock()
	secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 90})))
	x := document(1).make(secrets, c.config())
	expect(t, x, 10, 20)
	if counts.Writes() != 0 {
		t.Errorf("%v for ten tokens, want no write", counts)
	}
	expect(t, x, 5000, 10_000)
	if got := fanoutOf(t, secrets); got != "32" { // 1,000 writes a day, 45 for each document.
		t.Errorf("fan-out %s", got)
	}
	expect(t, x, 1, 2)
	expect(t, x, 0, 0)
	if got := fanoutOf(t, secrets); got != "32" {
		t.Errorf("fan-out %s", got)
	}
	expect(t, x, 1e9, 2e9)
	if got := fanoutOf(t, secrets); got != fmt.Sprint(index.MaxFanout) {
		t.Errorf("fan-out %s", got)
	}
	secrets, counts = drivertest.Count(memory.New())
	expect(t, document(1).make(secrets, c.config()), 1e6, 1e6)
	if counts.Total() != 0 {
		t.Errorf("%v on a service without limits", counts)
	}
}

// An index whose documents fill up grows, keeps every hint, and has no document that is
// nearly full.
func TestGrowthBySize(t *testing.T) {
	const size, n = 2048, 300
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: size}))
	x := document(1).make(secrets, c.config())
	for i := range n {
		mustClaim(t, x.View(), tokenClaims(i)...)
	}
	checkTokens(t, secrets, c, n, "grown")
	stats, err := x.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stats {
		if s.Size > size/4*3+200 {
			t.Errorf("%s has %d bytes", s.Name, s.Size)
		}
	}
	if len(stats) != 33 && len(stats) != 65 {
		t.Errorf("%d documents for %d tokens", len(stats), n)
	}
}

// Claims of one call that do not fit into the index, or into a new one, make it as large as
// they need, in one change of the fan-out.
func TestGrowthOfABatch(t *testing.T) {
	const n = 300
	for _, before := range []int{0, 1} {
		c := newClock()
		secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{MaxSize: 2048})))
		x := document(1).make(secrets, c.config())
		for i := range before {
			mustClaim(t, x.View(), tokenClaims(i)...)
		}
		counts.Reset()
		var claims []index.Claim
		for i := before; i < n; i++ {
			claims = append(claims, tokenClaims(i)...)
		}
		mustClaim(t, x.View(), claims...)
		checkTokens(t, secrets, c, n, "grown")
		// It announces, creates the documents that have hints, swaps, and writes each once.
		if most := 2 + 2 + 32; counts.Writes() > most {
			t.Errorf("%v, want at most %d writes", counts, most)
		}
	}
}

// daily is a service that counts the writes of each secret, and refuses those beyond its
// limit in 24 hours.
func daily(secrets driver.Secrets, c *clock, limit int) driver.Secrets {
	var mu sync.Mutex
	writes := map[string][]time.Time{}
	return drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method != drivertest.Put {
			return do(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		w := writes[call.Name]
		for len(w) > 0 && c.Now().Sub(w[0]) >= 24*time.Hour {
			w = w[1:]
		}
		if writes[call.Name] = w; len(w) >= limit {
			return driver.ErrQuota
		}
		err := do(ctx)
		if err == nil {
			writes[call.Name] = append(w, c.Now())
		}
		return err
	})
}

// An index that is written more often than one document allows in a day grows, and no
// claim is refused.
func TestGrowthByWrites(t *testing.T) {
	const limit, days, perDay = 80, 3, 800
	c := newClock()
	stored := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit}))
	secrets := daily(stored, c, limit)
	x := document(1).make(secrets, c.config())
	largest := ""
	for i := range days * perDay {
		mustClaim(t, x.View(), tokenClaims(i)...)
		if i > 0 { // Its refresh token is rotated.
			mustRelease(t, x.View(), tokenClaims(i - 1)[1])
			mustClaim(t, x.View(), index.Claim{Hash: hash(10_000 + i), ID: userHash(i - 1), Generation: 2})
		}
		c.Advance(24 * time.Hour / perDay)
		if i == perDay {
			largest = fanoutOf(t, stored)
		}
	}
	v := document(1).make(secrets, c.config()).View()
	for i := range days*perDay - 1 {
		for _, hints := range mustLookup(t, v, userHash(i), hash(10_001+i)) {
			wantIDs(t, fmt.Sprint("token ", i), hints, userHash(i))
		}
	}
	// 3,200 writes a day, at most 60 for each document.
	if got := fanoutOf(t, stored); got != "64" && got != "128" {
		t.Errorf("fan-out %s after a day, then %s", largest, got)
	}
}

// A release makes the index grow too, and one that leads to nothing does not.
func TestGrowthByReleases(t *testing.T) {
	const limit = 20
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit}))
	x := document(1).make(secrets, c.config())
	var claims []index.Claim
	for i := range 100 {
		claims = append(claims, tokenClaims(i)...)
	}
	mustClaim(t, x.View(), claims...)
	for range limit {
		mustRelease(t, x.View(), tokenClaims(1000)...)
	}
	if got := fanoutOf(t, secrets); got != "1" {
		t.Errorf("fan-out %s after releases of nothing", got)
	}
	for i := range 50 {
		mustRelease(t, x.View(), tokenClaims(i)...)
	}
	if got := fanoutOf(t, secrets); got == "1" {
		t.Errorf("fan-out %s after 50 releases", got)
	}
	for i := range 100 {
		for _, hints := range mustLookup(t, x.View(), userHash(i), hash(i)) {
			if (len(hints) > 0) != (i >= 50) {
				t.Errorf("token %d has %v", i, hints)
			}
		}
	}
}

// At most so many documents there are. What then has no room is refused.
func TestGrowthEnds(t *testing.T) {
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 20}))
	x := document(index.MaxFanout).make(secrets, c.config())
	if err := usedUp(x, c); !errors.Is(err, driver.ErrQuota) {
		t.Errorf("Claim: %v, want ErrQuota", err)
	}
}

// A service that asks for fewer calls delays growth and does not make the claim fail, unless
// it never stops asking.
func TestGrowthThrottled(t *testing.T) {
	for _, always := range []bool{false, true} {
		c := newClock()
		stored, n := crowdedIndex(t, c, 4)
		puts := 0
		secrets := drivertest.Intercept(stored, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
			if call.Method == drivertest.Put && call.Name != prefix+"root" {
				if puts++; always || puts%2 > 0 {
					return driver.ErrThrottled
				}
			}
			return do(ctx)
		})
		_, err := document(1).make(secrets, c.config()).View().Claim(ctx, tokenClaims(n)...)
		switch {
		case always && !errors.Is(err, driver.ErrThrottled):
			t.Errorf("Claim: %v, want ErrThrottled", err)
		case !always && err != nil && !errors.Is(err, driver.ErrThrottled): // The claim itself may be throttled.
			t.Errorf("Claim: %v", err)
		case !always && fanoutOf(t, stored) != "8":
			t.Errorf("fan-out %s, %v, %d puts", fanoutOf(t, stored), err, puts)
		}
		checkTokens(t, stored, c, n, "throttled")
	}
}

// noChange refuses to announce a change of the fan-out.
type noChange struct{ *memory.Secrets }

func (s noChange) Put(ctx context.Context, secret driver.Secret) (string, error) {
	if strings.Contains(string(secret.Data), `"next"`) {
		return "", driver.ErrDenied
	}
	return s.Secrets.Put(ctx, secret)
}

// If the index cannot grow, a claim that still fits goes on; one that does not says why.
func TestGrowthFails(t *testing.T) {
	c := newClock()
	stored := memory.New(memory.WithLimits(driver.Limits{MaxSize: 2048}))
	x := document(1).make(noChange{stored}, c.config())
	n, err := 0, error(nil)
	for ; err == nil; n++ {
		_, err = x.View().Claim(ctx, tokenClaims(n)...)
	}
	if !errors.Is(err, driver.ErrDenied) || errors.Is(err, index.ErrFull) {
		t.Errorf("Claim: %v, want ErrDenied", err)
	}
	stats, statsErr := x.Stats(ctx)
	if statsErr != nil || len(stats) != 1 || stats[0].Size < 1700 {
		t.Errorf("%+v, %v", stats, statsErr)
	}
	checkTokens(t, stored, c, n-1, "full")
	mustClaim(t, document(1).make(stored, c.config()).View(), tokenClaims(n-1)...)
	checkTokens(t, stored, c, n, "grown")
}

// A root that has no writes left for both steps of a change announces none: it would leave
// all documents sealed. The claims use up their document instead.
func TestGrowthNeedsWrites(t *testing.T) {
	const limit = 20
	for left, grown := range map[int]bool{1: false, 2: true} {
		c := newClock()
		secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit}))
		x := document(2).make(secrets, c.config())
		mustClaim(t, x.View(), tokenClaims(0)...)
		root := data(t, secrets, "root")
		if !bytes.Contains(root, []byte(`:1"`)) {
			t.Fatalf("root %s, want one write", root)
		}
		secrets.Edit(prefix+"root", bytes.Replace(root, []byte(`:1"`), fmt.Appendf(nil, `:%d"`, limit-left), 1))
		n, err := 0, error(nil)
		for ; err == nil && n < limit; n++ {
			_, err = document(1).make(secrets, c.config()).View().Claim(ctx, tokenClaims(n)[1])
			_, err2 := document(1).make(secrets, c.config()).View().Claim(ctx, tokenClaims(n)[0])
			err = cmp.Or(err, err2)
		}
		if got := fanoutOf(t, secrets); (got == "4") != grown {
			t.Errorf("with %d writes left: fan-out %s", left, got)
		}
		switch {
		case grown && err != nil:
			t.Errorf("with %d writes left: %v", left, err)
		case !grown && (!errors.Is(err, driver.ErrQuota) || !strings.Contains(err.Error(), prefix+epochOf(t, secrets)+"-")):
			t.Errorf("with %d writes left: %v, want ErrQuota with the document's name", left, err)
		}
		checkTokens(t, secrets, c, n-1, "in the end")
	}
}

// A few keys that are written again and again use up the writes of their documents, and do
// not make the index grow without end.
func TestGrowthOfFewKeys(t *testing.T) {
	for keys, most := range map[int]int{2: 8, 10: 64} {
		c := newClock()
		secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 90}))
		x := document(1).make(secrets, c.config())
		refused := map[int]bool{}
		for range 1000 {
			for n := range keys {
				if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(n), ID: "a", Generation: 1}); errors.Is(err, driver.ErrQuota) {
					refused[n] = true
				} else if err != nil {
					t.Fatal(err)
				}
			}
			c.Advance(time.Second)
		}
		if got := fanoutOf(t, secrets); atoi(t, got) > most || len(refused) != keys {
			t.Errorf("%d keys: fan-out %s, %d refused", keys, got, len(refused))
		}
	}
}
