// The ratios that this library promises, each with its bound: both sides are measured by turns, in this run.

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"time"

	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// promise is a ratio and its bound.
type promise struct {
	what          string
	ours, against string // what was measured
	ratio, bound  float64
	least         bool // the ratio must be at least the bound, not at most
}

// met reports whether the promise is kept.
func (p promise) met() bool {
	if p.least {
		return p.ratio >= p.bound
	}
	return p.ratio <= p.bound
}

// promises measures all of them. What it needs and does not have, it says, and leaves out.
func (r runner) promises(ctx context.Context) ([]promise, error) {
	var all []promise
	for _, p := range []func(context.Context) ([]promise, error){
		r.findsInMemory, r.findsInSQLite, r.findsOnAWS, r.savesOfFile, r.lists, r.remembered, r.lambda, r.sinceBefore,
	} {
		some, err := p(ctx)
		switch {
		case errors.Is(err, errNoPython):
			continue // It was said.
		case err != nil:
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// wayNamed returns the way with a service and a name.
func wayNamed(service, name string) (way, error) {
	for _, w := range ways() {
		if w.service == service && w.name == name {
			return w, nil
		}
	}
	return way{}, fmt.Errorf("there is no way %s/%s", service, name)
}

const ours = "this library"

// side is an operation of a way.
type side struct {
	service, name string
	op            operation
}

// against measures two operations by turns with n tokens, and returns the ratio of their CPU.
func (r runner) against(ctx context.Context, what string, bound float64, n int, a, b side) ([]promise, error) {
	var meters []*meter
	for _, s := range []side{a, b} {
		w, err := wayNamed(s.service, s.name)
		if err != nil {
			return nil, err
		}
		k, err := w.open(ctx, world{folder: r.folder})
		if err != nil {
			return nil, err
		}
		defer func() { _ = k.end(nil) }() // The figures have been taken.
		if err := k.fill(ctx, newTokens(n)); err != nil {
			return nil, err
		}
		m, err := k.meter(ctx, s.op, n, r.round)
		if err != nil {
			return nil, err
		}
		meters = append(meters, m)
	}
	alike(meters)
	u, err := rounds(r.rounds, meters...)
	if err != nil {
		return nil, err
	}
	return []promise{{what: what, ours: duration(u[0].cpu), against: duration(u[1].cpu), ratio: float64(u[0].cpu) / float64(u[1].cpu), bound: bound}}, nil
}

// fullDocument is how many tokens one document of the index holds before the index grows, with some room.
const fullDocument = 650

func (r runner) findsInMemory(ctx context.Context) ([]promise, error) {
	return r.against(ctx, "find by refresh token in a full index document, warm, against a find by user; memory", 3, fullDocument,
		side{inMemory, ours, findRefresh}, side{inMemory, ours, findUser})
}

func (r runner) findsInSQLite(ctx context.Context) ([]promise, error) {
	return r.against(ctx, "find by user in SQLite, against a prepared statement", 3, r.tokens,
		side{inSQLite, ours, findUser}, side{inSQLite, "modernc.org/sqlite, prepared", findUser})
}

func (r runner) findsOnAWS(ctx context.Context) ([]promise, error) {
	return r.against(ctx, "find by user on AWS, against the SDK's client with the same decoding of JSON", 1.1, r.tokens,
		side{onAWS, ours, findUser}, side{onAWS, "SDK client, name known, decoded as here", findUser})
}

func (r runner) savesOfFile(ctx context.Context) ([]promise, error) {
	n := 10 * r.tokens
	path, err := sdks[1].filled(ctx, r.folder, n)
	if err != nil {
		return nil, err
	}
	w, err := wayNamed(inFile, ours)
	if err != nil {
		return nil, err
	}
	p := promise{what: fmt.Sprintf("save into a file of %s tokens, against the Python SDK", integer(n)), bound: 1.0 / 5}
	err = w.try(ctx, world{folder: r.folder}, n, func(k *keeper) error {
		m, err := k.meter(ctx, save, n, r.round)
		if err != nil {
			return err
		}
		var theirs []usage
		for range max(1, r.rounds/3) {
			if _, err := rounds(1, m); err != nil {
				return err
			}
			u, err := sdks[1].measure(ctx, path, save, n, r.round)
			if err != nil {
				return err
			}
			theirs = append(theirs, u)
		}
		a, b := median(m.usage, usage.ofCPU), median(theirs, usage.ofCPU)
		p.ours, p.against, p.ratio = duration(a), duration(b), float64(a)/float64(b)
		return nil
	})
	return []promise{p}, err
}

func (u usage) ofCPU() time.Duration { return u.cpu }

// lists compares simulated times, which are the same in each run.
func (r runner) lists(context.Context) ([]promise, error) {
	const rtt = 20 * time.Millisecond
	var all []promise
	for service, naive := range map[string]string{
		onAWS: "ListSecrets, GetSecretValue in a loop", onGCP: "ListSecrets, AccessSecretVersion in a loop", onVault: "list and get in a loop",
	} {
		var times []time.Duration
		for _, name := range []string{ours, naive} {
			w, err := wayNamed(service, name)
			if err != nil {
				return nil, err
			}
			costs, err := w.simulate(r.t, r.tokens, rtt)
			if err != nil {
				return nil, err
			}
			times = append(times, costs[list].times[0])
		}
		all = append(all, promise{
			what: fmt.Sprintf("list %s tokens on %s at 20 ms, how many times faster than a loop", integer(r.tokens), service),
			ours: duration(times[0]), against: duration(times[1]), ratio: float64(times[1]) / float64(times[0]), bound: 15, least: true,
		})
	}
	sortPromises(all)
	return all, nil
}

// remembered measures what a process keeps of the tokens that it has read, beside their storage.
func (r runner) remembered(ctx context.Context) ([]promise, error) {
	n := 100 * r.tokens
	service := memory.New().Batched()
	open := func() (*secretstore.Store, error) {
		return secretstore.New(service, secretstore.WithDocument(256), secretstore.WithoutAccessIndex())
	}
	if err := filledBy(ctx, open, n); err != nil {
		return nil, err
	}
	before := heap()
	reader, err := open()
	if err != nil {
		return nil, err
	}
	for _, err := range reader.Tokens(ctx) {
		if err != nil {
			return nil, err
		}
	}
	bytes := float64(heap() - before)
	runtime.KeepAlive(reader)
	return []promise{{
		what: fmt.Sprintf("bytes that a process remembers of each of %s tokens that it has read", integer(n)),
		ours: fmt.Sprintf("%.1f MB", bytes/1e6), against: "300 bytes each", ratio: bytes / float64(n) / 300, bound: 1,
	}}, nil
}

// filledBy stores n tokens, as another process does.
func filledBy(ctx context.Context, open func() (*secretstore.Store, error), n int) error {
	s, err := open()
	if err != nil {
		return err
	}
	_, err = s.SaveTokens(ctx, newTokens(n))
	return errors.Join(err, s.Close())
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // The first may leave what a finalizer holds.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(min(m.HeapAlloc, math.MaxInt64))
}

func (r runner) lambda(ctx context.Context) ([]promise, error) {
	store, bare, err := coldStarts(ctx, r.folder, 2*r.rounds)
	if err != nil {
		return nil, err
	}
	wall := func(s start) time.Duration { return s.wall }
	cpu := func(s start) time.Duration { return s.cpu }
	compare := func(what string, of func(start) time.Duration) promise {
		a, b := median(store.starts, of), median(bare.starts, of)
		return promise{what: what, ours: duration(a), against: duration(b), ratio: float64(a) / float64(b), bound: 1.1}
	}
	return []promise{
		{
			what: "size of a Lambda function, against one with the SDK's client alone",
			ours: fmt.Sprintf("%.1f MB", store.size), against: fmt.Sprintf("%.1f MB", bare.size), ratio: store.size / bare.size, bound: 1.1,
		},
		compare("its start to the first token", wall),
		compare("its CPU until then", cpu),
	}, nil
}

// sinceBefore compares with an earlier commit, built on this machine.
func (r runner) sinceBefore(ctx context.Context) ([]promise, error) {
	if r.before == "" {
		return nil, nil
	}
	tree := filepath.Join(r.folder, "before")
	if err := checkout(ctx, r.before, tree); err != nil {
		r.say("the ratios to an earlier commit are left out, since it cannot be read (a shallow clone has no history): %v", err)
		return nil, nil
	}
	old, err := builtFrom(ctx, tree, filepath.Join(r.folder, "old"))
	if err != nil {
		return nil, err
	}
	now, err := builtFrom(ctx, "..", filepath.Join(r.folder, "now"))
	if err != nil {
		return nil, err
	}
	finds, err := r.findsSince(ctx, now, old)
	if err != nil {
		return nil, err
	}
	imports, err := r.importsSince(ctx, now, old)
	if err != nil {
		return nil, err
	}
	sizes := make([]float64, 0, 2)
	for _, e := range []edition{now, old} {
		size, err := megabytes(e.command)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, size)
	}
	return append(finds, imports, promise{
		what: "size of the command, against before", ours: fmt.Sprintf("%.1f MB", sizes[0]), against: fmt.Sprintf("%.1f MB", sizes[1]),
		ratio: sizes[0] / sizes[1], bound: 1,
	}), nil
}

// findsSince runs the engine's own benchmark of a find by user.
func (r runner) findsSince(ctx context.Context, now, old edition) ([]promise, error) {
	var finds [2][]find
	for range r.rounds {
		for i, e := range []edition{now, old} {
			f, err := e.find(ctx)
			if err != nil {
				return nil, err
			}
			finds[i] = append(finds[i], f)
		}
	}
	cpu := func(f find) time.Duration { return f.cpu }
	a, b := median(finds[0], cpu), median(finds[1], cpu)
	allocs := median(finds[0], func(f find) float64 { return f.allocs })
	before := median(finds[1], func(f find) float64 { return f.allocs })
	return []promise{
		{
			what: "find by user over memory, against before", ours: duration(a), against: duration(b),
			ratio: float64(a) / float64(b), bound: 1.0 / 3,
		},
		{
			what: "its allocations, 40 at most", ours: fmt.Sprintf("%.0f", allocs), against: fmt.Sprintf("%.0f before", before),
			ratio: allocs / 40, bound: 1,
		},
	}, nil
}

func (r runner) importsSince(ctx context.Context, now, old edition) (promise, error) {
	n := 10 * r.tokens
	file, err := sdks[1].filled(ctx, r.folder, n)
	if err != nil {
		return promise{}, err
	}
	var took [2][]time.Duration
	for range max(1, r.rounds/4) {
		for i, e := range []edition{now, old} {
			cpu, err := e.importing(ctx, file)
			if err != nil {
				return promise{}, err
			}
			took[i] = append(took[i], cpu)
		}
	}
	same := func(d time.Duration) time.Duration { return d }
	a, b := median(took[0], same), median(took[1], same)
	return promise{
		what: fmt.Sprintf("import of %s rows into SQLite, against before", integer(n)),
		ours: duration(a), against: duration(b), ratio: float64(a) / float64(b), bound: 0.25,
	}, nil
}
