package secretstore_test

import (
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestExistsTellsAnEmptyStoreFromNone: a store whose last token was deleted is there,
// and what another prefix holds is not.
func TestExistsTellsAnEmptyStoreFromNone(t *testing.T) {
	for name, options := range map[string][]secretstore.Option{
		"entries": nil, "document": {secretstore.WithDocument(1)},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := memory.New()
			s, err := secretstore.New(secrets, options...)
			if err != nil {
				t.Fatal(err)
			}
			elsewhere, err := secretstore.New(secrets, append(options, secretstore.WithPrefix("elsewhere/"))...)
			if err != nil {
				t.Fatal(err)
			}
			exists := func(s *secretstore.Store, want bool) {
				t.Helper()
				if got, err := s.Exists(t.Context()); got != want || err != nil {
					t.Errorf("exists is %t, %v, want %t", got, err, want)
				}
			}
			exists(s, false)
			if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", RefreshToken: "fake-r"}); err != nil {
				t.Fatal(err)
			}
			exists(s, true)
			exists(elsewhere, false)
			if err := s.DeleteTokens(t.Context()); err != nil {
				t.Fatal(err)
			}
			exists(s, true)
		})
	}
}
