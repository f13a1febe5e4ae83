package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// TestAnImportIntoItselfIsRefused, by whatever name the store goes, and writes nothing.
func TestAnImportIntoItselfIsRefused(t *testing.T) {
	sources := map[string][]byte{}
	for name, from := range map[string]string{"tokens.txt": pythonFile, "tokens.db": pythonDatabase} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = data
	}
	folder := t.TempDir()
	t.Chdir(folder)
	for name, data := range sources {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, "link-"+name); err != nil {
			t.Skip(err)
		}
		if err := os.Link(name, "hard-"+name); err != nil {
			t.Skip(err)
		}
		scheme := map[string]string{".txt": "file:", ".db": "sqlite:"}[filepath.Ext(name)]
		for _, to := range []string{name, "./" + name, folder + "/" + name, folder + "/./" + name, "link-" + name, "hard-" + name} {
			for _, flags := range [][]string{nil, {"--dry-run"}, {"--overwrite"}} {
				code, out, errs := try(t, "", append([]string{"import", scheme + name, "--to", scheme + to}, flags...)...)
				if code != exitUsage || out != "" || !strings.Contains(errs, "are one store") {
					t.Errorf("%s %v: exit code %d\n%s%s", to, flags, code, out, errs)
				}
			}
		}
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(after, data) {
			t.Errorf("%s was written: %v", name, err)
		}
	}
	// Another table of the database is another store.
	if code, out, errs := try(t, "", "import", "sqlite:tokens.db", "--to", "sqlite:tokens.db?table=copies"); code != exitOK {
		t.Errorf("another table: exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := try(t, "", "import", "sqlite:tokens.db?table=COPIES", "--to", "sqlite:./tokens.db?table=copies"); code != exitUsage {
		t.Errorf("the same table: exit code %d\n%s", code, errs)
	}
}

// wrapped is a wrapper that changes nothing, as a program that embeds the command may open.
type wrapped struct{ tokenstore.Store }

func (w wrapped) Unwrap() tokenstore.Store { return w.Store }

func TestAWrappedSourceIsRecognised(t *testing.T) {
	url := "file:" + filepath.Join(t.TempDir(), "tokens.csv")
	source, err := tokenstore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	if _, err := source.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", AccessToken: "fake"}); err != nil {
		t.Fatal(err)
	}
	for _, source := range []tokenstore.Store{source, wrapped{source}} {
		if err := notSame(t.Context(), source, url, url); !errors.Is(err, errSamePlace) {
			t.Errorf("%T: %v, want %v", source, err, errSamePlace)
		}
	}
}

func TestURLsOfOnePlace(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want error
	}{
		{"vault://secret/crm", "vault://secret/crm/", errSamePlace},
		{"vault://secret/crm", "vault:///crm?mount=secret", errSamePlace},
		{"vault://secret/crm", "vault:///crm?mount=secret/", errSamePlace},
		{"vault://secret/crm", "vault://secret/%63rm?reads=any", errSamePlace},
		{"vault://secret", "vault://secret/", errSamePlace},
		{"vault://secret/crm?namespace=a", "vault://secret/crm?namespace=a/", errSamePlace},
		{"vault://secret/crm?namespace=a", "vault://secret/crm", errMayBeSamePlace},
		{"vault://secret/crm?namespace=a", "vault://secret/crm?namespace=b", nil},
		{"vault://secret/crm", "vault://secret/crm2", nil},
		{"awssm://crm?region=eu-west-1", "AWSSM://crm/?region=eu-west-1&fanout=16", errSamePlace},
		{"awssm://crm?region=eu-west-1", "awssm://crm", errMayBeSamePlace},
		{"awssm://crm?region=eu-west-1", "awssm://crm?region=eu-west-2", nil},
		{"awssm://crm?endpoint=http://a", "awssm://crm?endpoint=http://b", nil},
		{"awssm://", "awssm:///", errSamePlace},
		{"gcpsm://project/crm", "gcpsm://project/crm/?transport=rest", errSamePlace},
		{"gcpsm://project/crm", "gcpsm://another/crm", nil},
		{"gcpsm://project/crm", "vault://project/crm", nil},
		{"memory:", "memory:", nil},
	} {
		for _, urls := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := notSameURL(urls[0], urls[1]); got != c.want { //nolint:errorlint // Those are what is returned.
				t.Errorf("%v: %v, want %v", urls, got, c.want)
			}
		}
	}
}
