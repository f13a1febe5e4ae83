package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/backup"
	"filippo.io/age"
)

const passphrase = "fake passphrase of the tests"

// some are tokens with and without every field, with what formats escape.
func some(n int) (tokens []tokenstore.OAuthToken) {
	for i := range n {
		tokens = append(tokens, tokenstore.OAuthToken{
			ID: fmt.Sprint("id-", i), UserName: fmt.Sprintf("学院 \"%d\"\n@zylker.example:1", i), RefreshToken: fmt.Sprint("1000.fake-refresh-", i),
			ClientID: "c", ClientSecret: `fake <secret> & \`, AccessToken: "fake", Expiry: time.UnixMilli(1_795_600_000_123).UTC(),
		})
	}
	return append(tokens, tokenstore.OAuthToken{ID: "few", GrantToken: "fake-grant"})
}

// written returns a backup.
func written(t testing.TB, lock backup.Lock, tokens []tokenstore.OAuthToken) []byte {
	t.Helper()
	var file bytes.Buffer
	var to io.WriteCloser = nopCloser{&file}
	if lock.Passphrase != "" || len(lock.Recipients) > 0 {
		encrypted, err := lock.Encrypt(&file)
		if err != nil {
			t.Fatal(err)
		}
		to = encrypted
	}
	w, err := backup.NewWriter(to, backup.Header{Store: "vault", Time: time.Date(2026, 11, 28, 21, 0, 0, 5, time.UTC)})
	for _, token := range tokens {
		if err == nil {
			err = w.Add(token)
		}
	}
	if err = errors.Join(err, w.End(2), to.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// read reads a backup as restore does.
func read(ctx context.Context, file []byte, key *backup.Key) (b *backup.Backup, tokens []tokenstore.OAuthToken, err error) {
	b, err = backup.Open(ctx, func() (io.Reader, error) { return bytes.NewReader(file), nil }, key)
	if err != nil {
		return nil, nil, err
	}
	for token, err := range b.Tokens(ctx) {
		if err != nil {
			return nil, nil, err
		}
		tokens = append(tokens, token)
	}
	return b, tokens, nil
}

// forms are the three forms of a backup, each with what opens it.
func forms(t testing.TB) map[string]struct {
	lock backup.Lock
	key  func() *backup.Key
} {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	never := func() (string, error) { return "", errors.New("asked for a passphrase") }
	return map[string]struct {
		lock backup.Lock
		key  func() *backup.Key
	}{
		"plain": {backup.Lock{}, func() *backup.Key { return &backup.Key{Passphrase: never} }},
		"recipients": {backup.Lock{Recipients: []age.Recipient{other.Recipient(), identity.Recipient()}}, func() *backup.Key {
			return &backup.Key{Identities: []age.Identity{identity}, Passphrase: never}
		}},
		"passphrase": {backup.Lock{Passphrase: passphrase, Work: 1}, func() *backup.Key {
			asked := 0
			return &backup.Key{Identities: []age.Identity{identity}, Passphrase: func() (string, error) {
				if asked++; asked > 1 {
					return "", errors.New("asked twice")
				}
				return passphrase, nil
			}}
		}},
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for name, form := range forms(t) {
		for _, n := range []int{0, 1, 700} { // The last takes several of age's chunks.
			want := some(n)
			file := written(t, form.lock, want)
			b, got, err := read(t.Context(), file, form.key())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if b.Store != "vault" || !b.Time.Equal(time.Date(2026, 11, 28, 21, 0, 0, 0, time.UTC)) || b.Count != len(want) || b.Unreadable != 2 {
				t.Errorf("%s: %+v", name, b)
			}
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("%s: token %d of %d is another", name, i, len(got))
				}
			}
			if strings.Contains(string(file), "fake") != (name == "plain") {
				t.Errorf("%s: a credential can be read: %v", name, name != "plain")
			}
		}
	}
}

// told reports whether an error is one of those that say what a file is or which key it
// wants.
func told(err error) bool {
	for _, known := range []error{backup.ErrDamaged, backup.ErrNotBackup, backup.ErrNeedsIdentity, backup.ErrWrongIdentity, backup.ErrWrongPassword} {
		if errors.Is(err, known) {
			return true
		}
	}
	return err != nil && strings.Contains(err.Error(), "a later one")
}

// TestACutIsSeen at every length.
func TestACutIsSeen(t *testing.T) {
	for name, form := range forms(t) {
		file := written(t, form.lock, some(2))
		key := form.key()
		for n := range file {
			if _, _, err := read(t.Context(), file[:n], key); !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("%s: %d of %d bytes: %v", name, n, len(file), err)
			}
			if n < 400 { // The key is not known before the header is whole.
				key = form.key()
			}
		}
		if _, _, err := read(t.Context(), append(bytes.Clone(file), '\n'), form.key()); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: a byte too many: %v", name, err)
		}
	}
}

// TestADamagedBitIsSeen wherever it is.
func TestADamagedBitIsSeen(t *testing.T) {
	for name, form := range forms(t) {
		file := written(t, form.lock, some(1))
		for i := range file {
			for bit := range 8 {
				if testing.Short() && bit != i%8 {
					continue
				}
				if name == "passphrase" && file[i] >= '0' && file[i] <= '9' && i < 64 {
					continue // It may be the work factor, and then takes hours.
				}
				damaged := bytes.Clone(file)
				damaged[i] ^= 1 << bit
				if _, _, err := read(t.Context(), damaged, form.key()); !told(err) || strings.Contains(err.Error(), "fake") {
					t.Errorf("%s: bit %d of byte %d: %v", name, bit, i, err)
				}
			}
		}
	}
}

// sealed puts lines and the last line that belongs to them together.
func sealed(lines ...string) []byte {
	text := strings.Join(lines, "\n") + "\n" + fmt.Sprintf(`{"end":true,"tokens":%d,"unreadable":0`, len(lines)-1)
	digest := sha256.Sum256([]byte(text))
	return []byte(text + `,"sha256":"` + hex.EncodeToString(digest[:]) + "\"}\n")
}

func TestWhatItIsNotIsSaid(t *testing.T) {
	all := forms(t)
	encrypted := func(text []byte) []byte {
		var file bytes.Buffer
		w, err := all["recipients"].lock.Encrypt(&file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	const first, token = `{"tokenstore_backup":1,"store":"vault","time":"2026-11-28T21:00:00Z","more":[1]}`, `{"id":"1","refresh_token":"fake"}`
	if b, tokens, err := read(t.Context(), sealed(first, token), &backup.Key{}); err != nil || b.Count != 1 || len(tokens) != 1 {
		t.Errorf("written by hand: %v", err) // Also with a field in the first line that it does not know.
	}
	wrong := func() (string, error) { return "fake wrong", nil }
	for name, c := range map[string]struct {
		file []byte
		key  *backup.Key
		says string
	}{
		"a token file":             {[]byte("id,user_name,client_id,client_secret,refresh_token\n1,u,c,s,fake\n"), nil, backup.ErrNotBackup.Error()},
		"a database":               {[]byte("SQLite format 3\x00"), nil, backup.ErrNotBackup.Error()},
		"another JSON":             {[]byte("{}\n"), nil, backup.ErrNotBackup.Error()},
		"something else encrypted": {encrypted([]byte("fake")), nil, backup.ErrNotBackup.Error()},
		"nothing":                  {nil, nil, backup.ErrDamaged.Error()},
		"nothing encrypted":        {encrypted(nil), nil, backup.ErrDamaged.Error()},
		"a token that is no JSON":  {sealed(first, "fake"), nil, backup.ErrDamaged.Error()},
		"a line without an end":    {append([]byte(first+"\n"), bytes.Repeat([]byte("fake"), 5<<20)...), nil, backup.ErrDamaged.Error()},
		"no version":               {sealed(`{"tokenstore_backup":0}`), nil, backup.ErrDamaged.Error()},
		"a newer version":          {sealed(`{"tokenstore_backup":2,"store":7}`, `fake`), nil, "format 2, and this release reads up to 1"},
		"no key":                   {written(t, all["recipients"].lock, some(1)), &backup.Key{}, "--identity"},
		"another key":              {written(t, all["recipients"].lock, some(1)), &backup.Key{Identities: []age.Identity{stranger}}, backup.ErrWrongIdentity.Error()},
		"a passphrase":             {written(t, all["passphrase"].lock, some(1)), &backup.Key{Passphrase: wrong}, backup.ErrWrongPassword.Error()},
	} {
		key := c.key
		if key == nil {
			key = all["recipients"].key()
		}
		if _, _, err := read(t.Context(), c.file, key); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "fake") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAFaultOfTheFileIsNoDamage: somebody would throw the backup away.
func TestAFaultOfTheFileIsNoDamage(t *testing.T) {
	fault := errors.New("input/output error")
	for name, form := range forms(t) {
		file := written(t, form.lock, some(500))
		for _, n := range []int{0, 3, 100, len(file) / 2, len(file) - 1} {
			open := func() (io.Reader, error) {
				return io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(fault)), nil
			}
			if _, err := backup.Open(t.Context(), open, form.key()); !errors.Is(err, fault) || errors.Is(err, backup.ErrDamaged) {
				t.Errorf("%s: after %d bytes: %v", name, n, err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := read(ended, file, form.key()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the context has ended: %v", name, err)
		}
	}
}

// TestASpoolIsReadAgainAndAgain, and shows nothing to others.
func TestASpoolIsReadAgainAndAgain(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	want := some(700)
	open, remove, err := backup.Spool(t.Context(), bytes.NewReader(written(t, backup.Lock{}, want)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := backup.Open(t.Context(), open, &backup.Key{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n := 0
		for token, err := range b.Tokens(t.Context()) {
			if err != nil || token != want[n] {
				t.Fatal(n, err)
			}
			n++
		}
		if n != len(want) {
			t.Errorf("%d tokens", n)
		}
	}
	hasNo(t, folder, "fake")
	remove()
	empty(t, folder)
}
