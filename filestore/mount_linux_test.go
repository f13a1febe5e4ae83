package filestore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// inNamespace runs the rest of a test in a process that may mount what nobody else sees.
// It skips the test where the system lets nobody do that; TestWhatHelpsIsSaid and
// TestInPlaceKeepsTheFile need no mount.
func inNamespace(t *testing.T) {
	t.Helper()
	const variable = "TOKENSTORE_TEST_NAMESPACE"
	if os.Getenv(variable) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), executable, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("no mounts of its own: %v", err)
	}
	if err != nil {
		t.Fatalf("in a namespace: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in a namespace it did not run:\n%s", out)
	}
	t.SkipNow()
}

// TestAFileThatIsMountedByItself mounts a file into a folder, as containers do.
func TestAFileThatIsMountedByItself(t *testing.T) {
	inNamespace(t)
	_, outside := opened(t, "python-sdk-8.0-filestore.txt")
	inside := filepath.Join(t.TempDir(), "mounted.txt")
	if err := os.WriteFile(inside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(outside, inside, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(inside, unix.MNT_DETACH) }()
	store, err := filestore.Open(inside)
	if err != nil {
		t.Fatal(err)
	}
	before := content(t, outside)
	_, saved := store.SaveToken(t.Context(), fake)
	if !errors.Is(saved, tokenstore.ErrDenied) || !strings.Contains(saved.Error(), "mounted by itself") || !strings.Contains(saved.Error(), "in_place=true") {
		t.Errorf("without the option: %v", saved)
	}
	if content(t, outside) != before {
		t.Error("a save that failed changed the file")
	}
	for _, name := range folder(t, inside) {
		if strings.Contains(name, ".tmp") {
			t.Errorf("left in the folder: %s", name)
		}
	}
	within, err := filestore.Open(inside, filestore.WithInPlace())
	if err != nil {
		t.Fatal(err)
	}
	without, err := filestore.Open(outside, filestore.WithInPlace())
	if err != nil {
		t.Fatal(err)
	}
	first := save(t, within, fake)
	second := save(t, without, tokenstore.OAuthToken{UserName: "other", AccessToken: "1000.fake-other"})
	for _, s := range []*filestore.Store{within, without} {
		tokens, err := s.GetTokens(t.Context())
		if err != nil || len(tokens) < 2 || tokens[len(tokens)-2] != first || tokens[len(tokens)-1] != second {
			t.Errorf("%v, %v", tokens, err)
		}
	}
}
