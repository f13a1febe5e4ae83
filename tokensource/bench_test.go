package tokensource_test

import (
	"testing"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore/tokensource"
)

// BenchmarkToken gives a good token from memory, beside x/oauth2's ReuseTokenSource, to one goroutine and
// to 64 for each processor.
func BenchmarkToken(b *testing.B) {
	s, err := tokensource.New(newFakeStore(stored(time.Hour)), &provider{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close(b.Context()) })
	ctx := b.Context()
	reuse := oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour)}, nil)
	for _, c := range []struct {
		name  string
		token func() error
	}{
		{"source", func() error { _, err := s.Token(ctx, byUser); return err }},
		{"reuse", func() error { _, err := reuse.Token(); return err }},
	} {
		if err := c.token(); err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = c.token()
			}
		})
		b.Run(c.name+"/many", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = c.token()
				}
			})
		})
	}
}

// TestGoodTokenAllocatesNothing guards the benchmark's figure in every run.
func TestGoodTokenAllocatesNothing(t *testing.T) {
	s := open(t, newFakeStore(stored(time.Hour)), &provider{})
	want(t, s, "access-0")
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Token(ctx, byUser) }); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}
