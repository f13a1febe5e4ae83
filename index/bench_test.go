package index_test

import (
	"fmt"
	"testing"

	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// benchForms are the forms over an index of 1,000 tokens.
func benchForms(b *testing.B, run func(b *testing.B, x index.Index)) {
	for _, f := range forms {
		c := newClock()
		x := f.make(memory.New(), c.config())
		var claims []index.Claim
		for i := range 1000 {
			claims = append(claims, index.Claim{Hash: userHash(i), ID: userHash(i), Generation: c.Now().Unix()}, index.Claim{Hash: hash(i), ID: userHash(i), Generation: c.Now().Unix()})
		}
		if _, err := x.View().Claim(ctx, claims...); err != nil {
			b.Fatal(err)
		}
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			run(b, x)
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	benchForms(b, func(b *testing.B, x index.Index) {
		for i := 0; b.Loop(); i++ {
			if hints, err := x.View().Lookup(ctx, hash(i%1000)); err != nil || len(hints[0]) != 1 {
				b.Fatal(hints, err)
			}
		}
	})
}

func BenchmarkClaim(b *testing.B) {
	benchForms(b, func(b *testing.B, x index.Index) {
		for i := 0; b.Loop(); i++ {
			if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(i % 1000), ID: userHash(i % 1000), Generation: 1}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReshard(b *testing.B) {
	c := newClock()
	full := memory.New()
	thousand(b, document(1).make(full, c.config()), c, 300, 0)
	for _, fanout := range []int{16, 256} {
		b.Run(fmt.Sprintf("300 tokens to %d", fanout), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := reshard(ctx, document(1).make(full.Clone(), c.config()), fanout); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
