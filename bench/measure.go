// What an operation costs in this process: CPU, time, allocations. CPU is the process's own, garbage collection
// included, as the operating system counts it; so another program on the machine disturbs it little.

package main

import (
	"runtime"
	"slices"
	"time"
)

// usage is what an operation uses.
type usage struct {
	cpu, wall     time.Duration
	allocs, bytes float64
}

// meter measures one operation round by round.
type meter struct {
	do    func(i int) error
	n     int // operations in a round
	next  int
	usage []usage
}

// newMeter finds out how many operations take as long as a round should.
func newMeter(round time.Duration, do func(i int) error) (*meter, error) {
	m := &meter{do: do, n: 1}
	for {
		u, err := m.run()
		if err != nil {
			return nil, err
		}
		took := max(u.wall, time.Microsecond) * time.Duration(m.n)
		if took >= round/2 || m.n >= 1<<22 {
			m.n = max(1, int(float64(m.n)*min(2, float64(round)/float64(took))))
			return m, nil
		}
		m.n *= int(min(100, max(2, round/took)))
	}
}

// run makes one round.
func (m *meter) run() (usage, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), cpuTime()
	for range m.n {
		if err := m.do(m.next); err != nil {
			return usage{}, err
		}
		m.next++
	}
	n := time.Duration(m.n)
	u := usage{cpu: (cpuTime() - cpu) / n, wall: time.Since(start) / n}
	runtime.ReadMemStats(&after)
	u.allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	u.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	return u, nil
}

// alike gives several meters rounds of as many operations: a round begins after a collection of garbage, which makes
// its first operations dearer.
func alike(meters []*meter) {
	most := 0
	for _, m := range meters {
		most = max(most, m.n)
	}
	for _, m := range meters {
		m.n = most
	}
}

// rounds makes rounds of several meters by turns, so that whatever else goes on meets all of them, and returns
// each one's medians.
func rounds(n int, meters ...*meter) ([]usage, error) {
	for range n {
		for _, m := range meters {
			runtime.GC() // What others have left is not this one's to collect.
			u, err := m.run()
			if err != nil {
				return nil, err
			}
			m.usage = append(m.usage, u)
		}
	}
	results := make([]usage, len(meters))
	for i, m := range meters {
		results[i] = usage{
			cpu:    median(m.usage, func(u usage) time.Duration { return u.cpu }),
			wall:   median(m.usage, func(u usage) time.Duration { return u.wall }),
			allocs: median(m.usage, func(u usage) float64 { return u.allocs }),
			bytes:  median(m.usage, func(u usage) float64 { return u.bytes }),
		}
	}
	return results, nil
}

// median returns the middle value.
func median[T any, V time.Duration | float64](of []T, value func(T) V) V {
	values := make([]V, 0, len(of))
	for _, x := range of {
		values = append(values, value(x))
	}
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
