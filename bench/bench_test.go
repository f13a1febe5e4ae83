package main

import (
	"testing"
	"time"
)

func TestSim(t *testing.T) {
	for _, w := range ways() {
		if w.service != onAWS && w.service != onGCP && w.service != onVault {
			continue
		}
		start := time.Now()
		c, err := w.simulate(1000, 20*time.Millisecond)
		t.Log(w, c, err, time.Since(start))
	}
}

func TestFill(t *testing.T) {
	for _, w := range ways() {
		if !w.ours {
			continue
		}
		start := time.Now()
		err := w.try(t.Context(), world{folder: t.TempDir()}, 10000, func(k *keeper) error { return nil })
		t.Log(w, err, time.Since(start))
	}
}

func TestMonth(t *testing.T) {
	for _, w := range ways() {
		n := w.stored(1000)
		err := w.try(t.Context(), world{folder: t.TempDir()}, n, func(k *keeper) error {
			d, err := month(t.Context(), k, n)
			t.Log(w, n, d)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestMeasure(t *testing.T) {
	for _, w := range ways() {
		n := w.stored(1000)
		err := w.try(t.Context(), world{folder: t.TempDir()}, n, func(k *keeper) error {
			for _, op := range operations {
				if k.do[op] == nil || k.source {
					continue
				}
				m, err := newMeter(20*time.Millisecond, func(i int) error {
					tt := newToken(i * 7 % 64)
					if op == save {
						tt = refreshed(tt, i)
					}
					return k.do[op](t.Context(), tt)
				})
				if err != nil {
					return err
				}
				r, err := rounds(5, m)
				if err != nil {
					return err
				}
				t.Log(w, op, m.n, r)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
