package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

const events = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"skip","Package":"p","Test":"TestA/two"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
not an event
{"Action":"pass","Package":"q","Test":"TestA"}
{"Action":"pass","Package":"q"}
{"Action":"fail","Package":"r"}
`

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "unit.json")
	if err := os.WriteFile(file, []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := (count{passed: 2, failed: 1, skipped: 1}); s.name != "unit" || s.total != want {
		t.Errorf("stage %q with %v, want unit with %v", s.name, s.total, want)
	}
	if got := s.suites["TestA"]["p"].String(); got != "1, 1 failed, 1 skipped" {
		t.Errorf("TestA in p: %q", got)
	}
	// A package that did not build, or panicked, has no failing test to show.
	if want := []string{"r"}; !reflect.DeepEqual(s.broken, want) {
		t.Errorf("broken packages %v, want %v", s.broken, want)
	}
}
