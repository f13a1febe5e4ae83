package storedforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/backup"
	"filippo.io/age"
)

// The files of a backup: plain, and encrypted to a recipient and with a passphrase.
const (
	plainBackup      = "backup.jsonl"
	recipientBackup  = "backup-recipient.age"
	passphraseBackup = "backup-passphrase.age"
	backupKey        = "backup-key.txt"
	backupPassphrase = "a passphrase of the tests"
)

// backedUp is what is in the backups.
func backedUp() (all []tokenstore.OAuthToken) {
	for i, token := range []tokenstore.OAuthToken{
		full("amelia@zylker.example:1", "one"),
		full("学院@zylker.example:3", "wide"),
		{AccessToken: "1000.fake-access-few"},
		full("line\nbreak", "line"),
	} {
		token.ID = fmt.Sprint("A given/ID… ", i)
		all = append(all, token)
	}
	return all
}

// writeBackup writes a backup of these tokens as this release does.
func writeBackup(t *testing.T, to io.Writer) {
	t.Helper()
	w, err := backup.NewWriter(to, backup.Header{Store: "vault", Time: clock})
	for _, token := range backedUp() {
		if err == nil {
			err = w.Add(token)
		}
	}
	if err = errors.Join(err, w.End(1)); err != nil {
		t.Fatal(err)
	}
}

// writeBackups makes the fixtures of a release.
func writeBackups(t *testing.T, folder string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	writeBackup(t, &plain)
	var want []map[string]string
	for _, token := range backedUp() {
		want = append(want, texts(token))
	}
	tokens, err := json.MarshalIndent(want, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{plainBackup: plain.Bytes(), backupKey: []byte("# This key was made for the tests, and opens nothing else.\n" + identity.String() + "\n"), plainBackup + expectation: append(tokens, '\n')}
	for name, lock := range map[string]backup.Lock{
		recipientBackup:  {Recipients: []age.Recipient{identity.Recipient()}},
		passphraseBackup: {Passphrase: backupPassphrase, Work: 10},
	} {
		var file bytes.Buffer
		w, err := lock.Encrypt(&file)
		if err == nil {
			_, err = w.Write(plain.Bytes())
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		files[name] = file.Bytes()
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadBackups reads the backups of every release.
func TestReadBackups(t *testing.T) {
	for _, release := range releases(t) {
		folder := filepath.Join("testdata", release)
		key, err := os.ReadFile(filepath.Join(folder, backupKey))
		if errors.Is(err, os.ErrNotExist) && release != "v1" {
			continue // Its backups have the form of the release before.
		}
		if err != nil {
			t.Fatal(err)
		}
		identities, err := backup.ParseIdentities(bytes.NewReader(key))
		if err != nil {
			t.Fatal(err)
		}
		want := expected(t, filepath.Join(folder, plainBackup))
		for _, name := range []string{plainBackup, recipientBackup, passphraseBackup} {
			data, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			b, err := backup.Open(t.Context(), func() (io.Reader, error) { return bytes.NewReader(data), nil },
				&backup.Key{Identities: identities, Passphrase: func() (string, error) { return backupPassphrase, nil }})
			if err != nil {
				t.Fatalf("%s/%s: %v", release, name, err)
			}
			n := 0
			for token, err := range b.Tokens(t.Context()) {
				if err != nil || n == len(want) || !maps.Equal(texts(token), want[n]) {
					t.Fatalf("%s/%s: token %d is another, %v", release, name, n, err)
				}
				n++
			}
			if n != len(want) || b.Count != n || b.Unreadable != 1 || b.Store != "vault" || !b.Time.Equal(clock) {
				t.Errorf("%s/%s: %+v", release, name, b)
			}
			if strings.Contains(string(data), "fake") != (name == plainBackup) {
				t.Errorf("%s/%s: a credential can be read: %v", release, name, name != plainBackup)
			}
		}
	}
}

// TestWriteBackup compares what this release writes with the newest fixture.
func TestWriteBackup(t *testing.T) {
	var got bytes.Buffer
	writeBackup(t, &got)
	var want []byte
	for _, release := range releases(t) {
		if data, err := os.ReadFile(filepath.Join("testdata", release, plainBackup)); err == nil {
			want = data
		}
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("this release writes another form. If it is meant to, write its fixtures with -update and a new name.\n%s", got.String())
	}
}
