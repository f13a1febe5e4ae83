package command

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/integration/internal/need"
)

// kills is how often the import is killed.
const kills = 10

// TestImportKilled imports hundreds of tokens, and kills the command at random moments, so
// that it is cut off between two calls or within one. Run again, it comes to the same
// end: each token once, found by every key.
func TestImportKilled(t *testing.T) {
	program := need.Command(t)
	for name, n := range map[string]int{"localstack": 200, "vault": 400} {
		t.Run(name, func(t *testing.T) {
			to := servers[name](t)
			source := "file:" + tokenFile(t, n)
			random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) // #nosec G404 -- moments, not secrets.
			begun := time.Now()
			if out, err := exec.CommandContext(t.Context(), program, "import", source, "--to", to, "--dry-run").CombinedOutput(); err != nil { // #nosec G204 -- built by the test.
				t.Fatalf("%v\n%s", err, out)
			}
			overhead := time.Since(begun)
			killed := 0
			for range kills {
				// Each time it comes further; most of it is left for the last time.
				wait := overhead/2 + time.Duration(random.Int64N(int64(overhead)+int64(time.Duration(n)*6*time.Millisecond)))
				if kill(t, wait, program, "import", source, "--to", to) {
					killed++
				}
			}
			t.Logf("killed %d times; starting takes %v", killed, overhead.Round(time.Millisecond))
			if killed < kills/2 {
				t.Errorf("it was killed %d times of %d: the moments are too late", killed, kills)
			}
			for _, created := range []bool{true, false} {
				out := output(t, program, "import", source, "--to", to)
				summary := out[strings.LastIndex(strings.TrimSpace(out), "\n\n")+2:]
				if !strings.HasPrefix(summary, fmt.Sprintf("%d rows: ", n)) || strings.Contains(summary, "left to decide") || strings.Contains(summary, "refused") ||
					!strings.Contains(summary, fmt.Sprintf("%d finds by every key of every token: %d as moved, 0 not", 4*n, 4*n)) {
					t.Errorf("after %d kills the import prints\n%s", killed, summary)
				}
				if !created && !strings.Contains(summary, fmt.Sprintf("%d already there", n)) {
					t.Errorf("run again, it prints\n%s", summary)
				}
			}
			checkUsers(t, output(t, program, "list", "--json", to), n)
		})
	}
}

// tokenFile writes n tokens as the SDKs do, and returns its path.
func tokenFile(t *testing.T, n int) string {
	t.Helper()
	text := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n"
	for i := range n {
		text += fmt.Sprintf("%d,user-%04d,fake-client,fake-client-secret,fake-refresh-%d,fake-access-%d,,1763900000000,,\n", i+1, i, i, i)
	}
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kill runs the command, and kills it after a while. It reports whether that was before its
// end.
func kill(t *testing.T, after time.Duration, program string, arguments ...string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, arguments...) // #nosec G204 -- built by the test.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
		return false
	case <-time.After(after):
	}
	_ = cmd.Process.Kill() // It may have ended this moment.
	return <-ended != nil
}

// output runs the command and returns what it prints.
func output(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, arguments...) // #nosec G204 -- built by the test.
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", arguments[0], err, out, complaints.String())
	}
	t.Log(complaints.String())
	return string(out)
}

// checkUsers checks that a list has each user once.
func checkUsers(t *testing.T, list string, n int) {
	t.Helper()
	var all []struct {
		User string `json:"user_name"`
	}
	if err := json.Unmarshal([]byte(list), &all); err != nil {
		t.Fatal(err)
	}
	var users []string
	for _, token := range all {
		users = append(users, token.User)
	}
	slices.Sort(users)
	if len(users) != n || len(slices.Compact(users)) != n {
		t.Errorf("%d tokens of %d users are listed, want %d", len(all), len(slices.Compact(users)), n)
	}
}
