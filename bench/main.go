// Command bench compares this library with what people do instead, and writes docs/benchmarks.md with its plots and
// the section of the README that shows figures. Run it in its folder:
//
//	ci/servers/sdk.sh go run -C bench .   # from the root, with the Python SDK to compare with
//	go run -C bench . -run 'AWS' -n 100   # only prints
//
// Calls, simulated times and bills are the same in each run, and a test compares them with the page. CPU depends on
// the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/bench/plot"
)

// beforeSpeed is the commit with which the promises compare: the state that they were made for, before any of the work
// on speed. Its engine is in the root package.
const beforeSpeed = "c45fa09204b96bf3234d3e76d4116459310b98a3"

func main() {
	run := flag.String("run", "", "compare only ways that match this `pattern`, such as AWS or 'SQLite|memory'; prints, and writes no page")
	tokens := flag.Int("n", 1000, "how many tokens are stored; other numbers than 1000 write no page")
	parts := flag.String("part", "", "only compute the parts that match this `pattern`: calls, usage, promises, growth")
	most := flag.Int("max", 100_000, "the most tokens of the plots; other numbers than 100000 write no page")
	times := flag.Int("rounds", 10, "how often each operation is measured; the page shows the medians")
	before := flag.String("before", beforeSpeed, "the `commit` to compare with, empty for none")
	docs := flag.String("docs", "../docs", "the `folder` of benchmarks.md; README.md is in the one above")
	flag.Parse()
	bench := func(t *testing.T) {
		ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
		defer stop()
		pattern, err := regexp.Compile(*run)
		if err != nil {
			t.Fatal(err)
		}
		part, err := regexp.Compile(*parts)
		if err != nil {
			t.Fatal(err)
		}
		r := runner{
			t: t, pattern: pattern, part: part, tokens: *tokens, sizes: sizesTo(*most), rounds: *times, round: 20 * time.Millisecond, folder: t.TempDir(), before: *before,
			say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
		}
		if err := r.everything(ctx, *docs, *run == "" && *tokens == 1000 && *most == 100_000); err != nil {
			t.Fatal(err)
		}
	}
	// Only a test may simulate time, so the program is one.
	testing.Main(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "bench", F: bench}}, nil, nil)
}

// sizesTo returns the powers of ten from 10.
func sizesTo(most int) []int {
	var sizes []int
	for n := 10; n <= most; n *= 10 {
		sizes = append(sizes, n)
	}
	return sizes
}

// everything computes all figures, prints them and, if all ways are among them, writes the pages.
func (r runner) everything(ctx context.Context, docs string, whole bool) error {
	page, readme := filepath.Join(docs, "benchmarks.md"), filepath.Join(docs, "..", "README.md")
	if _, err := os.Stat(page); err != nil {
		return fmt.Errorf("%w; run go run -C bench . from the root, or name the folder with -docs", err)
	}
	begun := time.Now()
	step := func(what string) { r.say("%4.0f s: %s", time.Since(begun).Seconds(), what) }
	show := func(path, name, content string) error {
		fmt.Println(content)
		if !whole {
			return nil
		}
		return rewrite(path, map[string]string{name: content})
	}
	if r.part.MatchString("calls") {
		step("counting calls and simulating time")
		counts, err := r.count(ctx)
		if err != nil {
			return err
		}
		err = errors.Join(show(page, "calls", callsSection(counts, r.tokens)), show(page, "cost", costSection(counts, r.tokens)),
			show(readme, "summary", readmeSection(counts, r.tokens)))
		if err != nil {
			return err
		}
	}
	if r.part.MatchString("usage") {
		step("measuring CPU")
		used, err := r.measure(ctx)
		if err != nil {
			return err
		}
		if err := show(page, "usage", usageSection(used, r.tokens)); err != nil {
			return err
		}
	}
	if whole && r.part.MatchString("promises") {
		step("measuring the promised ratios")
		kept, err := r.promises(ctx)
		if err != nil {
			return err
		}
		if err := show(page, "promises", promiseSection(kept)); err != nil {
			return err
		}
	}
	if r.part.MatchString("growth") {
		step(fmt.Sprintf("storing up to %s tokens", integer(slices.Max(r.sizes))))
		err := r.grow(ctx, true, func(all []grown, sizes []int) error {
			if len(sizes) == len(r.sizes) {
				fmt.Println(growthSection(all, sizes))
			}
			if !whole {
				return nil
			}
			step(integer(slices.Max(sizes)) + " tokens")
			return errors.Join(rewrite(page, map[string]string{"growth": growthSection(all, sizes)}), draw(filepath.Join(docs, "benchmarks"), plots(all, sizes)))
		})
		if err != nil {
			return err
		}
	}
	step("done")
	return nil
}

// draw writes the plots into a folder.
func draw(folder string, all map[string]plot.Plot) error {
	for name, p := range all {
		if err := os.WriteFile(filepath.Join(folder, name), p.SVG(), 0o644); err != nil { //nolint:gosec // A page is for everybody.
			return err
		}
	}
	return nil
}

// processor returns the name of the processor, where the system tells it.
func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "an unknown processor"
}
