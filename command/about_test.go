package command

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestVersionVerb(t *testing.T) {
	if code, out, _ := try(t, "", "version"); code != exitOK || !strings.HasPrefix(out, "tokenstore ") || !strings.Contains(out, "\n  sqlite:\n") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	code, out, _ := try(t, "", "version", "--json")
	var v struct {
		Name, Version, Go string
		Schemes           []string
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitOK || v.Name != "tokenstore" || v.Version == "" || v.Go == "" || !slices.Contains(v.Schemes, "file") {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
	if code, _, errs := try(t, "", "version", "1000.fake-refresh"); code != exitUsage || !strings.Contains(errs, "want no arguments") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// TestCompletion: each shell has a script, the shells that are here accept theirs, and the
// help shows the verb.
func TestCompletion(t *testing.T) {
	if _, out, _ := try(t, "", "--help"); !strings.Contains(out, "\n  completion ") || !strings.Contains(out, "\n  version ") {
		t.Errorf("the help does not show them:\n%s", out)
	}
	for _, s := range shells {
		code, out, errs := try(t, "", "completion", s.name)
		if code != exitOK || !strings.Contains(out, "tokenstore") || errs != "" {
			t.Errorf("%s: exit code %d\n%s", s.name, code, errs)
		}
		path, err := exec.LookPath(s.name)
		if err != nil || s.name == "powershell" {
			continue
		}
		check := exec.CommandContext(t.Context(), path, "-n") // #nosec G204 -- a shell that only reads.
		check.Stdin = strings.NewReader(out)
		if said, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not accept its script: %v\n%s", s.name, err, said)
		}
	}
	if code, out, errs := try(t, "", "completion", "fake-refresh"); code != exitUsage || out != "" || !strings.Contains(errs, "the shells are bash, zsh, fish and powershell") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, _ := try(t, "", "__complete", "completion", ""); code != exitOK || !strings.Contains(out, "fish") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, _ := try(t, "", "__complete", "del"); code != exitOK || !strings.Contains(out, "delete-all") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
