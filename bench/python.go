// The Python SDK's own stores, measured by Python itself.

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// EnvPython names the Python that has the SDK, as for the integration tests; ci/servers/sdk.sh installs it.
const EnvPython = "TOKENSTORE_TEST_ZOHO_PYTHON"

var errNoPython = errors.New("the Zoho SDK for Python is not at hand; run ci/servers/sdk.sh go run -C bench . to compare with it")

//go:embed sdk.py
var sdkScript string

// sdk asks Python to measure a store that is filled with n tokens.
type sdk struct {
	service string // whose file it reads: SQLite's or the token file
	name    string
	store   string
	ops     map[operation]string
}

var sdks = []sdk{
	{inSQLite, "Python, the SDK's sample", "sqlite", map[operation]string{findUser: "find", save: "save"}},
	{inFile, "Python SDK", "file", map[operation]string{findUser: "find", save: "save", list: "list"}},
}

// filled returns the path of a new file with n tokens, which this library writes.
func (s sdk) filled(ctx context.Context, folder string, n int) (string, error) {
	open, name := openFile, "tokens.txt"
	if s.service == inSQLite {
		open, name = openSQLite, "tokens.db"
	}
	folder, err := os.MkdirTemp(folder, "python")
	if err != nil {
		return "", err
	}
	k, err := open(ctx, world{folder: folder})
	if err == nil {
		err = k.end(k.fill(ctx, newTokens(n)))
	}
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(folder, "*", name))
	if err != nil || len(found) != 1 {
		return "", errors.Join(err, fmt.Errorf("%d files were written, want one", len(found)))
	}
	return found[0], nil
}

// measure returns what an operation on the file costs Python.
func (s sdk) measure(ctx context.Context, path string, op operation, n int, round time.Duration) (usage, error) {
	python := os.Getenv(EnvPython)
	if python == "" {
		return usage{}, errNoPython
	}
	users := make([]string, 0, different)
	for i := range different {
		users = append(users, newToken(pick(i, n)).UserName)
	}
	request, err := json.Marshal(map[string]any{"store": s.store, "path": path, "users": users, "op": s.ops[op], "seconds": round.Seconds()})
	if err != nil {
		return usage{}, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", sdkScript) //nolint:gosec // The user names the Python.
	cmd.Stdin = bytes.NewReader(request)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Dir = filepath.Dir(path) // The SDK leaves a log where it runs.
	out, err := cmd.Output()
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", s.name, err, stderr.Bytes())
	}
	var seconds struct{ CPU, Wall float64 }
	if err := json.Unmarshal(out, &seconds); err != nil {
		return usage{}, err
	}
	second := float64(time.Second)
	return usage{cpu: time.Duration(seconds.CPU * second), wall: time.Duration(seconds.Wall * second), allocs: -1, bytes: -1}, nil
}
