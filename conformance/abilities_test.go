package conformance

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryAbilityHasACase reads which optional interfaces packages tokenstore and driver have,
// by their comments, and looks for the cases that ask for them.
func TestEveryAbilityHasACase(t *testing.T) {
	cases := ""
	for _, path := range sources(t, ".") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cases += string(text)
	}
	for _, p := range []struct {
		name, folder, says string
		least              int
	}{
		{"tokenstore", "..", "is an optional ability of a", 9},
		{"driver", "../driver", "is implemented by adapters", 8},
	} {
		abilities := interfaces(t, p.folder, p.says)
		if len(abilities) < p.least {
			t.Errorf("package %s has only the optional interfaces %v", p.name, abilities)
		}
		for _, name := range abilities {
			if !strings.Contains(cases, p.name+".As["+p.name+"."+name+"]") {
				t.Errorf("no case asks a store or a driver for %s.%s", p.name, name)
			}
		}
	}
}

// sources returns the files of a package, without its tests.
func sources(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, path := range all {
		if !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
	}
	return files
}

// interfaces returns the interfaces of a package whose comments say something.
func interfaces(t *testing.T, folder, says string) []string {
	t.Helper()
	var names []string
	for _, path := range sources(t, folder) {
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != gotoken.TYPE || !strings.Contains(strings.Join(strings.Fields(decl.Doc.Text()), " "), says) {
				continue
			}
			for _, s := range decl.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok {
					if _, ok := spec.Type.(*ast.InterfaceType); ok {
						names = append(names, spec.Name.Name)
					}
				}
			}
		}
	}
	return names
}
