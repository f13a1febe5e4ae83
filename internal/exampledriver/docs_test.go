package exampledriver

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocs shows that the snippets of the page are what is compiled and tested here.
func TestDocs(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	page, code := read("../../docs/adapters.md"), read("driver.go")
	source := code + read("driver_test.go")
	snippets := 0
	for _, rest := range strings.Split(page, "```go\n")[1:] {
		snippet, _, _ := strings.Cut(rest, "```")
		snippets++
		if !strings.Contains(source, snippet) {
			t.Errorf("this snippet of docs/adapters.md is not in the code:\n%s", snippet)
		}
	}
	if snippets < 10 {
		t.Errorf("%d snippets found", snippets)
	}
	if lines := strings.Count(code, "\n"); lines > 160 || !strings.Contains(page, fmt.Sprint(lines, " lines")) {
		t.Errorf("driver.go has %d lines: the page must say so, and they must be few", lines)
	}
}
