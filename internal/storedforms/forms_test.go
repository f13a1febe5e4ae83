package storedforms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/sqlstore"
)

// form is one form in which tokens are stored.
type form struct {
	name, file string
	// open opens the store in a file, which is a copy. Closing it writes the file.
	open func(ctx context.Context, path string) (tokenstore.OpenStore, error)
	// engine says that the store is a secretstore.Store: it has an index and tombstones.
	engine bool
}

var forms = []form{
	engine("entries", secretstore.WithEntries()),
	engine("document-1", secretstore.WithDocument(1)),
	engine("document-16", secretstore.WithDocument(16), secretstore.WithoutAccessIndex()),
	engine("peppered", secretstore.WithEntries(), secretstore.WithPepper([]byte("a pepper of the tests"))),
	{name: "sqlite", file: "tokens.db", open: func(ctx context.Context, path string) (tokenstore.OpenStore, error) {
		return sqlstore.OpenSQLite(ctx, path)
	}},
	{name: "file", file: "tokens.txt", open: func(_ context.Context, path string) (tokenstore.OpenStore, error) {
		return filestore.Open(path)
	}},
}

// clock is when the fixtures were written.
var clock = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

// engine is the form of an engine with these options.
func engine(name string, options ...secretstore.Option) form {
	return form{name: name, file: name + ".json", engine: true, open: func(ctx context.Context, path string) (tokenstore.OpenStore, error) {
		secrets, err := load(ctx, path)
		if err != nil {
			return nil, err
		}
		now, ids := clock, 0
		// A second passes with each write, however often the store looks at its clock.
		ticking := drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
			if c.Method == drivertest.Put {
				now = now.Add(time.Second)
			}
			return do(ctx)
		})
		return secretstore.New(ticking, append(options,
			secretstore.WithScanLimit(0), secretstore.WithParallelism(1), // A find has the index alone.
			secretstore.WithClock(func() time.Time { return now }),
			secretstore.WithRandom(func() float64 { return 0.5 }),
			secretstore.WithSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() }),
			secretstore.WithRandomID(func() (string, error) { ids++; return fmt.Sprint("random", ids), nil }),
			secretstore.WithClose(func() error { return store(context.WithoutCancel(ctx), secrets, path) }),
		)...)
	}}
}

// load reads secrets from a file; there are none if there is no file.
func load(ctx context.Context, path string) (*memory.Secrets, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return memory.New(), nil
	}
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	secrets := memory.New()
	for name, value := range all {
		if _, err := secrets.Put(ctx, driver.Secret{Name: name, Data: value}); err != nil {
			return nil, err
		}
	}
	return secrets, nil
}

// store writes secrets into a file, one on a line, in the order of their names.
func store(ctx context.Context, secrets *memory.Secrets, path string) error {
	var names []string
	for name, err := range secrets.List(ctx, "") {
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	var lines []string
	for _, name := range names {
		secret, err := secrets.Get(ctx, name)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%q: %s", name, secret.Data))
	}
	return os.WriteFile(path, []byte("{\n"+strings.Join(lines, ",\n")+"\n}\n"), 0o600)
}

// deleted is the user whose token is deleted in every fixture.
const deleted = "deleted@zylker.example:4"

// write makes the tokens of a fixture in an empty store: with and without a
// user, with every field and few, with IDs of every shape, rotated, adopted and
// deleted.
func write(ctx context.Context, s tokenstore.Store) error {
	for _, token := range []tokenstore.OAuthToken{
		full("amelia@zylker.example:1", "one"),
		{UserName: "few@zylker.example:2", AccessToken: "1000.fake-access-few"},
		full("", "free"),
		full("学院@zylker.example:3", "wide"),
		full(deleted, "deleted"),
		with(full("given@zylker.example:5", "given"), func(t *tokenstore.OAuthToken) { t.ID = "A given/ID…" }),
		with(full("long@zylker.example:6", "long"), func(t *tokenstore.OAuthToken) { t.ID = strings.Repeat("long-", 30) }),
		full("", "adopted"),
		full("rotated@zylker.example:7", "before"),
		// And over these:
		full("adopts@zylker.example:8", "adopted"),
		full("rotated@zylker.example:7", "after"),
		{UserName: "amelia@zylker.example:1", AccessToken: "1000.fake-access-without-an-expiry"},
	} {
		if _, err := s.SaveToken(ctx, token); err != nil {
			return err
		}
	}
	gone, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: deleted})
	if err != nil {
		return err
	}
	return s.DeleteToken(ctx, gone.ID)
}

// full is a token with all fields but an ID. A text has what formats escape.
func full(user, name string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "1000.CLIENT", ClientSecret: `fake "secret", <with> \signs`,
		RefreshToken: "1000.fake-refresh-" + name, AccessToken: "1000.fake-access-" + name, GrantToken: "1000.fake-grant-" + name,
		Expiry: time.UnixMilli(1_795_600_000_123).UTC(), RedirectURL: "https://app.example/callback?a=b&c=d", APIDomain: "https://www.zohoapis.example",
	}
}

func with(token tokenstore.OAuthToken, change func(*tokenstore.OAuthToken)) tokenstore.OAuthToken {
	change(&token)
	return token
}

// texts is a token as NAME.tokens.json has it. It is spelled out here, so that
// it does not change with the library.
func texts(t tokenstore.OAuthToken) map[string]string {
	all := map[string]string{
		"id": t.ID, "user": t.UserName, "client id": t.ClientID, "client secret": t.ClientSecret, "refresh token": t.RefreshToken,
		"access token": t.AccessToken, "grant token": t.GrantToken, "redirect URL": t.RedirectURL, "API domain": t.APIDomain,
	}
	if !t.Expiry.IsZero() {
		all["expiry"] = t.Expiry.UTC().Format(time.RFC3339Nano)
	}
	for name, text := range all {
		if text == "" {
			delete(all, name)
		}
	}
	return all
}

func close(t *testing.T, s tokenstore.OpenStore) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
