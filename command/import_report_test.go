package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// TestImportOfSomeUsers moves the rows of users that match, and counts the others.
func TestImportOfSomeUsers(t *testing.T) {
	from := "file:" + fixture(t, pythonFile)
	to := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	if code, _, errs := try(t, "", "import", from, "--to", to, "--user", "*@nowhere:*"); code != exitNotFound || !strings.Contains(errs, "has a user that is selected") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	code, out, errs := try(t, "", "copy", from, "--to", to, "--user", "*@zylker.com:*")
	if code != exitOK || !strings.Contains(out, "1 row: 1 created") || !strings.Contains(out, "4 rows of other users not imported") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if _, out, _ := try(t, "", "list", to); strings.Count(out, "\n") != 2 || !strings.Contains(out, "amelia") {
		t.Errorf("it holds\n%s", out)
	}
}

// TestImportKeepsItsReport in a new file, which says what the screen says.
func TestImportKeepsItsReport(t *testing.T) {
	from := "file:" + fixture(t, pythonFile)
	dir := t.TempDir()
	for _, flags := range [][]string{nil, {"--json"}} {
		path := filepath.Join(dir, fmt.Sprint("report", len(flags)))
		args := append([]string{"import", from, "--to", "sqlite:" + filepath.Join(t.TempDir(), "tokens.db"), "--report", path}, flags...)
		code, out, errs := try(t, "", args...)
		kept, err := os.ReadFile(path)
		if code != exitOK || err != nil || string(kept) != out || out == "" {
			t.Errorf("%v: exit code %d, %v\n%s%s\n%s", flags, code, err, out, errs, kept)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if code, out, errs := try(t, "", args...); code != exitUsage || out != "" || !strings.Contains(errs, "a report overwrites nothing") {
			t.Errorf("again: exit code %d\n%s%s", code, out, errs)
		}
	}
	if code, out, errs := try(t, "", "import", from, "--to", "memory:", "--report", filepath.Join(dir, "none", "x")); code != exitUsage || out != "" || strings.Contains(errs, dir) {
		t.Errorf("in no folder: exit code %d\n%s%s", code, out, errs)
	}
	if code, _, _ := try(t, "", "import", "memory:", "--to", "memory:", "--report", filepath.Join(dir, "nothing")); code != exitNotFound {
		t.Errorf("of nothing: exit code %d", code)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("there are %v, %v", files, err)
	}
}

// cutOff is a store whose second batch of saves is interrupted.
type cutOff struct {
	*secretstore.Store
	batches   int
	interrupt func()
}

func (s *cutOff) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	if s.batches++; s.batches == 2 {
		s.interrupt()
	}
	return s.Store.SaveTokens(ctx, tokens)
}

// TestAnImportThatIsInterrupted is JSON, on the screen and in the file, says what was done, and
// is finished by another run.
func TestAnImportThatIsInterrupted(t *testing.T) {
	const n = 1100 // More than a batch.
	var lines strings.Builder
	lines.WriteString("id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n")
	for i := range n {
		fmt.Fprintf(&lines, "%d,u%d,CLIENTAAAA,cs-fake,fake-refresh%d,fake-access%d,,,,\n", i+1, i+1, i+1, i+1)
	}
	from := source(t, "tokens.txt", lines.String())
	ctx, cancel := context.WithCancel(t.Context())
	at, _ := kept(t, func(s *secretstore.Store) tokenstore.OpenStore { return &cutOff{Store: s, interrupt: cancel} })
	type report struct {
		Rows []struct {
			Outcome string
		}
		NotWritten int `json:"not_written"`
		Finished   bool
	}
	kept := filepath.Join(t.TempDir(), "report.json")
	var out, errs bytes.Buffer
	code := run(ctx, []string{"import", from, "--to", at, "--json", "--report", kept}, strings.NewReader(""), &out, &errs)
	var first report
	if err := json.Unmarshal(out.Bytes(), &first); err != nil || code != exitFault || !strings.Contains(errs.String(), `"message": "interrupted"`) {
		t.Fatalf("exit code %d, %v\n%.300s\n%s", code, err, out.String(), errs.String())
	}
	if file, err := os.ReadFile(kept); err != nil || !bytes.Equal(file, out.Bytes()) {
		t.Errorf("the file says something else: %v", err)
	}
	outcomes := map[string]int{}
	for _, row := range first.Rows {
		outcomes[row.Outcome]++
	}
	if first.Finished || outcomes["created"] < 1000 || first.NotWritten == 0 || outcomes["created"]+first.NotWritten != n {
		t.Errorf("%v, %d not written, finished: %v", outcomes, first.NotWritten, first.Finished)
	}
	code, again, stderr := try(t, "", "import", from, "--to", at, "--json")
	var second report
	if err := json.Unmarshal([]byte(again), &second); err != nil || code != exitOK || !second.Finished || second.NotWritten != 0 || len(second.Rows) != n {
		t.Errorf("again: exit code %d, %v, finished: %v\n%s", code, err, second.Finished, stderr)
	}
}
