package sqlstore

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientFile reads a file as MariaDB's my_print_defaults does: that gave the values.
func TestClientFile(t *testing.T) {
	const file = `[client]
x13=1
[other]
# a comment
; another
no group = 1
[client] # comments may be here
password=ab#cd
user = "quo#ted" # c
host='a\'b\\c\sd\qe'
socket="a" b
ssl_ca=a\tb
x1="unclosed
x2='a"b#c'
x3=a "b # c" # d
x4=\#a
x5="a\"#b"
x6='\\'
x7=
x8="
x9=""
database
[mysqld]
password=of the server
[CLIENT ]
x10 = a=b
[ client]
x11 = 1
[client-mariadb]
	x12 = last  
`
	want := clientFile{
		"password": "ab", "user": "quo#ted", "host": `a'b\c d\qe`, "socket": `"a" b`, "ssl-ca": "a\tb", "x1": `"unclosed`,
		"x2": `a"b#c`, "x3": `a "b # c"`, "x4": `\`, "x5": `a"#b`, "x6": `\`, "x7": "", "x8": `"`, "x9": "", "database": "",
		"x10": "a=b", "x12": "last", "x13": "1",
	}
	for name, text := range map[string]string{"lines": file, "CRLF": strings.ReplaceAll(file, "\n", "\r\n"), "BOM": "\xef\xbb\xbf" + file} {
		got, err := parseClientFile(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestClientFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, says string }{
		"include":  {"[client]\n!include /etc/hush.cnf\n", "line 2"},
		"folder":   {"!includedir /etc/hush/\n", "line 1"},
		"bracket":  {"\n\n[client hush\npassword=hush\n", "line 3"},
		"too long": {"[client]\n" + strings.Repeat("# hush\n", maxClientFile/7) + "password=hush\n", "larger"},
	} {
		path := filepath.Join(dir, "hush")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readClientFile(path)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	for _, path := range []string{filepath.Join(dir, "hush-none"), dir, ""} { // a folder is no file
		if _, err := readClientFile(path); err == nil || !strings.Contains(err.Error(), "permissions") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
}

// A file is read or refused. What is refused is not quoted, and no option is invented.
func FuzzClientFile(f *testing.F) {
	for _, seed := range []string{"[client]\npassword='a\\'b'#", "[client\n", "!include x", "[client]\n\"=\\\\\"", "[client]\na\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseClientFile(text)
		if err != nil {
			if file != nil || strings.ContainsAny(err.Error(), "\n=\\") {
				t.Errorf("%v, %v", file, err)
			}
			return
		}
		for name, value := range file {
			if len(name)+len(value) > len(text) || strings.TrimSpace(name) != name {
				t.Errorf("%q = %q", name, value)
			}
		}
	})
}
