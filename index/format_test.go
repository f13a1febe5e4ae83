package index_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// TestNothingShowsAChosenID prints, logs and marshals values with an ID that the caller
// has chosen, possibly from a refresh token.
func TestNothingShowsAChosenID(t *testing.T) {
	const chosen = "1000_fake_refresh_token"
	hint := index.Hint{ID: chosen, Generation: 7, Claimed: time.Unix(1_700_000_000, 0)}
	claim := index.Claim{Hash: hash(1), ID: chosen, Generation: 7}
	entry := index.Entry{Hash: hash(1), Hints: []index.Hint{hint, {ID: hash(2)}}}
	x := index.NewDocument(memory.New(), newClock().config())
	view := x.View()
	mustClaim(t, view, claim)
	entries := index.NewEntries(memory.New(), newClock().config())
	entriesView := entries.View()
	mustClaim(t, entriesView, claim)
	_, err := view.Claim(ctx, index.Claim{Hash: chosen, ID: chosen + "/", Generation: 7})
	for _, v := range []any{
		hint, &hint, []index.Hint{hint}, claim, &claim, []index.Claim{claim}, entry, &entry, []index.Entry{entry}, map[string]index.Hint{"a": hint},
		struct{ H index.Hint }{hint}, index.Claim{Hash: chosen}, x, view, entries, entriesView, err,
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		encoded, _ := json.Marshal(v)
		for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%s %q %d %x", v, v, v, v), log.String(), string(encoded)} {
			if strings.Contains(text, chosen) || strings.Contains(text, fmt.Sprintf("%x", chosen)) {
				t.Errorf("%T is shown as %s", v, text)
			}
		}
	}
	for _, want := range []string{hash(1), "10…", hash(2), "generation: 7", "2023-11-14T22:13:20Z"} {
		if got := entry.String(); !strings.Contains(got, want) {
			t.Errorf("%s does not show %s", got, want)
		}
	}
}
