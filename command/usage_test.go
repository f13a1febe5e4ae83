package command

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// Whatever somebody types in the wrong place may be a credential. try fails if
// it is shown.
func TestWrongArgumentsAreExplainedAndNotShown(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"fake-refresh"}, "unknown command; the commands are "},
		{[]string{"put"}, "want 1 argument, STORE, not 0"},
		{[]string{"put", "memory:", "1000.fake-refresh"}, "want 1 argument, STORE, not 2"},
		{[]string{"list"}, "want 1 argument, STORE, not 0"},
		{[]string{"get", "memory:"}, "want 2 arguments, STORE ID, not 1"},
		{[]string{"find", "memory:", "-1000.fake-refresh"}, "--refresh-token-stdin"},
		{[]string{"find", "memory:", "--fake-refresh"}, "--refresh-token-stdin"},
		{[]string{"find", "memory:", "--refresh-token=1000.fake-refresh"}, "--refresh-token-stdin"},
		{[]string{"find", "memory:", "--refresh-token-stdin=1000.fake-refresh"}, "--refresh-token-stdin takes no value"},
		{[]string{"reindex", "memory:", "--fanout", "1000.fake-refresh"}, "--fanout takes a number"},
		{[]string{"reindex", "memory:", "--rotating=false"}, "--rotating cannot be turned off"},
		{[]string{"import", "memory:", "--to"}, "--to needs a value"},
		{[]string{"import", "memory:"}, "--to is missing"},
		{[]string{"backup", "memory:"}, "want 2 arguments, STORE FILE, not 1"},
		{[]string{"backup", "memory:", "fake-refresh.backup"}, "--recipient, --recipients-file or --passphrase-file"},
		{[]string{"backup", "memory:", "fake-refresh.backup", "--plain"}, "pass --yes"},
		{[]string{"backup", "memory:", "fake-refresh.backup", "--plain", "--passphrase-file", "fake-refresh"}, "give one of"},
		{[]string{"backup", "memory:", "fake-refresh.backup", "--recipient", "AGE-SECRET-KEY-fake-refresh"}, "public keys that begin with age1"},
		{[]string{"backup", "memory:", "fake-refresh.backup", "--passphrase", "fake-refresh"}, "unknown flag"},
		{[]string{"backup", "memory:", "fake-refresh.backup", "--passphrase-file", "-"}, "the first line is empty"},
		{[]string{"backup", "memory:", "fake-refresh.backup", "--recipients-file", "fake-refresh"}, "check the path"},
		{[]string{"restore", "fake-refresh.backup", "tokens.db"}, "sqlite:tokens.db"},
		{[]string{"restore", "fake-refresh.backup", "memory:"}, "check the path"},
		{[]string{"restore", "-", "memory:", "--passphrase-file", "-"}, "cannot be both"},
		{[]string{"restore", "-", "memory:", "--update", "--overwrite"}, "give one of"},
		{[]string{"restore", "-", "memory:", "--identity", "fake-refresh"}, "check the path"},
		{[]string{"list", "tokens.txt"}, "file:tokens.txt"},
		{[]string{"list", `C:\fake-refresh.db`}, "sqlite:tokens.db"},
		{[]string{"import", "memory:", "--to", "./fake-refresh.db"}, "sqlite:tokens.db"},
		{[]string{"list", "file:tokens.txt?readonly=fake-refresh"}, "readonly must be true or false"},
		{[]string{"list", "sqlite:tokens.db?readonly=fake-refresh"}, "readonly must be true or false"},
		{[]string{"list", "sqlite:tokens.db?table=a;b"}, "malformed"},
		{[]string{"list", "file:tokens.txt?readonly=true&readonly=false"}, "given twice"},
		{[]string{"list", "file:fake-refresh/tokens.txt"}, "no such folder"},
		{[]string{"list", "sqlite:fake-refresh/tokens.db"}, "no such folder"},
	} {
		code, out, errs := try(t, "", c.args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", c.args, code, exitUsage, c.says, out, errs)
		}
	}
}

