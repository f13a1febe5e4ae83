package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"filippo.io/age"
)

// typed runs the command with what is on standard input, with little work for a passphrase.
// It fails if a credential is shown, unless standard output is the backup.
func typed(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = Command{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, work: 2}.Run(t.Context(), args)
	shown := errs.String()
	if args[0] != "backup" {
		shown += out.String()
	}
	for _, credential := range []string{"fake", "CLIENTAAAA", "AGE-SECRET-KEY-"} {
		if strings.Contains(shown, credential) {
			t.Errorf("%v shows a credential:\n%s", args, shown)
		}
	}
	return code, out.String(), errs.String()
}

// keys makes a file with a private key and one with its public key, in the working folder.
func keys(t *testing.T) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	write(t, "key.txt", "# a key of the tests\n"+identity.String()+"\n")
	write(t, "recipients.txt", identity.Recipient().String()+"\n")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestABackupIsRestored(t *testing.T) {
	source := fixture(t, pythonFile)
	t.Chdir(t.TempDir())
	keys(t)
	write(t, "passphrase.txt", "fake passphrase\n")
	for name, c := range map[string]struct {
		lock, key []string
		encrypted string
	}{
		"recipient":       {[]string{"--recipient", strings.TrimSpace(contents(t, "recipients.txt"))}, []string{"--identity", "key.txt"}, "recipients"},
		"recipients file": {[]string{"--recipients-file", "recipients.txt"}, []string{"--identity", "key.txt"}, "recipients"},
		"passphrase":      {[]string{"--passphrase-file", "passphrase.txt"}, []string{"--passphrase-file", "passphrase.txt", "--identity", "key.txt"}, "passphrase"},
		"plain":           {[]string{"--plain", "--yes"}, nil, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			file, db := filepath.Join(at, "tokens.backup"), "sqlite:"+filepath.Join(at, "tokens.db")
			code, out, errs := typed(t, "", append([]string{"backup", "file:" + source, file, "--json"}, c.lock...)...)
			var report backupReport
			if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || report.Tokens != 5 || report.Encryption != c.encrypted || report.Unreadable == nil {
				t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			if strings.Contains(contents(t, file), "fake") != (name == "plain") {
				t.Error("the credentials can be read, or cannot")
			}
			// A dry run makes nothing; then it is restored, with its IDs; then it is there.
			for _, step := range []struct{ flag, says string }{{"--dry-run", "5 created (dry run"}, {"--json=false", "5 created\n"}, {"--json=false", "5 already there"}} {
				code, out, errs := typed(t, "", append([]string{"restore", file, db, step.flag}, c.key...)...)
				if code != exitOK || !strings.Contains(out, step.says) {
					t.Fatalf("%s: exit code %d\n%s%s", step.flag, code, out, errs)
				}
				if _, err := os.Stat(filepath.Join(at, "tokens.db")); (err == nil) == (step.flag == "--dry-run") {
					t.Errorf("%s: %v", step.flag, err)
				}
			}
			if code, out, _ := try(t, "", "compare", "file:"+source, db); code != exitOK || !strings.Contains(out, "5 same") {
				t.Errorf("exit code %d\n%s", code, out)
			}
			if code, out, _ := try(t, "", "get", db, "5"); code != exitOK || !strings.Contains(out, "学院@zylker.jp:7") {
				t.Errorf("it has another ID: exit code %d\n%s", code, out)
			}
			// The same from a pipe into a pipe.
			code, piped, errs := typed(t, "fake passphrase\n", append([]string{"backup", "file:" + source, "-"}, strings.Fields(strings.ReplaceAll(strings.Join(c.lock, " "), "passphrase.txt", "-"))...)...)
			if code != exitOK || !strings.Contains(errs, "5 tokens backed up") {
				t.Errorf("exit code %d\n%s", code, errs)
			}
			if code, out, errs := typed(t, piped, append([]string{"restore", "-", db}, c.key...)...); code != exitOK || !strings.Contains(out, "5 already there") {
				t.Errorf("exit code %d\n%s%s", code, out, errs)
			}
		})
	}
}

