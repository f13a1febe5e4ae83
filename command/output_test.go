package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestAStackIsWhatATableHolds, block by block.
func TestAStackIsWhatATableHolds(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, "ID", "USER", "HAS")
	table.width = 20
	table.row("1", "ana@zylker.example:1", "refresh_token access_token")
	table.row("2", "", "access_token\x1b[31m")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	want := "ID    1\nUSER  ana@zylker.example:1\nHAS   refresh_token\n      access_token\n\nID    2\nHAS   access_token\ufffd[31m\n"
	if out.String() != want {
		t.Errorf("prints\n%q, want\n%q", out.String(), want)
	}
	table.row("3", "", "")
	if err := table.flush(); err != nil || out.String() != want+"\nID    3\n" {
		t.Errorf("the next block: %v\n%q", err, out.String()[len(want):])
	}
}

// TestATableOfManyRows has one header, and reports that it could not be written.
func TestATableOfManyRows(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, "ID", "USER")
	for i := range 2*blockRows + 1 {
		table.row(fmt.Sprint(i), "u")
	}
	if err := table.flush(); err != nil || strings.Count(out.String(), "\n") != 2*blockRows+2 || strings.Count(out.String(), "USER") != 1 {
		t.Errorf("%v, %d lines", err, strings.Count(out.String(), "\n"))
	}
	table = newTable(full{}, "ID")
	for range blockRows {
		table.row("1")
	}
	if err := table.flush(); !errors.Is(err, errFull) {
		t.Errorf("no error of the first block: %v", err)
	}
}

var errFull = errors.New("no space left on device")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