// A command that looks makes no file, whatever is wrong with the store's URL.
func TestLookingMakesNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, store := range []string{"sqlite:none.db", "file:none.txt", "sqlite:none.db?readonly=false"} {
		for _, args := range [][]string{{"list", store}, {"get", store, "1"}, {"find", store, "--user", "u"}, {"check", store}, {"reindex", store}} {
			if code, _, errs := try(t, "", args...); code != exitNotFound {
				t.Errorf("%v: exit code %d\n%s", args, code, errs)
			}
		}
	}
	if made, err := os.ReadDir("."); err != nil || len(made) > 0 {
		t.Errorf("files were made: %v, %v", made, err)
	}
}

// Programs read lists that are empty as lists, and find names of one form.
func TestJSONHasListsAndNamesOfOneForm(t *testing.T) {
	for _, args := range [][]string{{"import", used(t), "--to", "memory:"}, {"check", used(t)}, {"reindex", used(t)}, {"status", used(t), "--deep"}} {
		code, out, _ := try(t, "", append(args, "--json")...)
		var object map[string]any
		if err := json.Unmarshal([]byte(out), &object); err != nil || code != exitOK {
			t.Fatalf("%v: exit code %d, %v", args, code, err)
		}
		if _, there := object["refused"]; args[0] == "status" && !there {
			t.Error("status --deep does not say that no token is refused")
		}
		for name, value := range object {
			if value == nil || name != strings.ToLower(name) {
				t.Errorf("%v: %s is %v", args, name, value)
			}
		}
	}
}

