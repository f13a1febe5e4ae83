package command

import (
	"strings"
	"testing"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "amelia": 6, "Zoë": 3, "Zoe\u0308": 3, "学院": 4, "ｶﾀｶﾅ": 4, "ＡＢ": 4, "한글": 4, "\u1112\u1161\u11ab": 2, "🙂": 2, "�": 1, "—…": 2,
	} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

// TestWideNamesKeepTheColumns: what is behind a name of wide characters, or of accents that are
// characters of their own, begins where it begins behind another.
func TestWideNamesKeepTheColumns(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, "ID", "USER", "OUTCOME", "REMARK")
	table.row("1", "ada@zylker.com:7", "set", "")
	table.row("学", "学院@zylker.jp:7", "set", "why")
	table.row("3", "Zoe\u0308", "set", "")
	table.row("4", "", "set", "why")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"ID  USER              OUTCOME  REMARK\n" +
		"1   ada@zylker.com:7  set\n" +
		"学  学院@zylker.jp:7  set  why\n" +
		"3   Zoe\u0308               set\n" +
		"4                     set  why\n"
	if out.String() != want {
		t.Errorf("prints\n%s\nwant\n%s", out.String(), want)
	}
	if got, want := wrap("学院 学院 学院", 9, 2), "学院 学院\n  学院"; got != want {
		t.Errorf("wraps to %q, want %q", got, want)
	}
}
