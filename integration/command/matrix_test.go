package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
	"example.com/tokenstore/command"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	_ "example.com/tokenstore/filestore"
	_ "example.com/tokenstore/gcpsm"
	_ "example.com/tokenstore/sqlstore"
	_ "example.com/tokenstore/vault"
)

// long says that the full suites are wanted, which take minutes.
func long() bool { return os.Getenv("TOKENSTORE_LONG") != "" }

// TestMatrix imports from each kind of store into each other, and compares: nothing is lost
// or changed on any way, nor on the way through a backup. An ordinary run goes round: each place is once the source and once
// the destination. The long run goes through all pairs, those of two stores of one kind too.
func TestMatrix(t *testing.T) {
	for i, from := range places {
		for j, to := range places {
			if next := (i + 1) % len(places); j != next && !long() {
				continue
			}
			t.Run(from.name+"-to-"+to.name, func(t *testing.T) {
				source, destination := from.open(t), to.open(t)
				n := fill(t, source)
				inside(t, 0, fmt.Sprintf("%d rows: %d created", n, n), "import", source, "--to", destination)
				inside(t, 0, fmt.Sprintf("%d same\n", n), "compare", source, destination)
				inside(t, 0, fmt.Sprintf("%d rows: %d already there", n, n), "import", source, "--to", destination)
				inside(t, 0, fmt.Sprintf("%d same\n", n), "compare", destination, source)
				file, restored := filepath.Join(t.TempDir(), "tokens.backup"), to.open(t)
				inside(t, 0, fmt.Sprintf("%d tokens backed up", n), "backup", source, file, "--plain", "--yes")
				inside(t, 0, fmt.Sprintf("%d rows: %d created", n, n), "restore", file, restored)
				inside(t, 0, fmt.Sprintf("%d same\n", n), "compare", source, restored)
			})
		}
	}
}

// fill saves tokens of every shape in a store, and returns how many there are.
func fill(t *testing.T, at string) int {
	t.Helper()
	store, err := tokenstore.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	tokens := []tokenstore.OAuthToken{
		{UserName: "amelia@zylker.example:1", ClientID: "1000.CLIENT", ClientSecret: `fake "secret", <with> \signs`, RefreshToken: "1000.fake-refresh-1",
			AccessToken: "1000.fake-access-1", GrantToken: "1000.fake-grant-1", Expiry: time.UnixMilli(1_795_600_000_123),
			RedirectURL: "https://app.example/callback?a=b&c=d", APIDomain: "https://www.zohoapis.example"},
		{UserName: "Amelia@zylker.example:1", ClientID: "1000.CLIENT", ClientSecret: "fake", RefreshToken: "1000.fake-refresh-A"}, // Another user.
		{UserName: "学院, \"o'brien\"@zylker.example:3", ClientID: "1000.CLIENT", ClientSecret: "fake", RefreshToken: "1000.fake-refresh-3", AccessToken: "1000.fake-access-3"},
		{UserName: "few@zylker.example:4", AccessToken: "1000.fake-access-4"},
		{ClientID: "1000.CLIENT", ClientSecret: "fake", RefreshToken: "1000.fake-refresh-5"}, // Without a user.
		{ClientID: "1000.CLIENT", ClientSecret: "fake", GrantToken: "1000.fake-grant-6"},
		{ID: "A given/ID…", UserName: "given@zylker.example:7", RefreshToken: "1000.fake-refresh-7", Expiry: time.UnixMilli(1_500_000_000_001), AccessToken: strings.Repeat("1000.fake-", 100)},
	}
	for _, token := range tokens {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return len(tokens)
}

// inside runs the command in this process, which alone can open what it has in memory.
func inside(t *testing.T, code int, says string, arguments ...string) {
	t.Helper()
	got, out := within(t.Context(), arguments...)
	if got != code || !strings.Contains(out, says) || strings.Contains(out, "fake-") {
		t.Fatalf("%s: exit code %d, want %d and %q\n%s", arguments[0], got, code, says, out)
	}
}

func within(ctx context.Context, arguments ...string) (code int, out string) {
	var screen bytes.Buffer
	code = command.Command{Stdin: strings.NewReader(""), Stdout: &screen, Stderr: &screen}.Run(ctx, arguments)
	return code, screen.String()
}

// TestImportInterrupted is TestImportKilled for what lives in this process: the import is
// interrupted instead.
func TestImportInterrupted(t *testing.T) {
	n := 300
	if long() {
		n = 3000
	}
	const writes = 4 // a hint of each of three keys, and the token
	source, whole := "file:"+tokenFile(t, n), fmt.Sprintf("%d finds by every key of every token: %d as moved, 0 not", 4*n, 4*n)
	secrets := &counted{Secrets: memory.New()}
	to := inMemory(t, secrets)
	for _, point := range points(n * writes) {
		ctx, cancel := context.WithCancel(t.Context())
		secrets.set(point)
		secrets.cancel = cancel
		code, out := within(ctx, "import", source, "--to", to)
		if ctx.Err() == nil || code == 0 {
			t.Fatalf("the import was to be interrupted at its write %d, and exits with %d\n%s", point, code, out)
		}
		cancel()
	}
	inside(t, 0, whole, "import", source, "--to", to)
	inside(t, 0, fmt.Sprintf("%d rows: %d already there", n, n), "import", source, "--to", to)
	inside(t, 0, fmt.Sprintf("%d same\n", n), "compare", source, to)
}

// counted are secrets that interrupt an import at a given write.
type counted struct {
	*memory.Secrets
	counter
	cancel context.CancelFunc
}

// Put implements driver.Secrets. The write at the point happens before the import is
// interrupted, or fails.
func (s *counted) Put(ctx context.Context, put driver.Secret) (string, error) {
	ends, here := s.count()
	switch {
	case here && ends.arrives:
		defer s.cancel()
	case here:
		s.cancel()
	}
	return s.Secrets.Put(ctx, put)
}