func TestAnImportThatDoesNotBeginShowsNoTable(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.txt")
	if err := os.WriteFile(broken, []byte("id,user_name\n1,too,many,fields\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", "file:"+broken)
	if code != exitFault || out != "" || !strings.Contains(errs, "read the destination") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestAnImportIntoWhatCannotBeWrittenIsAFault(t *testing.T) {
	to := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	store, err := tokenstore.Open(t.Context(), to)
	if err != nil || store.Close() != nil {
		t.Fatal(err)
	}
	code, out, errs := try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", to+"?readonly=true")
	if code != exitFault || !strings.Contains(errs, "write the destination") || !strings.Contains(out, "5 not written") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// Damage behind the first page shows when the rows are read.
func TestAnImportFromWhatCannotBeReadIsAFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	if code, _, errs := try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", "sqlite:"+path); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(data); i++ {
		data[i] ^= 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := try(t, "", "import", "sqlite:"+path, "--to", "memory:")
	if code != exitFault || out != "" || !strings.Contains(errs, "read the source") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestAnInterruptedCommandSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	code := run(ctx, []string{"import", "file:" + fixture(t, pythonFile), "--to", "memory:"}, strings.NewReader(""), &out, &errs)
	if code != exitFault || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d\n%s", code, errs.String())
	}
}

// Who waits for standard input can be interrupted.
func TestWaitingForACredentialEndsWithTheContext(t *testing.T) {
	never, w := io.Pipe()
	defer func() { _ = w.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	code := run(ctx, []string{"find", "memory:", "--access-token-stdin"}, never, &out, &errs)
	if code != exitFault || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d\n%s", code, errs.String())
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := try(t, "", "--version"); code != exitOK || !strings.HasPrefix(out, "tokenstore version ") {
		t.Errorf("exit code %d: %q", code, out)
	}
}

func TestADryRunSaysWhatTheImportWouldSay(t *testing.T) {
	source := "file:" + fixture(t, pythonFile)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("empty.db", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"sqlite:none/tokens.db", "file:none/tokens.txt", "sqlite:.", "sqlite:empty.db", "file:new.txt", "sqlite:new.db"} {
		dry, _, _ := try(t, "", "import", source, "--to", to, "--dry-run")
		wet, _, errs := try(t, "", "import", source, "--to", to)
		if dry != wet {
			t.Errorf("%s: exit code %d in a dry run, and then %d\n%s", to, dry, wet, errs)
		}
	}
	if _, err := os.Stat("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

// TestErrorsAreJSONToo: a program that asks for JSON gets the error as an object, with the
// kind that it can match.
func TestErrorsAreJSONToo(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args       []string
		code       int
		kind, says string
	}{
		{[]string{"get", used(t), "nobody"}, exitNotFound, "token not found", "token not found"},
		{[]string{"list", "memory:"}, exitNotFound, "", "nothing of a store is at memory:"},
		{[]string{"list", "file:none.txt"}, exitNotFound, "", "no such file"},
		{[]string{"list"}, exitUsage, "", "want 1 argument"},
		{[]string{"list", "memory:", "--fake-refresh"}, exitUsage, "", "unknown flag"},
		{[]string{"fake-refresh"}, exitUsage, "", "unknown command"},
	} {
		code, out, errs := try(t, "", append(c.args, "--json")...)
		var e jsonError
		err := json.Unmarshal([]byte(errs), &e)
		if err != nil || code != c.code || e.Error.ExitCode != code || e.Error.Kind != c.kind || !strings.Contains(e.Error.Message, c.says) {
			t.Errorf("%v: exit code %d, %v\n%s%s", c.args, code, err, out, errs)
		}
	}
}

// TestNothingEmptyIsGiven: an empty value, as of a variable that a script has not set, selects
// neither everything nor nothing.
func TestNothingEmptyIsGiven(t *testing.T) {
	at, store := kept(t, nil, numbered("1")...)
	for _, args := range [][]string{
		{"list", at, "--user", ""},
		{"list", at, "--client="},
		{"list", at, "--expires-before", ""},
		{"restore", "nowhere", at, "--user", ""},
		{"import", at, "--to", "memory:", "--client", ""},
		{"import", at, "--to", "memory:", "--report", ""},
		{"find", at, "--user", ""},
		{"delete", at, "1", "--user", "", "--yes"},
		{"set", at, "--client", "", "client_secret", "--yes"},
		{"get", at, "1", "--reveal", ""},
		{"backup", at, "nowhere", "--passphrase-file", ""},
		{"refresh", at, "1", "--data-center", ""},
		{"get", at, ""},
		{"delete", at, "", "--yes"},
		{"undelete", at, "1", ""},
		{"refresh", at, ""},
		{"list", ""},
	} {
		if code, out, errs := try(t, "", args...); code != exitUsage || out != "" || !strings.Contains(errs, " is empty") {
			t.Errorf("%q: exit code %d, want %d\n%s%s", args, code, exitUsage, out, errs)
		}
	}
	holds(t, store, "1")
}

// TestHelpOfWhatIsNoVerb is an error, as the verb itself would be.
func TestHelpOfWhatIsNoVerb(t *testing.T) {
	if code, out, errs := try(t, "", "help", "fake-refresh"); code != exitUsage || out != "" || !strings.Contains(errs, "unknown command; the commands are backup,") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"help", "list"}, {"help", "copy"}, {"help"}, {"help", "help"}} {
		if code, out, errs := try(t, "", args...); code != exitOK || !strings.Contains(out, "Usage:") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	if _, out, _ := try(t, "", "__complete", "help", "delete"); !strings.Contains(out, "delete-all") {
		t.Errorf("completed as %q", out)
	}
}

// TestHelpsFitTheirLines: a paragraph of a help is wrapped, and undelete is not shown with a
// store that keeps nothing.
func TestHelpsFitTheirLines(t *testing.T) {
	for _, verb := range (Command{}).withDefaults().root().Commands() {
		for line := range strings.Lines(verb.Long) {
			if len([]rune(line)) > 101 { // With the end of the line.
				t.Errorf("%s has a line of %d characters: %s", verb.Name(), len(line), line)
			}
		}
	}
	if _, help, _ := try(t, "", "undelete", "--help"); strings.Contains(help, "vault:") {
		t.Errorf("Vault keeps nothing that undelete could bring back:\n%s", help)
	}
}

// TestFieldsAreCompleted where a verb takes the name of one.
func TestFieldsAreCompleted(t *testing.T) {
	for _, c := range []struct {
		args  []string
		names []string
	}{
		{[]string{"get", "memory:", "1", "--reveal", ""}, fieldNames(anyField)},
		{[]string{"compare", "memory:", "memory:", "--ignore", ""}, fieldNames(anyField)},
		{[]string{"set", "memory:", "1", ""}, fieldNames(settable)},
		{[]string{"set", "memory:", "--client", "C", ""}, fieldNames(ofClient)},
		{[]string{"set", "memory:", "1", "refresh_token", ""}, nil},
		{[]string{"set", "memory:", ""}, nil},
	} {
		_, out, _ := try(t, "", append([]string{"__completeNoDesc"}, c.args...)...)
		if want := strings.Join(append(append([]string{}, c.names...), ":4"), "\n") + "\n"; out != want {
			t.Errorf("%v is completed as %q, want %q", c.args, out, want)
		}
	}
}
