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

// kills is how often an import is killed.
const kills = 10

// killed says for each place how many rows are imported, in an ordinary run (0: none) and in a
// long one, and how many writes of a service a new token takes at least; none for what is
// written by the program itself, or in one transaction.
var killed = map[string]struct{ rows, longRows, writes int }{
	"vault":         {200, 800, 3}, // a hint of each of two keys, and the token
	"localstack":    {100, 200, 1},
	"aws-in-memory": {0, 400, 1},
	"gcp-in-memory": {0, 100, 2}, // a secret, and its version
	"file":          {0, 2000, 0},
	"sqlite":        {0, 2000, 0},
	"mysql":         {0, 2000, 0},
}

// TestImportKilled imports hundreds of tokens, and kills the command again and again, at random
// points. Run again, it comes to the same end as one that was left alone: each token once,
// found by every key, and the same. The long run does so on every kind of store that a process
// of its own can open.
func TestImportKilled(t *testing.T) {
	program := need.Command(t)
	for _, p := range places {
		k := killed[p.name]
		n := k.rows
		if long() {
			n = k.longRows
		}
		if n == 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			source := "file:" + tokenFile(t, n)
			if k.writes == 0 {
				killAtMoments(t, p, program, source, n)
				return
			}
			want := checkImport(t, program, source, p.open(t), n)
			to := p.open(t)
			g := newGate(t, to)
			at := points(n * k.writes)
			for _, point := range at {
				g.kill(t, point, program, source, to)
			}
			t.Logf("killed at the writes %d", at)
			if got := checkImport(t, program, source, to, n); !slices.Equal(got, want) {
				t.Errorf("an import that was killed leads to\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// killAtMoments kills imports into a store that is written by the program itself, or in one
// transaction, at random moments of the time that one takes, until as many were hit as are
// wanted. Where one was not, its end is checked, and the next begins with a new store.
func killAtMoments(t *testing.T, p place, program, source string, n int) {
	t.Helper()
	to := p.open(t)
	began := time.Now()
	output(t, program, "import", source, "--to", to)
	took := time.Since(began)
	to = p.open(t)
	hit, tries := 0, 0
	for ; hit < kills && tries < 20*kills; tries++ {
		cmd := exec.CommandContext(t.Context(), program, "import", source, "--to", to) // #nosec G204 -- built by the test.
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(took)))) // #nosec G404 -- a moment, not a secret.
		_ = cmd.Process.Kill()                              // It may have ended.
		switch err := cmd.Wait(); {
		case wasKilled(err):
			hit++
		case err != nil:
			t.Fatalf("after %d kills the import fails: %v", hit, err)
		default:
			checkImport(t, program, source, to, n)
			to = p.open(t)
		}
	}
	if hit < kills {
		t.Errorf("of %d kills, %d came before the import's end, want %d", tries, hit, kills)
	}
	t.Logf("%d of %d kills came before the import's end", hit, tries)
	checkImport(t, program, source, to, n)
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

// checkImport imports n rows, and once more, and checks the end that it comes to. It returns
// the tokens that are there then.
func checkImport(t *testing.T, program, source, to string, n int) []string {
	t.Helper()
	for _, again := range []bool{false, true} {
		out := output(t, program, "import", source, "--to", to)
		summary := out[strings.LastIndex(strings.TrimSpace(out), "\n\n")+2:]
		if !strings.HasPrefix(summary, fmt.Sprintf("%d rows: ", n)) || strings.Contains(summary, "left to decide") || strings.Contains(summary, "refused") ||
			!strings.Contains(summary, fmt.Sprintf("%d finds by every key of every token: %d as moved, 0 not", 4*n, 4*n)) {
			t.Errorf("the import prints\n%s", summary)
		}
		if again && !strings.Contains(summary, fmt.Sprintf("%d already there", n)) {
			t.Errorf("run again, it prints\n%s", summary)
		}
	}
	if out := output(t, program, "compare", source, to); out != fmt.Sprintf("%d same\n", n) {
		t.Errorf("compare prints\n%s", out)
	}
	return listed(t, program, to, n)
}

// listed returns the ID and the user of each token of a store, sorted, and checks that there is
// one of each of n users.
func listed(t *testing.T, program, store string, n int) []string {
	t.Helper()
	var all []struct {
		ID   string `json:"id"`
		User string `json:"user_name"`
	}
	if err := json.Unmarshal([]byte(output(t, program, "list", "--json", store)), &all); err != nil {
		t.Fatal(err)
	}
	var users, tokens []string
	for _, token := range all {
		users, tokens = append(users, token.User), append(tokens, token.ID+" "+token.User)
	}
	slices.Sort(users)
	slices.Sort(tokens)
	if len(users) != n || len(slices.Compact(users)) != n {
		t.Errorf("%d tokens of %d users are listed, want %d", len(all), len(slices.Compact(users)), n)
	}
	return tokens
}
