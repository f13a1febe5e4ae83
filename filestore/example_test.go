package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	store, err := filestore.Open(filepath.Join(dir, "sdk_tokens.txt"))
	if err != nil {
		log.Fatal(err)
	}
	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{
		UserName: "amelia@zylker.example:1", ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: "1000.fake-refresh",
	})
	if err != nil {
		log.Fatal(err)
	}
	found, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "amelia@zylker.example:1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found == saved, found)
	// Output: true OAuthToken{id: "1", user: "amelia@zylker.example:1", api domain: "", has: client_id client_secret refresh_token}
}

func ExampleRead() {
	file := strings.NewReader(`id,user_mail,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain
1,amelia@zylker.example:1,1000.CLIENT,fake-secret,1000.fake-refresh,,,,,https://www.zohoapis.com
2,bruno@zylker.example:2,1000.CLIENT,fake,secret,1000.fake-refresh,,,,,https://www.zohoapis.com`)
	rows, err := filestore.Read(context.Background(), file)
	for _, r := range rows {
		fmt.Printf("line %d: %s\n", r.Line, r.Token.UserName)
	}
	var unreadable *filestore.UnreadableError
	if errors.As(err, &unreadable) {
		for _, l := range unreadable.Lines {
			fmt.Println(l)
		}
	}
	// Output:
	// line 2: amelia@zylker.example:1
	// line 3: 11 fields instead of 10; a value with a comma may lack its quotes
}
