package filestore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// FuzzRead reads any bytes. Written again unchanged they are the same; what was
// read without complaint and is encoded again, field by field, is read again as
// it was, unless the writer refuses it.
func FuzzRead(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	more, err := filepath.Glob("testdata/broken/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(seeds, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := filestore.Rewritten(data); !bytes.Equal(got, data) {
			t.Fatalf("written again: %q\nwas %q", got, data)
		}
		rows, err := filestore.Read(bytes.NewReader(data))
		ids := map[string]bool{}
		for _, r := range rows {
			if r.Token.ID != "" && ids[r.Token.ID] {
				t.Fatalf("two rows have the ID %q", r.Token.ID)
			}
			ids[r.Token.ID] = true
		}
		if err != nil {
			return
		}
		encoded, err := filestore.Reencoded(data)
		if errors.Is(err, tokenstore.ErrInvalidToken) || errors.Is(err, filestore.ErrLosesColumns) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := filestore.Read(bytes.NewReader(encoded))
		if err != nil {
			t.Fatalf("%v in %q\nfrom %q", err, encoded, data)
		}
		sameRows(t, again, rows)
	})
}

func sameRows(t *testing.T, got, want []filestore.Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if want[i].Token.ID == "" { // The first generation has none.
			got[i].Token.ID = ""
		}
		if got[i].Token != want[i].Token {
			t.Fatalf("row %d: %s\nwant %s", i+1, encoded(t, got[i].Token), encoded(t, want[i].Token))
		}
	}
}
