package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// foreign are files that are no token files, with what is said of them.
var foreign = map[string]struct{ text, says string }{
	"pickle 2":          {"\x80\x02]q\x00c__main__\nOAuthToken\nq\x01)\x81", "Python pickle"},
	"pickle 4":          {"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a", "Python pickle"},
	"pickle 5":          {"\x80\x05K\x01.", "Python pickle"},
	"pickle 0 of a map": {"(dp0\nS'refresh_token'\np1\nS'1000.fake'\np2\ns.", "Python pickle"},
	"pickle 0, list":    {"(lp0\nccopy_reg\n_reconstructor\np1\n", "Python pickle"},
	"pickle 0, object":  {"ccopy_reg\n_reconstructor\np0\n(czcrmsdk.OAuthClient.ZohoOAuthTokens\n", "Python pickle"},
	"pickle 0, old":     {"(iZohoOAuth.OAuthUtility\nZohoOAuthTokens\np0\n", "Python pickle"},
	"php list":          {`a:1:{i:0;O:37:"zcrmsdk\oauth\utility\ZohoOAuthTokens":4:{s:1:"x";s:9:"1000.fake";}}`, "serialized PHP"},
	"php object":        {`O:8:"stdClass":1:{s:1:"a";s:9:"1000.fake";}`, "serialized PHP"},
	"java":              {"\xac\xed\x00\x05sr\x00\x13java.util.ArrayList", "serialized Java"},
	"json object":       {"{\n \"tokens\": [{\"refresh_token\": \"1000.fake\", \"a\": 1, \"b\": 2}]}", "JSON"},
	"json list":         {`[{"user_identifier":"a","access_token":"1000.fake"}]`, "JSON"},
	"json, empty":       {"[]\n", "JSON"},
	"json behind a mark": {
		"\ufeff{\"a\":\"1000.fake\"}", "JSON"},
	"properties": {"#Sun Nov 23 12:13:20 UTC 2025\nclient_id=1000.fake\nclient_secret=1000.fake\n", "properties"},
	"properties, spaced": {
		"useremail = a@zylker.example\nrefreshtoken: 1000.fake\n", "properties"},
	"environment":            {"export ZOHO_REFRESH_TOKEN=1000.fake\n", "properties"},
	"semicolons":             {"id;user_name;refresh_token;access_token\n1;a;1000.fake;1000.fake\n", "separated by semicolons"},
	"semicolons, quoted":     {`"id";"user_name";"refresh_token"` + "\n" + `"1";"a, b";"1000.fake"` + "\n", "separated by semicolons"},
	"tabs":                   {"id\tuser_name\trefresh_token\n1\tana\t1000.fake\n", "separated by tabs"},
	"tabs without a header":  {"1\tana\t1000.C\ts\t1000.fake\t\\N\t\\N\n", "separated by tabs"},
	"bars":                   {"id|user_name|refresh_token\n1|ana|1000.fake\n", "printed table"},
	"mysql's table":          {"+----+------+\n| id | user |\n+----+------+\n| 1 | 1000.fake |\n", "printed table"},
	"psql's table":           {" id | user_name | refresh_token \n----+------+----\n 1 | a | 1000.fake\n", "printed table"},
	"sql dump, mysql":        {"-- MySQL dump 10.13\n\nINSERT INTO `oauthtoken` VALUES (1,'1000.fake');\n", "SQL dump"},
	"sql dump, sqlite":       {"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "SQL dump"},
	"sql dump, comment":      {"/*!40101 SET NAMES utf8 */;\n", "SQL dump"},
	"sql dump, copy":         {"COPY public.oauthtoken (id, user_name) FROM stdin;\n1\ta\n\\.\n", "SQL dump"},
	"sql of ten values":      {"insert into oauthtoken values (1,'a','1000.C','s','1000.fake','1000.fake','','1','','')\n", "SQL dump"},
	"create":                 {"create table oauthtoken (id int);", "SQL dump"},
	"pg_dump's own":          {"PGDMP\x01\x0e\x00", "PostgreSQL"},
	"a workbook":             {"PK\x03\x04\x14\x00\x06\x00", "spreadsheet"},
	"an old workbook":        {"\xd0\xcf\x11\xe0\xa1\xb1", "spreadsheet"},
	"gzip":                   {"\x1f\x8b\x08\x00", "compressed"},
	"xml":                    {"<?xml version=\"1.0\"?><tokens/>", "XML"},
	"html":                   {"<!DOCTYPE html><html>", "XML"},
	"yaml":                   {"---\ntokens:\n  - refresh_token: 1000.fake\n", "YAML"},
	"utf-16":                 {"\xff\xfei\x00d\x00,\x00", "UTF-16"},
	"utf-16, the other way":  {"\xfe\xff\x00i\x00d\x00,", "UTF-16"},
	"a database":             {"SQLite format 3\x00\x10\x00", "sqlite:"},
	"json behind blank line": {"\n\n{\"a\":\"1000.fake\"}", "JSON"},
}

// TestForeignFiles: nothing of them is read, one line says what they are and quotes
// nothing, and they are not written.
func TestForeignFiles(t *testing.T) {
	for name, f := range foreign {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.txt")
			if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
				t.Fatal(err)
			}
			store, err := filestore.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := store.GetTokens(t.Context())
			if tokens != nil || !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), f.says) {
				t.Errorf("%d tokens, %v", len(tokens), err)
			}
			if err != nil && (strings.ContainsAny(err.Error(), "\n\t") || strings.Contains(err.Error(), "fake") || strings.Count(err.Error(), "line ") != 1) {
				t.Errorf("it is not one line without a value: %v", err)
			}
			if reading, err := store.Source(t.Context()); reading.Rows != nil || !errors.Is(err, tokenstore.ErrUnreadable) {
				t.Errorf("as a source it has rows, or %v", err)
			}
			if _, err := store.SaveToken(t.Context(), fake); !errors.Is(err, tokenstore.ErrUnreadable) {
				t.Errorf("saved: %v", err)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != f.text {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// TestTokenFilesAreNotForeign reads what looks like something else at first sight.
func TestTokenFilesAreNotForeign(t *testing.T) {
	const rest = ",1000.C,s,1000.r,1000.a,,,,\n"
	for _, text := range []string{
		"N;1,u" + rest, "1,a;b;c" + rest, "1,a=b" + rest, "-1,u" + rest, "x:1,a|b|c" + rest, "1,a\tb\tc" + rest, "use,u" + rest,
		"refresh_token,access_token\n1000.r,1000.a\n", "user;name,u" + rest,
	} {
		rows, err := filestore.Read(t.Context(), strings.NewReader(text))
		if len(rows) != 1 || err != nil {
			t.Errorf("%q: %d rows, %v", text, len(rows), err)
		}
	}
}