func TestRestoreOverwritesNothingUnasked(t *testing.T) {
	t.Chdir(t.TempDir())
	at, store := kept(t, nil, numbered("1", "2", "3")...)
	if code, _, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes"); code != exitOK {
		t.Fatal(errs)
	}
	if err := store.DeleteToken(t.Context(), "2"); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteToken(t.Context(), "3"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh-later"}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--user", "nobody"}, exitNotFound, "no token that --user and --client select"},
		{[]string{"--client", "none"}, exitNotFound, "no token that --user and --client select"},
		{[]string{"--user", "*2"}, exitOK, "1 row: 1 created"},
		{[]string{"--client", "CLIENTAAAA", "--dry-run"}, exitIncomplete, "3 rows: 1 created, 1 already there, 1 left to decide"},
		{nil, exitIncomplete, "3 rows: 1 created, 1 already there, 1 left to decide"},
		{[]string{"--update"}, exitIncomplete, "2 already there, 1 left to decide"},
		{[]string{"--overwrite"}, exitOK, "1 updated, 2 already there"},
	} {
		before := token(t, store, "1").RefreshToken
		code, out, errs := typed(t, "", append([]string{"restore", "tokens.backup", at}, step.args...)...)
		if code != step.code || !strings.Contains(out+errs, step.says) {
			t.Errorf("%v: exit code %d\n%s%s", step.args, code, out, errs)
		}
		if after := token(t, store, "1").RefreshToken; (after != before) != (len(step.args) == 1 && step.args[0] == "--overwrite") {
			t.Errorf("%v: overwritten: %v", step.args, after != before)
		}
	}
	holds(t, store, "1", "2", "3")
}

// TestAnIDThatIsTakenIsRefused, with what to do about it.
func TestAnIDThatIsTakenIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	at, store := kept(t, nil, numbered("1")...)
	if code, _, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes"); code != exitOK {
		t.Fatal(errs)
	}
	if err := store.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", UserName: "another", RefreshToken: "fake-refresh-another"}); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := typed(t, "", "restore", "tokens.backup", at); code != exitIncomplete || !strings.Contains(out, "pass --keep-ids=false") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, _ := typed(t, "", "restore", "tokens.backup", at, "--keep-ids=false"); code != exitOK || !strings.Contains(out, "1 created") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if token(t, store, "1").UserName != "another" {
		t.Error("it was overwritten")
	}
}

// TestWhatIsNotWholeRestoresNothing: the store is not even opened.
func TestWhatIsNotWholeRestoresNothing(t *testing.T) {
	source := fixture(t, pythonFile)
	t.Chdir(t.TempDir())
	keys(t)
	if code, _, errs := typed(t, "", "backup", "file:"+source, "tokens.backup", "--recipients-file", "recipients.txt"); code != exitOK {
		t.Fatal(errs)
	}
	whole := contents(t, "tokens.backup")
	for name, c := range map[string]struct{ text, says string }{
		"cut off":   {whole[:len(whole)-20], "use another copy of it, or an earlier backup; nothing was restored"},
		"damaged":   {whole[:len(whole)-20] + "x" + whole[len(whole)-19:], "use another copy of it"},
		"no backup": {contents(t, source), "this is no backup"},
	} {
		write(t, "other.backup", c.text)
		for _, file := range []string{"other.backup", "-"} {
			code, out, errs := typed(t, c.text, "restore", file, "sqlite:tokens.db", "--identity", "key.txt")
			if code != exitFault || out != "" || !strings.Contains(errs, c.says) {
				t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
			}
		}
	}
	code, _, errs := typed(t, "", "restore", "tokens.backup", "sqlite:tokens.db", "--json")
	var object jsonError
	if err := json.Unmarshal([]byte(errs), &object); err != nil || code != exitUsage || !strings.Contains(object.Error.Message, "pass --identity") {
		t.Errorf("without a key: exit code %d\n%s", code, errs)
	}
	if _, err := os.Stat("tokens.db"); err == nil {
		t.Error("the store was created")
	}
}

