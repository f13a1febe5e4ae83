// What a find costs beside the bare client, in the same process and on the same fake service.

package awssm

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
)

// BenchmarkFind finds a token by its user; "bare" reads the same secret with the SDK alone,
// and decodes it in the same way.
func BenchmarkFind(b *testing.B) {
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	client := service.Client()
	store, err := New(client, WithClock(clock.Now, clock.Sleep))
	if err != nil {
		b.Fatal(err)
	}
	saved, err := store.SaveToken(b.Context(), tokenstore.OAuthToken{UserName: "fake@example.com:600", ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: "fake-refresh", AccessToken: "fake-access"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.FindToken(b.Context(), tokenstore.OAuthToken{UserName: saved.UserName}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		name, err := SecretName(store.SecretName(saved.ID))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			out, err := client.GetSecretValue(b.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
			if err != nil {
				b.Fatal(err)
			}
			if token, err := tokenstore.DecodeToken([]byte(*out.SecretString)); err != nil || token != saved {
				b.Fatal(token, err)
			}
		}
	})
}
