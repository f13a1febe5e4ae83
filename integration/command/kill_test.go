package command

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
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

const (
	// kills is how often the import is killed.
	kills = 10
	// moment bounds how long after its progress was seen.
	moment = 5 * time.Millisecond
)

// TestImportKilled imports hundreds of tokens, and kills the command again and again, at a
// random moment after each tenth of them. Run again, it comes to the same end: each token
// once, found by every key, and the same. The long run does so on every kind of store that a
// process of its own can open.
func TestImportKilled(t *testing.T) {
	program := need.Command(t)
	rows := map[string]int{"localstack": 200, "vault": 800}
	if long() {
		// The secret managers' writes a second decide how many there can be.
		for name, n := range map[string]int{"file": 2000, "sqlite": 2000, "mysql": 2000, "gcp-in-memory": 100, "aws-in-memory": 400} {
			rows[name] = n
		}
	}
	for _, p := range places {
		n := rows[p.name]
		if n == 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			to := p.open(t)
			source := "file:" + tokenFile(t, n)
			killed := 0
			for i := range kills {
				if kill(t, i*n/kills, program, "import", source, "--to", to) {
					killed++
				}
			}
			if killed < 3 { // On a fast machine the last ones come too late.
				t.Errorf("it was killed %d times of %d", killed, kills)
			}
			for _, again := range []bool{false, true} {
				out := output(t, program, "import", source, "--to", to)
				summary := out[strings.LastIndex(strings.TrimSpace(out), "\n\n")+2:]
				if !strings.HasPrefix(summary, fmt.Sprintf("%d rows: ", n)) || strings.Contains(summary, "left to decide") || strings.Contains(summary, "refused") ||
					!strings.Contains(summary, fmt.Sprintf("%d finds by every key of every token: %d as moved, 0 not", 4*n, 4*n)) {
					t.Errorf("after %d kills the import prints\n%s", killed, summary)
				}
				t.Logf("after %d kills: %s", killed, summary)
				if again && !strings.Contains(summary, fmt.Sprintf("%d already there", n)) {
					t.Errorf("run again, it prints\n%s", summary)
				}
			}
			checkUsers(t, output(t, program, "list", "--json", to), n)
			if out := output(t, program, "compare", source, to); out != fmt.Sprintf("%d same\n", n) {
				t.Errorf("compare prints\n%s", out)
			}
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

// kill runs the command, and kills it at a random moment after it has said that so many
// rows are done. It reports whether that was before its end.
func kill(t *testing.T, done int, program string, arguments ...string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, arguments...) // #nosec G204 -- built by the test.
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(progress)
	for at := -1; at < done && done > 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "importing: %d", &at)
	}
	time.Sleep(time.Duration(rand.Int64N(int64(moment)))) // #nosec G404 -- a moment, not a secret.
	_ = cmd.Process.Kill()                                // It may have ended this moment.
	_, _ = io.Copy(io.Discard, progress)
	return cmd.Wait() != nil
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
