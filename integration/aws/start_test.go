package aws

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/tokenstore/integration/internal/need"
)

// TestStart compares a function that finds a token with one that reads the secret with
// the bare client: the size of the program, and the time from its start to its first
// answer, the median of alternating runs. The times depend on the machine and are only
// printed.
func TestStart(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds two programs")
	}
	w, prefix := newWorld(t), need.Prefix(t)
	store, err := w.store(prefix)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(t.Context(), fakeToken("ada"))
	if err != nil {
		t.Fatal(err)
	}
	programs := []string{"store", "bare"}
	size, times := map[string]int64{}, map[string][]int{}
	dir := t.TempDir()
	for _, name := range programs {
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", filepath.Join(dir, name), "./start/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size[name] = info.Size()
	}
	for range 15 {
		for _, name := range programs {
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name))
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=eu-central-1",
				"AWS_ENDPOINT_URL="+need.AWS(t), "TOKEN_PREFIX="+prefix, "TOKEN_USER=ada", "TOKEN_SECRET="+prefix+"tokens/"+saved.ID)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			took, err := strconv.Atoi(strings.TrimSpace(string(out)))
			if err != nil {
				t.Fatal(err)
			}
			times[name] = append(times[name], took)
		}
	}
	median := func(name string) int {
		slices.Sort(times[name])
		return times[name][len(times[name])/2]
	}
	ratio := float64(size["store"]) / float64(size["bare"])
	t.Logf("size: %d and %d bytes, %.3f times; start to first answer: %d and %d µs, %.3f times",
		size["store"], size["bare"], ratio, median("store"), median("bare"), float64(median("store"))/float64(median("bare")))
	if ratio > 1.1 {
		t.Errorf("the program is %.2f times as large", ratio)
	}
}
