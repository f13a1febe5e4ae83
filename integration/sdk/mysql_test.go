package sdk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/sqlstore"
)

// mysqlTable is the table as the SDKs' documentation creates it.
const mysqlTable = `create table oauthtoken (id varchar(10) not null, user_name varchar(255), client_id varchar(255),
	client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
	expiry_time varchar(20), redirect_url varchar(255), api_domain varchar(255), primary key (id))`

// newDatabase returns the URL of a database of its own with the SDKs' table.
func newDatabase(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(need.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "sdk_" + strings.ReplaceAll(strings.Trim(need.Prefix(t), "/"), "-", "_")
	open := func(database string) *sql.DB {
		c := mysql.NewConfig()
		c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", u.Host, u.Query().Get("user"), os.Getenv("MYSQL_PWD"), database
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	run := func(db *sql.DB, statement string) {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	server := open("")
	// With the server's default, latin1, the SDKs fail on users in other letters.
	run(server, "create database "+name+" character set utf8mb4")
	t.Cleanup(func() { run(server, "drop database "+name) })
	run(open(name), mysqlTable)
	u.Path = "/" + name
	return u.String()
}

func openURL(t *testing.T, rawURL string) *sqlstore.Store {
	t.Helper()
	s, err := tokenstore.Open(context.Background(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*sqlstore.Store)
}

// TestMySQLTable takes turns with each SDK's DBStore on one table: each reads what the
// other wrote, field by field.
func TestMySQLTable(t *testing.T) {
	eachSDK(t, func(t *testing.T, p *sdk) {
		ctx := context.Background()
		place := newDatabase(t)
		s := openURL(t, place)

		theirs := p.save(t, place, sqliteToken("学院@zylker.example:7", "sdk"))
		if got, err := s.FindTokenByID(ctx, "1"); err != nil || got != theirs {
			t.Errorf("Go reads %v, %v, want %v", got, err, theirs)
		}
		ours, err := s.SaveToken(ctx, sqliteToken("amelia@zylker.example:6", "go"))
		if err != nil || ours.ID != "2" {
			t.Fatalf("saved %v, %v", ours, err)
		}
		bare, err := s.SaveToken(ctx, tokenstore.OAuthToken{AccessToken: "bare-access"})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.list(t, place); len(got) != 3 || got[0] != theirs || got[1] != ours || got[2] != bare {
			t.Errorf("the SDK lists %v", got)
		}
		if got := p.byID(t, place, "2"); got != ours {
			t.Errorf("the SDK finds %v by ID", got)
		}
		for _, query := range []tokenstore.OAuthToken{
			{UserName: ours.UserName}, {AccessToken: ours.AccessToken},
			{GrantToken: ours.GrantToken, ClientID: ours.ClientID, ClientSecret: ours.ClientSecret},
			{RefreshToken: ours.RefreshToken, ClientID: ours.ClientID, ClientSecret: ours.ClientSecret},
		} {
			if got := p.find(t, place, query); got != ours {
				t.Errorf("the SDK finds %v by %v", got, query)
			}
		}
		if got, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: "AMELIA@zylker.example:6"}); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("Go finds %v, %v in another case, want ErrNotFound", got, err)
		}

		p.save(t, place, tokenstore.OAuthToken{UserName: ours.UserName, AccessToken: "fresh-sdk", Expiry: time.UnixMilli(1763907200000).UTC()})
		changed := ours
		changed.AccessToken, changed.Expiry = "fresh-sdk", time.UnixMilli(1763907200000).UTC()
		if got, err := s.FindToken(ctx, tokenstore.OAuthToken{AccessToken: "fresh-sdk"}); err != nil || got != changed {
			t.Errorf("Go reads %v, %v, want %v", got, err, changed)
		}
		if again := p.save(t, place, sqliteToken("third", "third")); again.ID != "4" {
			t.Errorf("the SDK inserted the ID %q, want 4", again.ID)
		}
		p.delete(t, place, "4")
		if err := s.DeleteToken(ctx, "1"); err != nil {
			t.Fatal(err)
		}
		if got := p.list(t, place); len(got) != 2 || got[0] != changed {
			t.Errorf("the SDK lists %v", got)
		}
		if again, err := s.SaveToken(ctx, sqliteToken("fifth", "fifth")); err != nil || again.ID == "" || again.ID == "1" {
			t.Errorf("saved %v, %v", again, err)
		}
		p.call(t, request{Op: "delete all", Path: place})
		if got, err := s.GetTokens(ctx); err != nil || len(got) != 0 {
			t.Errorf("Go lists %v, %v", got, err)
		}
	})
}

// TestMySQLTableAtTheSameTime has both write at the same time: no row and no field is lost.
func TestMySQLTableAtTheSameTime(t *testing.T) {
	const rounds = 25
	eachSDK(t, func(t *testing.T, p *sdk) {
		ctx := context.Background()
		place := newDatabase(t)
		s := openURL(t, place)
		p.save(t, place, tokenstore.OAuthToken{ID: "py", UserName: "shared", AccessToken: "shared-access"})
		failed := make(chan error, 1)
		go func() {
			var err error
			for i := 0; i < rounds && err == nil; i++ {
				if _, err = s.SaveToken(ctx, sqliteToken(fmt.Sprint("go-", i), fmt.Sprint("go-", i))); err == nil {
					_, err = s.SaveToken(ctx, tokenstore.OAuthToken{UserName: "shared", APIDomain: "domain", AccessToken: "shared-access", GrantToken: fmt.Sprint("go-", i)})
				}
			}
			failed <- err
		}()
		refused := 0
		save := func(token tokenstore.OAuthToken) {
			// A deadlock fails an SDK's statement as it would beside another SDK.
			for range 50 {
				if p.try(t, request{Op: "save", Path: place, Token: encoded(t, token)}).Error == "" {
					return
				}
				refused++
			}
			t.Errorf("the SDK could not save %v", token)
		}
		for i := range rounds {
			token := sqliteToken(fmt.Sprint("sdk-", i), fmt.Sprint("sdk-", i))
			token.ID = fmt.Sprint("py", i) // Its own numbering reuses IDs, as it compares them as strings.
			save(token)
			save(tokenstore.OAuthToken{UserName: "shared", AccessToken: "shared-access", RefreshToken: fmt.Sprint("sdk-", i)})
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		mine, err := s.GetTokens(ctx)
		if err != nil {
			t.Fatal(err)
		}
		theirs := map[string]tokenstore.OAuthToken{}
		for _, token := range p.list(t, place) {
			theirs[token.ID] = token
		}
		if len(mine) != len(theirs) || len(mine) != 2*rounds+1 {
			t.Fatalf("Go lists %d tokens, the SDK %d, want %d", len(mine), len(theirs), 2*rounds+1)
		}
		for _, token := range mine {
			if theirs[token.ID] != token {
				t.Errorf("Go reads %v, the SDK %v", token, theirs[token.ID])
			}
		}
		for i := range rounds {
			for _, by := range []string{"go-", "sdk-"} {
				user := fmt.Sprint(by, i)
				got, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: user})
				want := sqliteToken(user, user)
				want.ID = got.ID
				if err != nil || got != want {
					t.Errorf("%s: %v, %v", user, got, err)
				}
			}
		}
		got, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: "shared"})
		if err != nil || got.GrantToken != fmt.Sprint("go-", rounds-1) || got.RefreshToken != fmt.Sprint("sdk-", rounds-1) {
			t.Errorf("the shared token lost a field: %v, %v", got, err)
		}
		t.Logf("%d saves of the SDK were refused", refused)
	})
}
