//go:build unix

// Package unprivileged lets tests of file permissions pass when they are started as
// root, to whom permissions do not apply.
package unprivileged

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Run does nothing unless the test runs as root. Then it runs the test again in a
// process of an unprivileged user, fails if that fails, and otherwise skips the rest
// of the test.
func Run(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tokenstore") //nolint:usetesting // The other user may not enter t.TempDir.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary := filepath.Join(dir, "test")                      // The other user may not be able to read the original.
	if err := os.WriteFile(binary, data, 0o755); err != nil { //nolint:gosec // The other user must run it.
		t.Fatal(err)
	}
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // The binary is this test.
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as another user: %v\n%s", err, out)
	}
	t.SkipNow()
}

// OpenFolder returns a new folder that every user may enter, unlike t.TempDir. It is
// removed at the end of the test.
func OpenFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tokenstore") //nolint:usetesting // The folder of a test is its owner's alone.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // That is what it is for.
		t.Fatal(err)
	}
	return dir
}
