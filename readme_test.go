// The pages show no Go that is not compiled, and no link that leads nowhere.

package tokenstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)

	heading      = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// documents returns the pages that are checked, by name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(text)
	}
	return pages
}

// TestSnippetsAreCompiled checks that every Go snippet is in a compiled file, line
// for line: an example, a test, or the code itself.
func TestSnippetsAreCompiled(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		code.WriteString(withoutIndent(string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range documents(t) {
		for _, block := range goBlock.FindAllStringSubmatch(page, -1) {
			if snippet := withoutIndent(block[1]); !strings.Contains(code.String(), snippet) {
				t.Errorf("%s: no compiled file has this snippet:\n%s", name, block[1])
			}
		}
	}
}

// withoutIndent removes indentation and blank lines.
func withoutIndent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// TestLinksLeadSomewhere checks the links to files of this repository, and to their headings.
func TestLinksLeadSomewhere(t *testing.T) {
	for name, page := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path := name
			if m[1] != "" {
				path = filepath.Join(filepath.Dir(name), m[1])
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: a link leads nowhere: %s", name, m[1])
				continue
			}
			if m[2] == "" {
				continue
			}
			if text, err := os.ReadFile(path); err != nil || !anchors(string(text))[m[2]] {
				t.Errorf("%s: %s has no heading #%s", name, path, m[2])
			}
		}
	}
}

// anchors returns the names that GitHub gives to the headings of a page.
func anchors(page string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		names[strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return names
}