// TestAKeyOfTheWrongKind, or none, is a wrong argument; one that does not open the backup is a
// fault, as the backup may be another one.
func TestAKeyOfTheWrongKind(t *testing.T) {
	source := fixture(t, pythonFile)
	t.Chdir(t.TempDir())
	keys(t)
	write(t, "passphrase.txt", "fake-refresh passphrase\n")
	write(t, "empty.txt", "")
	write(t, "wrong.txt", "another passphrase\n")
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	write(t, "other.txt", other.String()+"\n")
	for file, flags := range map[string][]string{"keyed.backup": {"--recipients-file", "recipients.txt"}, "phrased.backup": {"--passphrase-file", "passphrase.txt"}} {
		if code, _, errs := typed(t, "", append([]string{"backup", "file:" + source, file}, flags...)...); code != exitOK {
			t.Fatal(errs)
		}
	}
	for _, c := range []struct {
		file, flag, key string
		code            int
		says            string
	}{
		{"keyed.backup", "--passphrase-file", "passphrase.txt", exitUsage, "pass --identity"},
		{"phrased.backup", "--identity", "key.txt", exitUsage, "pass --passphrase-file"},
		{"keyed.backup", "--identity", "none.txt", exitUsage, "--identity"},
		{"phrased.backup", "--passphrase-file", "empty.txt", exitUsage, "first line is empty"},
		{"phrased.backup", "--passphrase-file", "none.txt", exitUsage, "--passphrase-file"},
		{"keyed.backup", "--identity", "other.txt", exitFault, "none of the private keys"},
		{"phrased.backup", "--passphrase-file", "wrong.txt", exitFault, "does not open this backup"},
	} {
		code, out, errs := typed(t, "", "restore", c.file, "memory:", c.flag, c.key)
		if code != c.code || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%s with %s %s: exit code %d, want %d and %q\n%s%s", c.file, c.flag, c.key, code, c.code, c.says, out, errs)
		}
	}
}

// partly is a store some of whose tokens cannot be read.
type partly struct {
	*secretstore.Store
	tokens []tokenstore.OAuthToken
	errs   []error
}

func (p partly) Tokens(context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		for _, token := range p.tokens {
			if !yield(token, nil) {
				return
			}
		}
		for _, err := range p.errs {
			if !yield(tokenstore.OAuthToken{}, err) {
				return
			}
		}
	}
}

// TestWhatCannotBeBackedUpIsNamed, and a store that cannot be read leaves no file and no
// other one than before.
func TestWhatCannotBeBackedUpIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	tokens := append(numbered("1"), tokenstore.OAuthToken{ID: "odd", RefreshToken: "fake-refresh\xff"})
	unread := fmt.Errorf("secret tokens/17: %w", tokenstore.ErrUnreadable)
	at, _ := kept(t, func(s *secretstore.Store) tokenstore.OpenStore { return partly{s, tokens, []error{unread}} })
	code, out, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes")
	if code != exitIncomplete || errs != "" || !strings.Contains(out, "1 token backed up") || !strings.Contains(out, "without 2 tokens, which could not be read") ||
		!strings.Contains(out, "tokens/17") || !strings.Contains(out, "token odd") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	whole := contents(t, "tokens.backup")
	for name, errs := range map[string][]error{"broken": {errors.New("broken")}, "unreadable": {unread}} {
		at, _ := kept(t, func(s *secretstore.Store) tokenstore.OpenStore {
			if name == "unreadable" {
				return partly{s, nil, errs}
			}
			return partly{s, tokens, errs}
		})
		for _, file := range []string{"tokens.backup", "new.backup"} {
			if code, out, _ := typed(t, "", "backup", at, file, "--plain", "--yes", "--force"); code != exitFault || out != "" {
				t.Errorf("%s: exit code %d\n%s", name, code, out)
			}
		}
	}
	if files, err := os.ReadDir("."); err != nil || len(files) != 1 || contents(t, "tokens.backup") != whole {
		t.Errorf("%v, %v", files, err)
	}
	to, store := kept(t, nil)
	code, out, _ = typed(t, "", "restore", "tokens.backup", to)
	if code != exitIncomplete || !strings.Contains(out, "1 created") || !strings.Contains(out, "the backup lacks 2 tokens") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, _ := typed(t, "", "restore", "tokens.backup", to, "--user", "user1"); code != exitOK || !strings.Contains(out, "the backup lacks 2 tokens") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	holds(t, store, "1")
}

