// A lock has one holder, and waiting for it ends with the context.

package keylock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"example.com/tokenstore/internal/keylock"
)

func TestOneHoldsAKeyAtATime(t *testing.T) {
	var locks keylock.Locks
	counts := make([]int, 3)
	var done sync.WaitGroup
	for i := range 90 {
		done.Go(func() {
			unlock, err := locks.Lock(t.Context(), fmt.Sprint(i%3))
			if err != nil {
				t.Error(err)
				return
			}
			counts[i%3]++ // The race detector looks.
			unlock()
		})
	}
	done.Wait()
	for key, n := range counts {
		if n != 30 {
			t.Errorf("key %d was held %d times", key, n)
		}
	}
	if n := locks.Len(); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	var locks keylock.Locks
	unlock, err := locks.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := locks.Lock(ctx, "a")
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ends with %v", err)
	}
	unlock()
	if _, err := locks.Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a free lock is given under an ended context: %v", err)
	}
	if n := locks.Len(); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}
