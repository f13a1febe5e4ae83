package tokensource_test

import (
	"testing"
	"time"

	"example.com/tokenstore/tokensource"
)

func BenchmarkTokenGood(b *testing.B) {
	s, err := tokensource.New(newFakeStore(stored(time.Hour)), &provider{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close(b.Context()) })
	if _, err := s.Token(b.Context(), byUser); err != nil {
		b.Fatal(err)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Token(b.Context(), byUser)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		ctx := b.Context()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = s.Token(ctx, byUser)
			}
		})
	})
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