func TestABackupReplacesNothingUnasked(t *testing.T) {
	t.Chdir(t.TempDir())
	at, _ := kept(t, nil, numbered("1")...)
	write(t, "tokens.backup", "of yesterday")
	code, out, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes")
	if code != exitUsage || out != "" || !strings.Contains(errs, "pass --force") || contents(t, "tokens.backup") != "of yesterday" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes", "--force"); code != exitOK || contents(t, "tokens.backup") == "of yesterday" {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	// A wrong place is no empty store.
	nowhere, _ := kept(t, nil)
	if code, _, errs := typed(t, "", "backup", nowhere, "other.backup", "--plain", "--yes"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if _, err := os.Stat("other.backup"); err == nil {
		t.Error("a backup of nothing was made")
	}
}

// TestAnInterruptedRestoreIsRunAgain: it says that it was interrupted, and goes on where it
// was.
func TestAnInterruptedRestoreIsRunAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("%02d", i))
	}
	at, store := kept(t, nil, numbered(ids...)...)
	if code, _, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes"); code != exitOK {
		t.Fatal(errs)
	}
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at, store = kept(t, func(s *secretstore.Store) tokenstore.OpenStore { return &oneByOne{OpenStore: s, after: 17, do: cancel} })
	var out, errs strings.Builder
	code := Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}.Run(ctx, []string{"restore", "tokens.backup", at})
	if code != exitFault || !strings.Contains(errs.String(), "interrupted") || !strings.Contains(out.String(), "17 created, 23 not written") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	left, err := store.GetTokens(t.Context())
	if err != nil || len(left) != 17 {
		t.Fatal(len(left), err)
	}
	at, store = kept(t, nil, left...)
	if code, out, errs := typed(t, "", "restore", "tokens.backup", at); code != exitOK || !strings.Contains(out, "23 created, 17 already there") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, ids...)
}

// oneByOne is a store that can save one token at a time, and does something after some.
type oneByOne struct {
	tokenstore.OpenStore
	after int
	do    func()
}

func (o *oneByOne) SaveToken(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	saved, err := o.OpenStore.SaveToken(ctx, token)
	if o.after--; o.after == 0 {
		o.do()
	}
	return saved, err
}

// TestABackupOfAnEmptyStoreIsOne: the store is there.
func TestABackupOfAnEmptyStoreIsOne(t *testing.T) {
	t.Chdir(t.TempDir())
	at, store := kept(t, nil, numbered("1")...)
	if err := store.DeleteTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := typed(t, "", "backup", at, "tokens.backup", "--plain", "--yes"); code != exitOK || !strings.Contains(out, "0 tokens backed up") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := typed(t, "", "restore", "tokens.backup", at); code != exitOK || !strings.Contains(out, "0 rows") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	b, err := os.ReadFile("tokens.backup")
	if err != nil || !strings.HasPrefix(string(b), `{"tokenstore_backup":1,"store":"kept","time":"`) {
		t.Errorf("%s, %v", b, err)
	}
}
