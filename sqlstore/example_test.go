package sqlstore_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

func ExampleOpenSQLite() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	store, err := sqlstore.OpenSQLite(ctx, filepath.Join(dir, "tokens.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{
		UserName: "amelia@zylker.example:60001234567", ClientID: "1000.CLIENT", ClientSecret: "fake-secret",
		RefreshToken: "1000.fake-refresh", AccessToken: "1000.fake-access", APIDomain: "https://www.zohoapis.eu",
	})
	if err != nil {
		log.Fatal(err)
	}
	found, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "amelia@zylker.example:60001234567"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found == saved, found)

	_, err = store.FindToken(ctx, tokenstore.OAuthToken{UserName: "nobody"})
	fmt.Println(errors.Is(err, tokenstore.ErrNotFound))
	// Output:
	// true OAuthToken{id: "1", user: "amelia@zylker.example:60001234567", api domain: "https://www.zohoapis.eu", has: client_id client_secret refresh_token access_token}
	// true
}

func ExampleNew() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // Each connection to :memory: has a memory of its own.

	store, err := sqlstore.New(ctx, db, sqlstore.SQLite(), sqlstore.WithTable("crm_tokens"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "amelia", AccessToken: "1000.fake-access"}); err != nil {
		log.Fatal(err)
	}
	var user string
	if err := db.QueryRowContext(ctx, "select user_name from crm_tokens").Scan(&user); err != nil {
		log.Fatal(err)
	}
	fmt.Println(user)
	// Output: amelia
}

// A server needs the driver's configuration. The password comes from where the program
// keeps its secrets.
func ExampleOpenMySQL() {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", "db.example.com:3306", "zohooauth"
	config.User, config.Passwd = "app", os.Getenv("MYSQL_PWD")
	config.TLS = &tls.Config{ServerName: "db.example.com", MinVersion: tls.VersionTLS12}

	store, err := sqlstore.OpenMySQL(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()
}
