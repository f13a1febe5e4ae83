// A batch of claims writes its documents several at a time: an import into hundreds of
// documents would otherwise wait for each of them in turn, part by part.

package index_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// TestBatchWritesDocumentsInParallel claims keys of 64 documents, and releases them, on a
// service whose calls take a second. No more calls are made at a time than allowed.
func TestBatchWritesDocumentsInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fanout, parallelism = 64, 8
		var now, most atomic.Int64
		secrets := drivertest.Intercept(memory.New().Batched(), func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			return do(ctx)
		})
		var claims []index.Claim
		for i := range 1000 {
			hash := index.Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: fmt.Sprint("user-", i)}, nil)
			claims = append(claims, index.Claim{Hash: hash, ID: hash, Generation: 1})
		}
		x := index.NewDocument(secrets, index.Config{Prefix: "i/", Parallelism: parallelism}, index.WithFanout(fanout))
		for _, step := range []struct {
			name string
			do   func(index.View) error
		}{
			{"claim", func(v index.View) error { _, err := v.Claim(t.Context(), claims...); return err }},
			{"release", func(v index.View) error { return v.Release(t.Context(), claims...) }},
		} {
			begun := time.Now()
			if err := step.do(x.View()); err != nil {
				t.Fatal(err)
			}
			// The root is read and created, and the documents are read in one call.
			if took, atMost := time.Since(begun), time.Duration(fanout/parallelism+4)*time.Second; took > atMost {
				t.Errorf("%s took %v, want at most %v", step.name, took, atMost)
			}
		}
		if most.Load() > parallelism {
			t.Errorf("%d calls at a time, want at most %d", most.Load(), parallelism)
		}
	})
}

// TestParallelBatchFollowsGrowth has several processes claim the keys of many documents at
// the same time, while the index grows under them: every claim that succeeded is there, and
// no document is created under a layout that is gone.
func TestParallelBatchFollowsGrowth(t *testing.T) {
	const size, processes, calls, keys = 1500, 4, 6, 60
	secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: size}))
	open := func() index.Index {
		return index.NewDocument(secrets, index.Config{Prefix: "i/", Parallelism: 8}, index.WithFanout(2))
	}
	claim := func(process, call, key int) index.Claim {
		hash := index.Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: fmt.Sprint(process, "-", call, "-", key)}, nil)
		return index.Claim{Hash: hash, ID: hash, Generation: 1}
	}
	done := make(chan error, processes)
	for process := range processes {
		go func() {
			x := open()
			for call := range calls {
				var claims []index.Claim
				for key := range keys {
					claims = append(claims, claim(process, call, key))
				}
				if _, err := x.View().Claim(t.Context(), claims...); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range processes {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	view := open().View()
	for process := range processes {
		for call := range calls {
			for key := range keys {
				c := claim(process, call, key)
				hints, err := view.Lookup(t.Context(), c.Hash)
				if err != nil || len(hints[0]) != 1 || hints[0][0].ID != c.ID {
					t.Fatalf("process %d, call %d, key %d: %v, %v", process, call, key, hints, err)
				}
			}
		}
	}
}
