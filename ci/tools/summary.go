// Summary reads the event files that `go test -json` has written, one for each
// stage of a run, and prints how many tests each stage ran. For the stages that
// -matrix names it also prints each top-level test with its count in each
// package, which shows at a glance which suite ran on which server.
//
//	go run . [-matrix STAGE,…] STAGE.json …
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// event is the part of an event of `go test -json` that is counted.
type event struct {
	Action  string
	Package string
	Test    string
}

// count is the number of tests, subtests included, that ended each way.
type count struct{ passed, failed, skipped int }

func (c *count) add(action string) {
	switch action {
	case "pass":
		c.passed++
	case "fail":
		c.failed++
	case "skip":
		c.skipped++
	}
}

// stage is what one event file says.
type stage struct {
	name     string
	total    count
	packages map[string]bool
	suites   map[string]map[string]*count // top-level test -> package -> count
	broken   []string                     // packages that failed without a failing test
}

func main() {
	matrix := flag.String("matrix", "", "stages, separated by commas, whose tests are shown for each package")
	flag.Parse()
	if err := run(strings.Split(*matrix, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(matrix, files []string) error {
	var stages []*stage
	for _, file := range files {
		s, err := read(file)
		if err != nil {
			return err
		}
		stages = append(stages, s)
	}
	printStages(stages)
	for _, s := range stages {
		if slices.Contains(matrix, s.name) {
			printMatrix(s)
		}
	}
	var all count
	for _, s := range stages {
		all.passed += s.total.passed
		all.failed += s.total.failed
		all.skipped += s.total.skipped
	}
	fmt.Printf("\ntests: %d passed, %d failed, %d skipped\n", all.passed, all.failed, all.skipped)
	return nil
}

func read(file string) (*stage, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	s := &stage{
		name:     strings.TrimSuffix(filepath.Base(file), ".json"),
		packages: map[string]bool{},
		suites:   map[string]map[string]*count{},
	}
	failed := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // a line of a build, not of a test
		}
		s.count(e, failed)
	}
	return s, lines.Err()
}

func (s *stage) count(e event, failed map[string]bool) {
	switch e.Action {
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		if e.Action == "fail" && !failed[e.Package] {
			s.broken = append(s.broken, e.Package)
		}
		return
	}
	if e.Action == "fail" {
		failed[e.Package] = true
	}
	s.packages[e.Package] = true
	s.total.add(e.Action)
	name, _, _ := strings.Cut(e.Test, "/")
	if s.suites[name] == nil {
		s.suites[name] = map[string]*count{}
	}
	if s.suites[name][e.Package] == nil {
		s.suites[name][e.Package] = &count{}
	}
	s.suites[name][e.Package].add(e.Action)
}

func printStages(stages []*stage) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "tests\tpackages\tpassed\tfailed\tskipped")
	for _, s := range stages {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", s.name, len(s.packages), s.total.passed, s.total.failed, s.total.skipped)
	}
	w.Flush()
	for _, s := range stages {
		for _, name := range s.broken {
			fmt.Printf("%s: package %s failed outside of its tests\n", s.name, name)
		}
	}
}

func printMatrix(s *stage) {
	packages := slices.Sorted(maps.Keys(s.packages))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s: suite", s.name)
	for _, name := range packages {
		fmt.Fprintf(w, "\t%s", path.Base(name))
	}
	fmt.Fprintln(w)
	for _, suite := range slices.Sorted(maps.Keys(s.suites)) {
		fmt.Fprint(w, suite)
		for _, name := range packages {
			fmt.Fprintf(w, "\t%s", s.suites[suite][name])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// String is the count in a cell of the matrix.
func (c *count) String() string {
	if c == nil {
		return "-"
	}
	text := fmt.Sprint(c.passed)
	if c.failed > 0 {
		text += fmt.Sprintf(", %d failed", c.failed)
	}
	if c.skipped > 0 {
		text += fmt.Sprintf(", %d skipped", c.skipped)
	}
	return text
}
