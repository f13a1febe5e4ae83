// The program, small: everything runs, and what the pages say that does not depend on the machine is true.

package main

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// small is a runner that measures next to nothing.
func small(t *testing.T, pattern string) runner {
	return runner{
		t: t, pattern: regexp.MustCompile(pattern), tokens: 20, sizes: []int{10}, rounds: 1, round: 100 * time.Microsecond,
		folder: t.TempDir(), say: t.Logf,
	}
}

// published returns a section of a page.
func published(t *testing.T, path, name string) string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, content, _, err := section(string(page), name)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return strings.TrimSpace(content)
}

// same compares a section of a page with what is counted now.
func same(t *testing.T, path, name, now string) {
	t.Helper()
	if now = strings.TrimSpace(now); published(t, path, name) != now {
		t.Errorf("%s, section %s, is out of date; run make bench. It is\n%s", path, name, now)
	}
}

// TestPages compares calls, simulated times and dollars on the pages with what is counted now.
func TestPages(t *testing.T) {
	r := small(t, "")
	r.tokens = 1000
	counts, err := r.count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "../docs/benchmarks.md", "calls", callsSection(counts, r.tokens))
	same(t, "../docs/benchmarks.md", "cost", costSection(counts, r.tokens))
	same(t, "../README.md", "summary", readmeSection(counts, r.tokens))
}

// TestGrowth does so with the first columns of the tables by number of tokens.
func TestGrowth(t *testing.T) {
	r := small(t, "")
	r.sizes = []int{10, 100}
	var all []grown
	if err := r.grow(t.Context(), false, func(now []grown, _ []int) error { all = now; return nil }); err != nil {
		t.Fatal(err)
	}
	page := firstColumns(published(t, "../docs/benchmarks.md", "growth"), 2+len(r.sizes))
	if now := firstColumns(growthSection(all, r.sizes), 2+len(r.sizes)); page != now {
		t.Errorf("the tables by number of tokens are out of date; run make bench. They begin\n%s", now)
	}
}

// firstColumns returns the first columns of tables. Rows of which nothing is known there are left out.
func firstColumns(tables string, n int) string {
	var b strings.Builder
	for line := range strings.Lines(tables) {
		line = strings.TrimSpace(line)
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "|") && len(cells) > n {
			line = strings.Join(cells[:n+1], "|")
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSpace(b.String())
}

// TestEverything measures each way with few tokens, as the program does, and draws the plots.
func TestEverything(t *testing.T) {
	r := small(t, "")
	used, err := r.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := usageSection(used, r.tokens)
	for _, w := range r.chosen() {
		if name := strong(withTokens(w.name, w.stored(r.tokens), r.tokens), w.ours); !strings.Contains(text, name) && !strings.Contains(w.name, "with a token source") {
			t.Errorf("%v was not measured", w)
		}
	}
	var all []grown
	if err := r.grow(t.Context(), true, func(now []grown, _ []int) error { all = now; return nil }); err != nil {
		t.Fatal(err)
	}
	for name, p := range plots(all, r.sizes) {
		if len(p.Lines) < 3 {
			t.Errorf("%s has %d lines", name, len(p.Lines))
		}
		if _, err := os.Stat("../docs/benchmarks/" + name); err != nil {
			t.Errorf("%v; run make bench", err)
		}
	}
}

// TestPromises measures the ratios that need no other program, with few tokens. How large they are depends on the
// machine, but not those of the simulation.
func TestPromises(t *testing.T) {
	r := small(t, "")
	for name, measure := range map[string]func() ([]promise, error){
		"memory": func() ([]promise, error) { return r.findsInMemory(t.Context()) },
		"SQLite": func() ([]promise, error) { return r.findsInSQLite(t.Context()) },
		"AWS":    func() ([]promise, error) { return r.findsOnAWS(t.Context()) },
		"file":   func() ([]promise, error) { return r.savesOfFile(t.Context()) },
		"heap":   func() ([]promise, error) { return r.remembered(t.Context()) },
	} {
		all, err := measure()
		if errors.Is(err, errNoPython) {
			continue
		}
		if err != nil || len(all) != 1 || !(all[0].ratio > 0) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
	r.tokens = 1000
	all, err := r.lists(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page := published(t, "../docs/benchmarks.md", "promises")
	for _, p := range all {
		if row := promiseSection([]promise{p}); !p.met() || !strings.Contains(page, row[strings.LastIndex(strings.TrimSpace(row), "\n")+1:]) {
			t.Errorf("the page lacks, or the promise is not met:\n%s", row)
		}
	}
}

// TestMet checks which ratios are within their bounds.
func TestMet(t *testing.T) {
	for _, c := range []struct {
		promise
		met bool
	}{
		{promise{ratio: 3, bound: 3}, true}, {promise{ratio: 3.1, bound: 3}, false},
		{promise{ratio: 15, bound: 15, least: true}, true}, {promise{ratio: 14.9, bound: 15, least: true}, false},
	} {
		if c.promise.met() != c.met {
			t.Errorf("%+v: %t", c.promise, !c.met)
		}
	}
}

// TestMost checks that a way that is said to hold few tokens cannot hold many.
func TestMost(t *testing.T) {
	for _, w := range ways() {
		if w.most == 0 {
			continue
		}
		all := func(*keeper) error { return nil }
		if err := w.try(t.Context(), world{}, w.most, all); err != nil {
			t.Errorf("%v does not hold %d tokens: %v", w, w.most, err)
		}
		if err := w.try(t.Context(), world{}, 10*w.most, all); err == nil {
			t.Errorf("%v holds %d tokens", w, 10*w.most)
		}
	}
}

// TestRewrite replaces one section and leaves the rest of a page alone.
func TestRewrite(t *testing.T) {
	path := t.TempDir() + "/page.md"
	const page = "a\n\n<!-- bench: x -->\nold\n<!-- end of bench: x -->\n\nb\n"
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := rewrite(path, map[string]string{"x": "new\n"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if want := "a\n\n<!-- bench: x -->\n\nnew\n\n<!-- end of bench: x -->\n\nb\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	if err := rewrite(path, map[string]string{"y": ""}); err == nil {
		t.Error("a page without the section was rewritten")
	}
}

// TestWords checks how figures are written.
func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 950 * time.Nanosecond: "950 ns", 1500 * time.Nanosecond: "1.5 µs", 20 * time.Millisecond: "20 ms", 300 * time.Millisecond: "300 ms",
		20200 * time.Millisecond: "20.2 s", 1010 * time.Second: "1,010 s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
	for v, want := range map[float64]string{0.4: "$0.40", 99.4: "$99.40", 454.2: "$454", 45420: "$45,420"} {
		if got := money(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
