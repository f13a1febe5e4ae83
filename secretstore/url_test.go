package secretstore_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

func TestURLOptions(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, says := range map[string]string{
		"":                                   "", // As from a variable that is not set.
		filepath.Join(folder, "fake-secret"): "",
		folder:                               "",
		file("empty", ""):                    "1 to 4096 bytes",
		file("line", "\r\n"):                 "1 to 4096 bytes",
		file("large", strings.Repeat("x", 4097)+"\r\n"): "1 to 4096 bytes",
	} {
		_, err := secretstore.URLOptions(&url.URL{Scheme: "x", RawQuery: url.Values{secretstore.ParamPepperFile: {path}}.Encode()})
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), folder) {
			t.Errorf("%q: %v", filepath.Base(path), err)
		}
	}
	for _, parameter := range []string{secretstore.ParamRotating, secretstore.ParamAccessIndex} {
		for text, want := range map[string]int{"true": 1, "false": 0, "": -1, "1": -1, "fake-secret": -1} {
			options, err := secretstore.URLOptions(&url.URL{Scheme: "x", RawQuery: url.Values{parameter: {text}}.Encode()})
			if (err != nil) != (want < 0) || err == nil && len(options) != want || err != nil && (!errors.Is(err, tokenstore.ErrInvalidArgument) || strings.Contains(err.Error(), "fake")) {
				t.Errorf("%s=%q: %d options, %v", parameter, text, len(options), err)
			}
		}
	}
	if options, err := secretstore.URLOptions(&url.URL{}); err != nil || len(options) != 0 {
		t.Errorf("without the parameter: %d options, %v", len(options), err)
	}
}
