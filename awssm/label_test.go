package awssm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

// Without AWS behind it a process has its own label.
func TestLabelsOfTheirOwnOffAWS(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	for endpoint, private := range map[string]bool{
		"":                       false,
		"http://127.0.0.1:4566":  true,
		"https://localstack.dev": true,
		"https://secretsmanager.eu-central-1.amazonaws.com":                 false,
		"https://vpce-1-2.secretsmanager.eu-west-1.vpce.amazonaws.com/":     false,
		"https://secretsmanager.cn-north-1.amazonaws.com.cn":                false,
		"https://secretsmanager.eu-central-1.api.aws":                       false,
		"https://secretsmanager.eu-central-1.amazonaws.com.hush.example:99": true,
	} {
		client := b.service.Client(func(o *secretsmanager.Options) {
			if endpoint != "" {
				o.BaseEndpoint = aws.String(endpoint)
			}
		})
		one, two := b.another(client), b.another(client)
		if one.private != private || private == (one.label == two.label) {
			t.Errorf("%q: labels %s and %s, private: %v", endpoint, one.label, two.label, one.private)
		}
	}
}

// Processes that write one secret on LocalStack concurrently lose no write and no version,
// and leave no labels behind.
func TestProcessesOnLocalStack(t *testing.T) {
	b := onEmulator(t)
	b.put("a/x", `{"n":"0"}`, "")
	const writers, each = 8, 12
	var wg sync.WaitGroup
	for range writers {
		s := b.another(b.emulator())
		wg.Go(func() {
			for done := 0; done < each; {
				secret, err := s.Get(t.Context(), "a/x")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_, _ = fmt.Sscanf(string(secret.Data), `{"n":"%d"}`, &n)
				time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
				switch _, err = s.Put(t.Context(), driver.Secret{Name: "a/x", Data: fmt.Appendf(nil, `{"n":"%d"}`, n+1), Revision: secret.Revision}); {
				case err == nil:
					done++
				case !errors.Is(err, driver.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.wantData("a/x", fmt.Sprintf(`{"n":"%d"}`, writers*each))
	if n := b.service.Labels("a/x"); n > writers+3 {
		t.Errorf("%d labels", n)
	}
	b.clock.Advance(time.Hour)
	b.secrets = b.another(b.emulator())
	b.put("a/x", `{"n":"last"}`, b.get("a/x").Revision)
	if n := b.service.Labels("a/x"); n > 2 {
		t.Errorf("%d labels after the clean-up", n)
	}
}

// With one shared label this loses the current version: the fake must show why the labels
// are private.
func TestSharedLabelOnLocalStackDamages(t *testing.T) {
	b := onEmulator(t)
	r := b.put("a/x", `{"n":"1"}`, "")
	one, two := b.another(b.emulator()), b.another(b.emulator())
	two.label = one.label
	came := false
	b.service.Before(func(op, _ string) {
		if op == "UpdateSecretVersionStage" && !came {
			came = true
			stored, err := b.service.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
				SecretId: aws.String("a/x"), SecretString: aws.String(`{"n":"2"}`), VersionStages: []string{two.label},
				ClientRequestToken: aws.String(newVersion()),
			})
			if err != nil || stored == nil {
				t.Error(err)
			}
		}
	})
	_, err := one.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"3"}`), Revision: r})
	b.service.Before(nil)
	if err == nil || b.get("a/x").Revision != noCurrent {
		t.Errorf("the secret is whole, %v", err)
	}
}
