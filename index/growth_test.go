package index_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/tokenstore/driver"
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
