// The scanner against one that begins anew with each record, and what it costs on files
// that are made to be slow to read.

package filestore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// anew reads the records of a text each with a scanner of its own, which knows nothing
// of the records before it.
func anew(text string) []scanned {
	var all []scanned
	for text != "" {
		s := scan(text)
		all = append(all, s)
		text = text[len(s.body)+len(s.end):]
	}
	return all
}

// inOne reads the records of a text with one scanner.
func inOne(text string) []scanned {
	var all []scanned
	for sc := (&scanner{text: text}); sc.pos < len(text); {
		s := sc.next()
		s.cells = slices.Clone(s.cells)
		all = append(all, s)
	}
	return all
}

func sameScan(t *testing.T, text string) {
	t.Helper()
	got, want := inOne(text), anew(text)
	same := slices.EqualFunc(got, want, func(a, b scanned) bool {
		return a.body == b.body && a.end == b.end && a.lines == b.lines && a.problem == b.problem && a.fields == b.fields && slices.Equal(a.cells, b.cells)
	})
	if !same {
		t.Fatalf("%q\nis    %+v\nwant %+v", text, got, want)
	}
}

// TestScannerForgetsNothing reads every text of a few characters that mean something.
func TestScannerForgetsNothing(t *testing.T) {
	longest := 8
	if testing.Short() {
		longest = 7
	}
	var all func(text []byte)
	all = func(text []byte) {
		sameScan(t, string(text))
		if len(text) == longest {
			return
		}
		for _, c := range []byte("\",\n\ra") {
			all(append(text, c))
		}
	}
	all(make([]byte, 0, longest))
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{"a\",\"b\na\",\"b\n", "\"a\n\"\"\nb,\"\"\"c\n", "\"a\"\r\r\n\"b\"\rc\n"} {
		f.Add(s)
	}
	f.Fuzz(sameScan)
}

// header is the first line of the files below.
const header = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain\n"

// Hostile are the pieces of which files are made that are slow to read for a reader
// that looks at a line more than once, or keeps much of each. It is exported to the
// benchmark.
var Hostile = map[string]string{
	"quotes that close in the next line": "a\",\"b\n",
	"quotes that never close":            "\"a\n",
	"pairs of quotes":                    "\"\"\n",
	"pairs in an open quote":             "x,\"\"\"\"\"\n",
	"quotes in every field":              "\"\",\"\",\"a\"\",\"\"\",\"\n",
	"an open quote after many":           "1,\"a\",\"b\",\"c\",\"d\",\"e\n",
	"a quote before text":                "\"a\"b,\"c\n",
	"quotes alone":                       "\"",
	"one line of text":                   "a",
	"one line of commas":                 ",",
	"one line of quoted fields":          "\"a\",",
	"empty lines":                        "\n",
	"lines of commas":                    ",,,,,,,,,\n",
	"lines with a space":                 " \n",
	"short lines":                        "a\n",
	"carriage returns":                   "\r",
	"returns between text":               "a\r",
	"returns after a quote":              "\"a\"\r\r\rb\n",
	"NULs":                               "\x00",
	"lines of NULs":                      "\x00\n",
	"byte order marks":                   byteOrderMark + "\n",
	"one ID":                             "1,u,c,s,r,a,g,1763900000000,,\n",
	"bytes that are not UTF-8":           "\xff,\xff,\xff,,,,,,,\n",
	"quotes that may be part of a value": "1,\"u\",c\"s,,,,,,,\n",
}

// HostileFile returns a file of about that size of one of the pieces, after a header or
// without one.
func HostileFile(piece string, size int, headed bool) []byte {
	data := []byte(strings.Repeat(piece, size/max(1, len(piece))+1))
	if headed {
		return append([]byte(header), data...)
	}
	return data
}

// counting is a context that counts how often it is looked at, and ends at one look.
type counting struct {
	context.Context //nolint:containedctx // It is one itself.
	looks, end      int
}

func (c *counting) Err() error {
	if c.looks++; c.end > 0 && c.looks >= c.end {
		return context.Canceled
	}
	return nil
}

// TestEachLineIsFollowedOnce counts the looks at the context: there is one for every
// piece that is taken apart, and one for every line that has to be begun again.
func TestEachLineIsFollowedOnce(t *testing.T) {
	const size = 1 << 20
	for name, unit := range Hostile {
		for _, headed := range []bool{true, false} {
			data := HostileFile(unit, size, headed)
			lines := bytes.Count(data, []byte("\n"))
			ctx := &counting{Context: t.Context()}
			if _, err := parse(ctx, data); err != nil {
				t.Fatal(err)
			}
			if most := lines + 4*len(data)/piece + 4; ctx.looks > most {
				t.Errorf("%s: %d looks at the context, want at most %d", name, ctx.looks, most)
			}
		}
	}
}

// TestAnEndedContextEndsTheReading ends the context at each of some looks: nothing is
// read after that.
func TestAnEndedContextEndsTheReading(t *testing.T) {
	const size = 4 * piece
	for name, unit := range Hostile {
		data := HostileFile(unit, size, true)
		for _, end := range []int{1, 2, 3, 5} {
			ctx := &counting{Context: t.Context(), end: end}
			if _, err := Read(ctx, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want that the context ended", name, err)
			}
			if ctx.looks > end {
				t.Errorf("%s: %d looks at the context, which ended at the %dth", name, ctx.looks, end)
			}
		}
	}
}

// TestAnEndedContextEndsTheFile ends the context while an endless file is read.
func TestAnEndedContextEndsTheFile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	endless := readerFunc(func(p []byte) (int, error) {
		if reads++; reads == 3 {
			cancel()
		}
		if len(p) > piece {
			t.Errorf("%d bytes at once, want at most %d", len(p), piece)
		}
		return len(p), nil
	})
	if _, err := Read(ctx, endless); !errors.Is(err, context.Canceled) || reads != 3 {
		t.Errorf("%v after %d reads, want 3", err, reads)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestReadAll reads what comes in pieces of every kind.
func TestReadAll(t *testing.T) {
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 3*piece + 7} {
		data := bytes.Repeat([]byte("x"), size)
		for _, expected := range []int64{0, int64(size) - 1, int64(size), int64(size) + 1, 1 << 40} {
			for name, r := range map[string]io.Reader{
				"whole": bytes.NewReader(data), "bytes": iotest.OneByteReader(bytes.NewReader(data)), "with its end": iotest.DataErrReader(bytes.NewReader(data)),
			} {
				if got, err := readAll(t.Context(), r, expected); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s, %d of %d bytes: %v", name, len(got), size, err)
				}
			}
		}
	}
	if _, err := readAll(t.Context(), iotest.ErrReader(io.ErrUnexpectedEOF), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a fault: %v", err)
	}
}

// TestManyFieldsAreNotKept: a line of millions of fields is one that cannot be read, or
// an empty one.
func TestManyFieldsAreNotKept(t *testing.T) {
	for line, want := range map[string]string{
		strings.Repeat("a,", 2*maxCells):       problemFields,
		strings.Repeat(",", 2*maxCells) + "a":  problemFields,
		strings.Repeat(",", 2*maxCells):        "",
		strings.Repeat("\"\",", 2*maxCells):    "",
		strings.Repeat(",", 2*maxCells) + "\"": problemOpenQuote,
	} {
		s := scan(line)
		if s.problem != want || len(s.cells) > maxCells || s.blank() != (want == "") {
			t.Errorf("%.20s…: problem %q, %d cells, blank %t, want %q", line, s.problem, len(s.cells), s.blank(), want)
		}
	}
}
