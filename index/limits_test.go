package index_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// thousand claims a user and a refresh token for each of n tokens, whose IDs are
// derived from the users, as the engine does. late is the time from the row's
// generation to the claim.
func thousand(t testing.TB, x index.Index, c *clock, n int, late time.Duration) {
	t.Helper()
	var claims []index.Claim
	for i := range n {
		generation := c.Now().Unix()
		claims = append(claims, index.Claim{Hash: userHash(i), ID: userHash(i), Generation: generation}, index.Claim{Hash: hash(i), ID: userHash(i), Generation: generation})
	}
	c.Advance(late)
	for some := range slices.Chunk(claims, 200) {
		if _, err := x.View().Claim(ctx, some...); err != nil {
			t.Fatalf("Claim: %v", err)
		}
	}
}

// 1,000 tokens with a user and a refresh token fit into one document of 64 KiB. (It grows
// before that, so the limit is larger here.)
func TestThousandTokensFit(t *testing.T) {
	for _, late := range []time.Duration{0, time.Second} {
		c := newClock()
		x := document(1).make(memory.New(memory.WithLimits(driver.Limits{MaxSize: 90000})), c.config())
		thousand(t, x, c, 1000, late)
		stats, err := x.Stats(ctx)
		if err != nil || len(stats) != 1 {
			t.Fatalf("Stats: %v, %v", stats, err)
		}
		s := stats[0]
		t.Logf("claimed %v after the generation: %d bytes for %d keys", late, s.Size, s.Keys)
		if s.Keys != 2000 || s.Hints != 2000 || s.Size > 65536 || s.MaxSize != 90000 || s.Name != prefix+"root" {
			t.Errorf("stat %+v", s)
		}
		ids, _, err := x.(index.Lister).IDs(ctx)
		if err != nil || len(ids) != 1000 || !slices.Contains(ids, userHash(999)) {
			t.Errorf("IDs: %d, %v", len(ids), err)
		}
	}
}

// A key that very many tokens share fills its document, and no fan-out helps: the index
// does not grow, and a claim for which there is no room changes nothing. Other keys still
// find room.
func TestFullDocument(t *testing.T) {
	c := newClock()
	secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{MaxSize: 2048})))
	x := document(1).make(secrets, c.config())
	n, err := 0, error(nil)
	for ; err == nil; n++ {
		counts.Reset()
		_, err = x.View().Claim(ctx, index.Claim{Hash: hash(0), ID: userHash(n), Generation: 1})
	}
	if !errors.Is(err, index.ErrFull) || !errors.Is(err, driver.ErrTooLarge) || !strings.Contains(err.Error(), prefix+"root") {
		t.Errorf("Claim: %v, want ErrFull and ErrTooLarge with the name", err)
	}
	if counts.Writes() != 0 {
		t.Errorf("%v, want no write", counts)
	}
	n-- // This one did not fit.
	if all := mustLookup(t, x.View(), hash(0))[0]; len(all) != n || n < 25 {
		t.Errorf("%d hints after %d claims", len(all), n)
	}
	mustRelease(t, x.View(), index.Claim{Hash: hash(0), ID: userHash(0), Generation: 1})
	mustClaim(t, x.View(), index.Claim{Hash: hash(0), ID: userHash(0), Generation: 1})
	if got := fanoutOf(t, secrets); got != "1" {
		t.Errorf("fan-out %s for one key", got)
	}
	for i := 1; i < 10; i++ {
		mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: userHash(n), Generation: 1})
	}
	for i := 1; i < 10; i++ {
		wantIDs(t, fmt.Sprint("key ", i), mustLookup(t, x.View(), hash(i))[0], userHash(n))
	}
	if all := mustLookup(t, x.View(), hash(0))[0]; len(all) != n {
		t.Errorf("%d hints of the key that fills a document, want %d", len(all), n)
	}
}

// The service may refuse data within its declared limits.
func TestServiceRefusesSize(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		refused := drivertest.Inject(memory.New(), drivertest.FailMethod(drivertest.Put, drivertest.Outcome{Err: driver.ErrTooLarge}))
		_, err := f.make(refused, newClock().config()).View().Claim(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		if !errors.Is(err, index.ErrFull) || !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("Claim: %v, want ErrFull and ErrTooLarge", err)
		}
	})
}

// usedUp claims one key until the writes of its document are used up, and returns the
// error.
func usedUp(x index.Index, c *clock) error {
	for {
		if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1}); err != nil {
			return err
		}
		c.Advance(5 * time.Minute)
	}
}

// One key that is claimed again and again uses up the writes of its document, whatever the
// fan-out, so that it does not make the index grow without end. At the limit a claim fails
// before the call, with an error that says which document and until when, and a release
// does nothing. When that time has come, both work again.
func TestWritesOfADay(t *testing.T) {
	const limit = 20
	c := newClock()
	secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit})))
	x := document(1).make(secrets, c.config())
	err := usedUp(x, c)
	if got := fanoutOf(t, secrets); got != "4" {
		t.Errorf("fan-out %s for one key", got)
	}
	stats, statsErr := x.Stats(ctx)
	full := slices.IndexFunc(stats, func(s index.Stat) bool { return s.WritesToday == limit && s.Hints > 0 })
	if statsErr != nil || full < 0 || stats[full].MaxWrites != limit {
		t.Fatalf("Stats: %+v, %v", stats, statsErr)
	}
	word := err.Error()[strings.Index(err.Error(), "until ")+len("until "):][:len(time.RFC3339)-5]
	until, parseErr := time.Parse(time.RFC3339, word)
	if !errors.Is(err, driver.ErrQuota) || !strings.Contains(err.Error(), stats[full].Name) || !strings.Contains(err.Error(), "finds") || parseErr != nil {
		t.Fatalf("Claim: %v (%v), want ErrQuota with the name, and until when", err, parseErr)
	}
	counts.Reset()
	if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(1), ID: "b", Generation: 1}); !errors.Is(err, driver.ErrQuota) {
		t.Errorf("Claim: %v, want ErrQuota", err)
	}
	mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	if counts.Writes() != 0 {
		t.Errorf("%v, want no write", counts)
	}
	wantIDs(t, "at the limit", mustLookup(t, x.View(), hash(1))[0], "a")

	c.Advance(until.Sub(c.Now()) - time.Second)
	if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(1), ID: "b", Generation: 1}); !errors.Is(err, driver.ErrQuota) {
		t.Errorf("a second before that: %v, want ErrQuota", err)
	}
	c.Advance(time.Second)
	mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	wantIDs(t, "when that time has come", mustLookup(t, x.View(), hash(1))[0], "b")
	c.Advance(100 * time.Hour)
	if stats, err = x.Stats(ctx); err != nil || stats[0].WritesToday != 0 {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
}

// A document that has reached its limit of writes can still be resharded.
func TestReshardAtTheLimitOfADay(t *testing.T) {
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 20}))
	x := document(2).make(secrets, c.config())
	if err := usedUp(x, c); !errors.Is(err, driver.ErrQuota) {
		t.Fatal(err)
	}
	if err := reshard(ctx, x, 8); err != nil {
		t.Fatalf("Reshard: %v", err)
	}
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
}
