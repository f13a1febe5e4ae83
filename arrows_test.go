// Which package may import which, so that a store of files never links the engine.

package tokenstore_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "example.com/tokenstore"

// arrows lists the packages of this module that each package may import. Imports run
// one way: the contract imports only the driver's sentinels and objects, stores and the
// index import the contract, the engine imports the index, adapters import the engine,
// and only command/stores imports all of them.
//
// A pattern that ends in /... matches the package and everything below it.
var arrows = map[string][]string{
	".":                      {"driver"},
	"driver":                 {},
	"driver/memory":          {"driver"},
	"driver/drivertest":      {"driver"},
	"index":                  {".", "driver", "internal/..."},
	"secretstore":            {".", "driver", "driver/memory", "index", "internal/..."},
	"secretstore/enginetest": {".", "conformance", "driver/...", "index", "secretstore"},
	"awssm":                  {".", "driver", "secretstore", "internal/..."},
	"vault":                  {".", "driver", "secretstore", "internal/..."},
	"gcpsm":                  {".", "driver", "secretstore", "internal/..."},
	"awssm/awssmtest":        {"driver/..."},
	"gcpsm/gcpsmtest":        {"driver/..."},
	"sqlstore":               {".", "internal/..."},
	"filestore":              {".", "internal/..."},
	"conformance":            {".", "driver/..."},
	"accountstest":           {"."},
	"tokensource":            {"."},
	"tokensource/oauth2":     {".", "internal/retryafter", "internal/unsent", "tokensource"},
	"tokensource/otel":       {".", "driver", "secretstore", "tokensource"},
	"zoho":                   {".", "internal/retryafter", "internal/unsent", "tokensource"},
	"command":                {".", "index", "internal/...", "secretstore", "tokensource", "zoho"},
	"command/stores":         {".", "awssm", "filestore", "gcpsm", "sqlstore", "vault"},
	"cmd/tokenstore":         {"command", "command/stores"},
}

// internals lists the same for the internal packages.
var internals = map[string][]string{
	"internal/adaptertest":   {"..."},
	"internal/backup":        {".", "internal/fsfault", "internal/plainfile"},
	"internal/costs":         {},
	"internal/escape":        {},
	"internal/exampledriver": {"driver"},
	"internal/filecheck":     {".", "internal/fsfault", "internal/plainfile"},
	"internal/fsfault":       {"."},
	"internal/importer":      {".", "internal/progress", "internal/rowstore"},
	"internal/keylock":       {},
	"internal/pace":          {"driver"},
	"internal/parallel":      {},
	"internal/pause":         {},
	"internal/plainfile":     {"."},
	"internal/progress":      {},
	"internal/recent":        {},
	"internal/retryafter":    {},
	"internal/rowstore":      {".", "driver"},
	"internal/rowstoretest":  {"."},
	"internal/staleness":     {"driver", "internal/parallel", "internal/recent"},
	"internal/storedforms":   {},
	"internal/streams":       {"."},
	"internal/unprivileged":  {},
	"internal/unsent":        {},
}

// TestArrowsRunOneWay checks that no package imports one that it may not.
func TestArrowsRunOneWay(t *testing.T) {
	for folder, imports := range packages(t) {
		may, known := arrows[folder]
		if strings.HasPrefix(folder, "internal/") {
			may, known = internals[folder]
		}
		if !known {
			t.Errorf("package %s is new: add it to this table and to docs/design.md, with what it may import", folder)
			continue
		}
		for _, to := range imports {
			if !slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, to) }) {
				t.Errorf("%s must not import %s", folder, to)
			}
		}
	}
}

// TestStoresOfFilesLinkNoEngine checks everything that a program links, not only direct
// imports.
func TestStoresOfFilesLinkNoEngine(t *testing.T) {
	direct := packages(t)
	for _, c := range []struct {
		folder string
		not    []string
	}{
		{".", []string{"internal", "index", "secretstore"}},
		{"sqlstore", []string{"index", "secretstore", "internal/backup"}},
		{"filestore", []string{"index", "secretstore", "internal/backup"}},
		{"tokensource", []string{"index", "secretstore"}},
		// What encrypts backups is for the command alone.
		{"awssm", []string{"internal/backup", "command"}},
		{"vault", []string{"internal/backup", "command"}},
		{"gcpsm", []string{"internal/backup", "command"}},
		{"secretstore", []string{"internal/backup", "command"}},
	} {
		var all []string
		var visit func(string)
		visit = func(folder string) {
			for _, to := range direct[folder] {
				if !slices.Contains(all, to) {
					all = append(all, to)
					visit(to)
				}
			}
		}
		visit(c.folder)
		for _, not := range c.not {
			if slices.ContainsFunc(all, func(to string) bool { return matches(not+"/...", to) }) {
				t.Errorf("%s links %s: %v", c.folder, not, all)
			}
		}
	}
}

// matches reports whether the folder is the pattern, or below it if the pattern
// ends in "...".
func matches(pattern, folder string) bool {
	parent, below := strings.CutSuffix(pattern, "...")
	if !below {
		return folder == pattern
	}
	return parent == "" || folder == strings.TrimSuffix(parent, "/") || strings.HasPrefix(folder, parent)
}

// packages returns the folders of the module's packages and, for each, the packages of
// the module that it imports, except in tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := path.Base(name); base == "testdata" || len(base) > 1 && base[0] == '.' || isModule(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		folder := path.Dir(name)
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := found[folder]
		for _, spec := range file.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			if to == module {
				to = module + "/."
			}
			if to, ok := strings.CutPrefix(to, module+"/"); ok && !slices.Contains(imports, to) {
				imports = append(imports, to)
			}
		}
		found[folder] = imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// isModule reports whether the folder is a module of its own.
func isModule(folder string) bool {
	found, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "go.mod"))
	return folder != "." && err == nil && len(found) > 0
}
