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

// 1,000 tokens with a user and a refresh token fit into one document of 64 KiB.
func TestThousandTokensFit(t *testing.T) {
	for _, late := range []time.Duration{0, time.Second} {
		c := newClock()
		x := document(1).make(memory.New(memory.WithLimits(driver.Limits{MaxSize: 65536})), c.config())
		thousand(t, x, c, 1000, late)
		stats, err := x.Stats(ctx)
		if err != nil || len(stats) != 1 {
			t.Fatalf("Stats: %v, %v", stats, err)
		}
		s := stats[0]
		t.Logf("claimed %v after the generation: %d bytes for %d keys", late, s.Size, s.Keys)
		if s.Keys != 2000 || s.Hints != 2000 || s.Size > 65536 || s.MaxSize != 65536 || s.Name != prefix+"root" {
			t.Errorf("stat %+v", s)
		}
		ids, _, err := x.(index.Lister).IDs(ctx)
		if err != nil || len(ids) != 1000 || !slices.Contains(ids, userHash(999)) {
			t.Errorf("IDs: %d, %v", len(ids), err)
		}
	}
}

// A claim for which there is no room changes nothing, and the remedy works.
func TestFullDocument(t *testing.T) {
	c := newClock()
	secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{MaxSize: 2048})))
	x := document(1).make(secrets, c.config())
	n, err := 0, error(nil)
	for ; err == nil; n++ {
		counts.Reset()
		_, err = x.View().Claim(ctx, index.Claim{Hash: hash(n), ID: userHash(n), Generation: 1})
	}
	if !errors.Is(err, index.ErrFull) || !errors.Is(err, driver.ErrTooLarge) || !strings.Contains(err.Error(), prefix+"root") {
		t.Errorf("Claim: %v, want ErrFull and ErrTooLarge with the name", err)
	}
	if counts.Writes() != 0 {
		t.Errorf("%v, want no write", counts)
	}
	n-- // This one did not fit.
	wantIDs(t, "the claim that did not fit", mustLookup(t, x.View(), hash(n))[0])
	stats, err := x.Stats(ctx)
	if err != nil || !index.GrowthDue(stats) {
		t.Errorf("GrowthDue(%v, %v) is false", stats, err)
	}
	mustRelease(t, x.View(), index.Claim{Hash: hash(0), ID: userHash(0), Generation: 1})
	mustClaim(t, x.View(), index.Claim{Hash: hash(0), ID: userHash(0), Generation: 1})
	if err := reshard(ctx, x, 4); err != nil {
		t.Fatalf("Reshard: %v", err)
	}
	mustClaim(t, x.View(), index.Claim{Hash: hash(n), ID: userHash(n), Generation: 1})
	for i := range n + 1 {
		wantIDs(t, fmt.Sprint("key ", i), mustLookup(t, x.View(), hash(i))[0], userHash(i))
	}
	stats, err = x.Stats(ctx)
	if err != nil || index.GrowthDue(stats) || len(stats) != 5 {
		t.Errorf("Stats: %v, %v, want no growth due in 5 documents", stats, err)
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

// At the daily limit a claim fails before the call and a release does nothing; a day
// later both work again.
func TestWritesOfADay(t *testing.T) {
	const limit = 10
	c := newClock()
	secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit})))
	x := document(1).make(secrets, c.config())
	for i := range limit {
		mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: "a", Generation: 1})
		c.Advance(time.Hour)
	}
	stats, err := x.Stats(ctx)
	if err != nil || stats[0].WritesToday != limit || stats[0].MaxWrites != limit || !index.GrowthDue(stats) {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
	counts.Reset()
	v := x.View()
	if _, err := v.Claim(ctx, index.Claim{Hash: hash(50), ID: "a", Generation: 1}); !errors.Is(err, driver.ErrQuota) || !strings.Contains(err.Error(), prefix+"root") {
		t.Errorf("Claim: %v, want ErrQuota with the name", err)
	}
	mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	if counts.Writes() != 0 {
		t.Errorf("%v, want no write", counts)
	}
	wantIDs(t, "a release at the limit", mustLookup(t, v, hash(1))[0], "a")
	wantIDs(t, "a claim at the limit", mustLookup(t, v, hash(50))[0])

	c.Advance(16 * time.Hour) // The first write is more than a day ago.
	mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	c.Advance(time.Hour)
	mustClaim(t, x.View(), index.Claim{Hash: hash(50), ID: "a", Generation: 1})
	wantIDs(t, "a day later", mustLookup(t, x.View(), hash(1))[0])
	c.Advance(100 * time.Hour)
	if stats, err = x.Stats(ctx); err != nil || stats[0].WritesToday != 0 {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
}

// A document that has reached its limit of writes can still be resharded.
func TestReshardAtTheLimitOfADay(t *testing.T) {
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 3}))
	x := document(2).make(secrets, c.config())
	i := 0
	for err := error(nil); err == nil; i++ {
		_, err = x.View().Claim(ctx, index.Claim{Hash: hash(i), ID: "a", Generation: 1})
	}
	if err := reshard(ctx, x, 8); err != nil {
		t.Fatalf("Reshard: %v", err)
	}
	mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: "a", Generation: 1})
}
