package command

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
	"github.com/spf13/cobra"
)

// TestReportShowsWhatIsNearALimit prints the report of an index of very many
// secrets: the two that are nearly full stand at the top, and the others, which
// would fill pages, are added up.
func TestReportShowsWhatIsNearALimit(t *testing.T) {
	var report secretstore.Report
	for i := range 1000 {
		report.Index = append(report.Index, index.Stat{Name: fmt.Sprintf("index/%04d", i), Keys: 1, Hints: 2, Size: 100, MaxSize: 1000, MaxWrites: 90})
	}
	report.Index[700].Size = 990
	report.Index[300].WritesToday = 87
	var out bytes.Buffer
	command := &cobra.Command{}
	command.SetOut(&out)
	if err := printReport(command, report); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(out.String(), "INDEX")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != mostStats+2 {
		t.Fatalf("%d lines, want a header, %d secrets and their sum:\n%s", len(lines), mostStats, table)
	}
	for i, want := range map[int][]string{
		1:             {"index/0700", "1", "2", "990", "1000", "0", "90"},
		2:             {"index/0300", "1", "2", "100", "1000", "87", "90"},
		mostStats + 1: {"980", "others,", "less", "full", "980", "1960", "98000", "0"},
	} {
		if got := strings.Fields(lines[i]); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
}

// TestReportIsShownBesideABrokenIndexSecret repairs a store one of whose index
// secrets a person has broken: what was done is shown, and what is to be done.
func TestReportIsShownBesideABrokenIndexSecret(t *testing.T) {
	secrets := memory.New()
	tokenstore.Register("broken", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		return secretstore.New(secrets)
	})
	store, err := secretstore.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"}); err != nil {
		t.Fatal(err)
	}
	entry := "tokenstore/index/" + index.Hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "fake-refresh"}, nil)
	secrets.Edit(entry, []byte("{"))
	for _, command := range []string{"check", "reindex"} {
		code, out, errs := try(t, "", command, "broken:")
		if code != exitIncomplete || !strings.Contains(out, "tokens") || !strings.Contains(errs, entry) || !strings.Contains(errs, "delete this secret") {
			t.Errorf("%s: exit code %d\n%s%s", command, code, out, errs)
		}
	}
	secrets.Remove(entry)
	if code, _, errs := try(t, "", "reindex", "broken:"); code != exitOK {
		t.Errorf("after it was deleted: exit code %d\n%s", code, errs)
	}
}

// TestCheckShowsWhatAPersonShouldLookAt checks a store in which somebody has pasted a
// credential with a line break, and an expiry that cannot be understood.
func TestCheckShowsWhatAPersonShouldLookAt(t *testing.T) {
	secrets := memory.New()
	tokenstore.Register("edited", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		return secretstore.New(secrets)
	})
	store, err := secretstore.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", RefreshToken: "fake-refresh"})
	if err != nil {
		t.Fatal(err)
	}
	name := "tokenstore/tokens/" + saved.ID
	secret, err := secrets.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit(name, bytes.Replace(secret.Data, []byte(`"fake-refresh"`), []byte(`"fake-refresh\n","expiry_time":"soon"`), 1))
	// The edit has changed a key, which a reindex adds.
	if code, out, errs := try(t, "", "reindex", "edited:"); code != exitOK || !strings.Contains(out, "expiry_time") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs := try(t, "", "check", "edited:")
	if code != exitIncomplete || !strings.Contains(out, "refresh_token: white space") || !strings.Contains(out, "expiry_time") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if _, out, _ = try(t, "", "check", "edited:", "--json"); !strings.Contains(out, `"warnings": [`) {
		t.Errorf("as JSON:\n%s", out)
	}
}
