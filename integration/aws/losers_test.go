// The rule for a used request token on LocalStack, and what the losers of a race leave
// there.

package aws

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
)

// TestReusedToken pins the rule on which a candidate's ID relies: a request token that is
// a version's ID is ignored with the same value, and refused with another.
func TestReusedToken(t *testing.T) {
	w, name := newWorld(t), need.Prefix(t)+"single"
	put := func(token, value string) error {
		_, err := w.client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: &name, ClientRequestToken: &token, SecretString: &value, VersionStages: []string{"tokenstore-test"},
		})
		return err
	}
	if _, err := w.client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("0")}); err != nil {
		t.Fatal(err)
	}
	const token = "a-request-token-of-32-or-more-characters"
	for range 2 {
		if err := put(token, "1"); err != nil {
			t.Fatal(err)
		}
	}
	var exists *types.ResourceExistsException
	if err := put(token, "2"); !errors.As(err, &exists) {
		t.Errorf("another value: %v", err)
	}
	out, err := w.client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name, VersionId: aws.String(token)})
	if err != nil || *out.SecretString != "1" {
		t.Errorf("the version holds %q, %v", aws.ToString(out.SecretString), err)
	}
}

// TestLosersLeaveNoVersions lets several processes replace one revision at once.
func TestLosersLeaveNoVersions(t *testing.T) {
	w, name := newWorld(t), need.Prefix(t)+"single"
	s, err := w.secrets()
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.Put(t.Context(), driver.Secret{Name: name, Data: []byte(`{"n":"0"}`)})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		revisions, errs := make([]string, 8), make([]error, 8)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range errs {
			other, err := w.secrets()
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				<-start
				revisions[i], errs[i] = other.Put(t.Context(), driver.Secret{Name: name, Data: fmt.Appendf(nil, `{"n":"%d by %d"}`, round, i), Revision: base})
			})
		}
		close(start)
		wg.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0:
				t.Fatalf("both %d and %d have won", won, i)
			case err == nil:
				won = i
			case !errors.Is(err, driver.ErrConflict):
				t.Error(err)
			}
		}
		now, err := s.Get(t.Context(), name)
		if err != nil || won < 0 || now.Revision != revisions[won] || string(now.Data) != fmt.Sprintf(`{"n":"%d by %d"}`, round, won) {
			t.Fatalf("%d has won, and the secret is %s, %v", won, now.Data, err)
		}
		base = now.Revision
		d, err := w.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(d.VersionIdsToStages); n != 2 {
			t.Errorf("%d versions: %v", n, d.VersionIdsToStages)
		}
	}
}
