// Files that are taken for token files and are none: what to say of them. None of them
// is ever read as what it is; a pickle runs the code that is in it.

package filestore

import (
	"regexp"
	"strings"
)

const (
	// asCSV is what helps with most of them.
	asCSV = "save its tokens as CSV with the header user_name,client_id,client_secret,refresh_token,access_token,expiry_time"

	foreignPickle = "the file is a Python pickle, as the Python SDK 1 keeps its tokens; it is not loaded, because that could run code; " +
		"read it where it was written, and " + asCSV
	foreignPHP        = "the file is serialized PHP, as the PHP SDK 1 keeps its tokens; " + asCSV
	foreignJava       = "the file is serialized Java objects; " + asCSV
	foreignJSON       = "the file is JSON, as the Node SDK 1 keeps its tokens; " + asCSV
	foreignProperties = "the file is properties (name=value), as the Java SDK 1 keeps its tokens; " + asCSV
	foreignXML        = "the file is XML or HTML; " + asCSV
	foreignSQL        = "the file is an SQL dump; load it into SQLite (sqlite3 tokens.db < the file) and name the database with a URL that begins with sqlite:"
	foreignDump       = "the file is a dump in a format of PostgreSQL's own; export the table as CSV with a header instead"
	foreignSemicolons = "the file is separated by semicolons; save it with commas between the values"
	foreignTabs       = "the file is separated by tabs; save it with commas between the values"
	foreignBars       = "the file is a printed table; export it as CSV with a header instead"
	foreignWorkbook   = "the file is a spreadsheet or another ZIP archive; save the sheet as CSV with commas"
	foreignGzip       = "the file is compressed; unpack it first"
	foreignYAML       = "the file is YAML; " + asCSV
	foreignUTF16      = "the file is UTF-16; save it as UTF-8"
	foreignDatabase   = "the file is a SQLite database; name it with a URL that begins with sqlite: instead of file:"
)

// foreignBytes are the bytes that tell a binary file.
var foreignBytes = []struct{ start, is string }{
	{"\x80\x02", foreignPickle}, {"\x80\x03", foreignPickle}, {"\x80\x04", foreignPickle}, {"\x80\x05", foreignPickle},
	{"\xff\xfe", foreignUTF16}, {"\xfe\xff", foreignUTF16},
	{"SQLite format 3\x00", foreignDatabase},
	{"\xac\xed\x00\x05", foreignJava},
	{"PGDMP", foreignDump},
	{"PK\x03\x04", foreignWorkbook}, {"\xd0\xcf\x11\xe0", foreignWorkbook},
	{"\x1f\x8b", foreignGzip},
}

// foreignStarts are the beginnings that tell such a file.
var foreignStarts = []struct {
	start *regexp.Regexp
	is    string
}{
	// A pickle of protocol 0 or 1: a dictionary, a list, a tuple or an object.
	{regexp.MustCompile(`\A(\(?[dlt]p\d+\r?\n|[(}\])]?q\x00|\(i?c?[\w.]+\r?\n[\w.]+\r?\n|c[\w.]+\r?\n\w+\r?\n(p\d|q|\())`), foreignPickle},
	{regexp.MustCompile(`\A\s*([abdisOCE]:[\d.+-]+[:;]|N;\s*\z)`), foreignPHP},
	{regexp.MustCompile(`\A(%YAML|---\s*\n)`), foreignYAML},
	{regexp.MustCompile(`\A\s*<[?!A-Za-z]`), foreignXML},
	{regexp.MustCompile(`\A\s*[{\[]\s*(["'{\[\]}]|\z)`), foreignJSON},
	{regexp.MustCompile(`(?i)\A\s*(--|/\*|(CREATE|DROP|ALTER|LOCK)\s+TABLE\b|INSERT\s+INTO\b|REPLACE\s+INTO\b|PRAGMA\s|BEGIN\s*(TRANSACTION)?\s*;|START\s+TRANSACTION|COPY\s+[\w."]+\s*\(|SET\s+[@\w]+\s*=|USE\s)`), foreignSQL},
	{regexp.MustCompile(`\A\s*[+|][-+| ]*[-| ]`), foreignBars},
}

// property matches a line of a file of properties: name=value or name: value, of a name
// without commas.
var property = regexp.MustCompile(`\A\s*(export\s+)?[A-Za-z_][\w.\- ]*[=:].*\z`)

// foreignFile says what a file is that is no token file for certain, or nothing.
func foreignFile(text string) string {
	for _, f := range foreignBytes {
		if strings.HasPrefix(text, f.start) {
			return f.is
		}
	}
	for _, f := range foreignStarts {
		if f.start.MatchString(text[:min(len(text), foreignHead)]) {
			return f.is
		}
	}
	line := ""
	for line == "" && text != "" {
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "!") {
			line = "" // A comment, as the Java SDK writes one at the top.
		}
	}
	switch fields := strings.Count(line, ",") + 1; {
	case strings.Count(line, ";") >= minSeparators && fields <= strings.Count(line, ";"):
		return foreignSemicolons
	case strings.Count(line, "\t") >= minSeparators && fields <= strings.Count(line, "\t"):
		return foreignTabs
	case strings.Count(line, "|") >= minSeparators && fields <= strings.Count(line, "|"):
		return foreignBars
	case fields == 1 && property.MatchString(line):
		return foreignProperties
	}
	return ""
}

const (
	foreignHead   = 512 // How much of a file the expressions look at.
	minSeparators = 2
)
