package filestore_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tokenstore/filestore"
)

const (
	accessList  = "system.posix_acl_access"
	defaultList = "system.posix_acl_default"
)

// list is a POSIX access control list: rw- for the owner, r-- for the user
// 12345, nothing for the group and others, and a mask.
func list(mask uint16) []byte {
	const nobody = ^uint32(0)
	data := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, rights uint16
		id          uint32
	}{{1, 6, nobody}, {2, 4, 12345}, {4, 0, nobody}, {16, mask, nobody}, {32, 0, nobody}} {
		data = binary.LittleEndian.AppendUint16(data, e.tag)
		data = binary.LittleEndian.AppendUint16(data, e.rights)
		data = binary.LittleEndian.AppendUint32(data, e.id)
	}
	return data
}

func setList(t *testing.T, path, name string, data []byte) {
	t.Helper()
	if err := unix.Setxattr(path, name, data, 0); errors.Is(err, unix.ENOTSUP) {
		t.Skip("no access control lists here")
	} else if err != nil {
		t.Fatal(err)
	}
}

// listOf returns the access control list of a file; empty: it has none.
func listOf(t *testing.T, path string) string {
	t.Helper()
	data := make([]byte, 1000)
	n, err := unix.Getxattr(path, accessList, data)
	if errors.Is(err, unix.ENODATA) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data[:n])
}

// TestAccessListStays: without its list, the mode of a file means something
// else: the group's rights instead of the mask.
func TestAccessListStays(t *testing.T) {
	store, path := opened(t, "java.txt")
	setList(t, path, accessList, list(4))
	want := listOf(t, path)
	save(t, store, fake)
	if got := listOf(t, path); got != want || want == "" {
		t.Errorf("the list is %x, was %x", got, want)
	}
	if mode := modeOf(t, path); mode != 0o640 {
		t.Errorf("mode %o, was 640", mode)
	}
	if err := store.DeleteTokens(t.Context()); err != nil { // It writes the last ID.
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".last-id"} {
		if got := listOf(t, name); got != want {
			t.Errorf("%s has the list %x, want %x", filepath.Base(name), got, want)
		}
	}
}

// TestFoldersListGivesNoAccess: the list that a folder gives its new files is
// for a file that is new, not for one that is replaced.
func TestFoldersListGivesNoAccess(t *testing.T) {
	store, path := opened(t, "java.txt")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	setList(t, filepath.Dir(path), defaultList, list(7))
	save(t, store, fake)
	if got := listOf(t, path); got != "" {
		t.Errorf("the file has got the list %x", got)
	}
	if mode := modeOf(t, path); mode != 0o640 {
		t.Errorf("mode %o, was 640", mode)
	}
	fresh, err := filestore.Open(filepath.Join(filepath.Dir(path), "new.txt"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, fresh, fake)
	if mode := modeOf(t, filepath.Join(filepath.Dir(path), "new.txt")); mode != 0o600 {
		t.Errorf("a new file has mode %o", mode)
	}
}
