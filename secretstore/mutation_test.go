package secretstore_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// planted are all faults.
var planted = slices.Concat(mutations, accessMutations, swapMutations, sourceMutations, awsMutations)

// TestMutations plants one fault after another, and expects a suite to find it. It takes
// minutes and runs only if TOKENSTORE_MUTATIONS is set: with those of the index and of the
// six methods or, if it is "all", with every fault. They are planted in a copy that only
// the compiler sees.
func TestMutations(t *testing.T) {
	which := mutations
	switch os.Getenv("TOKENSTORE_MUTATIONS") {
	case "":
		t.Skip("TOKENSTORE_MUTATIONS is not set")
	case "all":
		which = planted
	}
	if len(which) < 20 {
		t.Errorf("only %d faults are planted", len(which))
	}
	slots := make(chan struct{}, 2) // The suites keep a core busy each.
	for _, m := range which {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			m.run(t)
		})
	}
}

// TestMutationsFit checks that the table fits the source: every fault can be planted.
// TestMutations checks that a suite finds it.
func TestMutationsFit(t *testing.T) {
	for _, m := range planted {
		t.Run(m.name, func(t *testing.T) { m.plant(t) })
	}
}

// run plants the fault and expects a failure of the tests that are to find it.
func (m mutation) run(t *testing.T) {
	pkg, pattern, _ := strings.Cut(m.suite, " ")
	args := []string{"test", "-vet=off", "-ldflags=-w", "-count=1", "-failfast", "-timeout=10m", "-overlay=" + m.plant(t), "-run=" + pattern, pkg}
	if pkg == "./secretstore/enginetest" {
		args = append(args, "-rapid.nofailfile", "-rapid.shrinktime=0s")
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".." // the module's root
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TOKENSTORE_MUTATIONS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if m.long {
		cmd.Env = append(cmd.Env, "TOKENSTORE_LONG=1")
	}
	start := time.Now()
	output, err := cmd.CombinedOutput()
	t.Logf("%s: %.1f s, %.1f s of work", m.suite, time.Since(start).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	switch {
	case bytes.Contains(output, []byte("[build failed]")) || bytes.Contains(output, []byte("[setup failed]")):
		t.Errorf("it does not compile:\n%s", tail(output))
	case bytes.Contains(output, []byte("panic: test timed out")):
		t.Errorf("%s was not done in time:\n%s", m.suite, tail(output))
	case bytes.Contains(output, []byte("no tests to run")):
		t.Errorf("no test is named %s", pattern)
	case err == nil:
		t.Errorf("%s did not find it", m.suite)
	case !bytes.Contains(output, []byte("--- FAIL: ")):
		t.Errorf("no test has failed, but something else:\n%s", tail(output))
	}
}

// plant writes the file with the fault, and the overlay that puts it in place of
// the real one.
func (m mutation) plant(t *testing.T) (overlay string) {
	t.Helper()
	file := filepath.Join("..", filepath.FromSlash(m.file))
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s has the code to replace %d times, want once: update mutations_test.go", m.file, n)
	}
	real, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	planted := filepath.Join(folder, filepath.Base(real))
	if err := os.WriteFile(planted, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{real: planted}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

func tail(output []byte) string {
	return string(output[max(0, len(output)-2000):])
}
