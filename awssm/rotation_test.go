// AWS's rotation: what its stages do to a token, and a function that changes a token without
// losing what programs save meanwhile.

package awssm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// rotation is the event with which Secrets Manager calls a rotation function, once for each
// step. https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_how.html
type rotation struct {
	Step, Secret, Version string // Step, SecretId and ClientRequestToken
}

// rotator changes the client secret of a token when Secrets Manager rotates the token's secret.
type rotator struct {
	client *secretsmanager.Client
	store  *secretstore.Store
	next   func(context.Context) (clientSecret string, err error) // from where it is kept
}

// handle handles one event. The token is changed in one step, as by tokenstore set: it may be
// repeated, and what programs save at the same time stays.
func (r rotator) handle(ctx context.Context, event rotation) error {
	switch event.Step {
	case "setSecret":
		return r.set(ctx, event)
	case "finishSecret":
		return r.finish(ctx, event)
	}
	return nil // createSecret and testSecret: there is no pending version.
}

func (r rotator) set(ctx context.Context, event rotation) error {
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &event.Secret})
	if err != nil {
		return err
	}
	stored, err := tokenstore.DecodeToken([]byte(aws.ToString(out.SecretString)))
	if err != nil {
		return err
	}
	secret, err := r.next(ctx)
	if err != nil {
		return err
	}
	for range 5 {
		row, err := r.store.FindNoted(ctx, tokenstore.OAuthToken{ID: stored.ID})
		if err != nil || row.ClientSecret == secret {
			return err
		}
		changed := tokenstore.OAuthToken{ClientSecret: secret}
		if _, swapped, err := r.store.SwapToken(ctx, row, changed, row.Note); err != nil || swapped {
			return err
		}
	}
	return errors.New("others keep saving the token")
}

// finish takes the label AWSPENDING off, without which the next rotation would not begin.
func (r rotator) finish(ctx context.Context, event rotation) error {
	out, err := r.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &event.Secret})
	if err != nil {
		return err
	}
	for version, stages := range out.VersionIdsToStages {
		for _, stage := range stages {
			if stage == "AWSPENDING" {
				_, err = r.client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: &event.Secret, VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: &version,
				})
			}
		}
	}
	return err
}

var steps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

// pending stores a version as AWS's templates do in createSecret.
func pending(t *testing.T, client *secretsmanager.Client, event rotation, value string) {
	t.Helper()
	_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &event.Secret, ClientRequestToken: &event.Version, SecretString: &value, VersionStages: []string{"AWSPENDING"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRotationFunction goes through the steps while a program saves the token: with the function
// above nothing is lost. With one that promotes a pending copy, the save is.
func TestRotationFunction(t *testing.T) {
	for _, promotes := range []bool{false, true} {
		t.Run(fmt.Sprint("promotes=", promotes), func(t *testing.T) {
			ctx, clock := t.Context(), awssmtest.NewClock()
			client := awssmtest.New(awssmtest.Real(), clock).As(policyActions(t)...).Client()
			store, err := awssm.New(client, awssm.WithPrefix("crm/"), awssm.WithClock(clock.Now, clock.Sleep))
			if err != nil {
				t.Fatal(err)
			}
			saved, err := store.SaveToken(ctx, adaptertest.Token("ada"))
			if err != nil {
				t.Fatal(err)
			}
			function := rotator{client, store, func(context.Context) (string, error) { return "fake-new-secret", nil }}
			event := rotation{Secret: "crm/tokens/" + saved.ID, Version: strings.Repeat("0a", 16)}
			out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &event.Secret})
			if err != nil {
				t.Fatal(err)
			}
			// A service that reserves the version's ID, or a template, leaves this label.
			pending(t, client, event, strings.Replace(*out.SecretString, saved.ClientSecret, "fake-new-secret", 1))
			for i, step := range steps {
				event.Step = step
				if found, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada"}); err != nil || i < 2 && found.ClientSecret != saved.ClientSecret {
					t.Errorf("before %s the store returns %v, %v", event.Step, found, err)
				}
				if !promotes {
					if err := function.handle(ctx, event); err != nil {
						t.Errorf("%s: %v", event.Step, err)
					}
				}
				if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "ada", AccessToken: fmt.Sprint("1000.access.", i)}); err != nil {
					t.Fatal(err)
				}
			}
			if promotes {
				moveCurrent(t, client, event)
			}
			kept := "1000.access.3"
			if promotes {
				kept = saved.AccessToken // It was copied before the saves.
			}
			found, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada"})
			if err != nil || found.ClientSecret != "fake-new-secret" || found.AccessToken != kept {
				t.Errorf("the token is %v, with the new secret: %v, with the access token wanted: %v, %v", found, found.ClientSecret == "fake-new-secret", found.AccessToken == kept, err)
			}
			d, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &event.Secret})
			if err != nil {
				t.Fatal(err)
			}
			for version, stages := range d.VersionIdsToStages {
				if all := strings.Join(stages, " "); strings.Contains(all, "AWSPENDING") && !strings.Contains(all, "AWSCURRENT") {
					t.Errorf("version %s is left as %s: no later rotation begins", version, all)
				}
			}
		})
	}
}

// moveCurrent makes the pending version current, as AWS's templates do in finishSecret.
func moveCurrent(t *testing.T, client *secretsmanager.Client, event rotation) {
	t.Helper()
	d, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &event.Secret})
	if err != nil {
		t.Fatal(err)
	}
	for version, stages := range d.VersionIdsToStages {
		if strings.Contains(strings.Join(stages, " "), "AWSCURRENT") {
			_, err = client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: &event.Secret, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &event.Version, RemoveFromVersionId: &version,
			})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// policyActions are what a writer may do: enough for the function.
func policyActions(t *testing.T) []string {
	t.Helper()
	p, err := adaptertest.ParseIAM(policyOf(t, policyURL, tokenstore.RoleWriter, policyAccount).Text)
	if err != nil {
		t.Fatal(err)
	}
	return p.Actions()
}
