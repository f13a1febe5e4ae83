package accountstest_test

import (
	"fmt"
	"log"
	"net/http"
	"net/url"

	"example.com/tokenstore/accountstest"
)

// A program that sends a refresh token again after it got no answer loses the user's consent, where
// refresh tokens are for one use.
func Example() {
	accounts := accountstest.NewServer(accountstest.Config{Kind: accountstest.RevokeFamily})
	defer accounts.Close()
	token := accounts.Login(accountstest.User{})
	accounts.Next(accountstest.Fault{LoseReply: true})

	for range 2 {
		resp, err := http.PostForm(accounts.TokenURL(), url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken},
			"client_id": {accounts.ClientID()}, "client_secret": {accounts.ClientSecret()},
		})
		if err != nil {
			fmt.Println("no answer")
			continue
		}
		if err := resp.Body.Close(); err != nil {
			log.Print(err)
		}
		fmt.Println(resp.Status)
	}
	fmt.Printf("%+v\n", accounts.Uses(token.RefreshToken))
	fmt.Println("families revoked:", accounts.Counts().FamiliesRevoked)
	// Output:
	// no answer
	// 400 Bad Request
	// {Requests:2 Redemptions:1 Second:1}
	// families revoked: 1
}
