package gcpsm_test

import (
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

func TestNewSecretsLookAsTheOptionsSay(t *testing.T) {
	for location, options := range map[string][]gcpsm.Option{
		"":             {gcpsm.WithReplica("europe-west3", "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k"), gcpsm.WithReplica("europe-west4", "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k")},
		"europe-west3": {gcpsm.WithLocation("europe-west3"), gcpsm.WithKMSKey("projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k")},
	} {
		config := gcpsmtest.Real()
		config.Location = location
		b := newBench(t, config)
		client, err := b.client()
		b.noError(err)
		s, err := gcpsm.NewSecrets(client, project, append(b.options(), append(options, gcpsm.WithLabels(map[string]string{"team": "crm"}))...)...)
		b.noError(err)
		_, err = s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{}`)})
		b.noError(err)
		parent := "projects/" + project
		if location != "" {
			parent += "/locations/" + location
		}
		got, err := client.GetSecret(t.Context(), &secretmanagerpb.GetSecretRequest{Name: parent + "/secrets/" + id})
		b.noError(err)
		if got.GetLabels()["team"] != "crm" || got.GetLabels()["managed-by"] != "tokenstore" {
			t.Errorf("labels %v", got.GetLabels())
		}
		replicas := got.GetReplication().GetUserManaged().GetReplicas()
		regional := got.GetCustomerManagedEncryption().GetKmsKeyName() != "" && got.GetReplication() == nil
		global := len(replicas) == 2 && replicas[1].GetCustomerManagedEncryption().GetKmsKeyName() != ""
		if location == "" && !global || location != "" && !regional {
			t.Errorf("the secret is %v", got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	client, err := newWorld(t, gcpsmtest.Real()).client()
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() (driver.Secrets, error){
		"no client":  func() (driver.Secrets, error) { return gcpsm.NewSecrets(nil, project) },
		"no project": func() (driver.Secrets, error) { return gcpsm.NewSecrets(client, "") },
		"a path":     func() (driver.Secrets, error) { return gcpsm.NewSecrets(client, "projects/x") },
		"a label": func() (driver.Secrets, error) {
			return gcpsm.NewSecrets(client, project, gcpsm.WithLabels(map[string]string{"Team": "x"}))
		},
		"no sleep": func() (driver.Secrets, error) {
			return gcpsm.NewSecrets(client, project, gcpsm.WithClock(time.Now, nil))
		},
		"two replicas": func() (driver.Secrets, error) { return gcpsm.NewSecrets(client, project, gcpsm.WithReplica("", "")) },
	} {
		if _, err := do(); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := gcpsm.New(client, "", gcpsm.WithFanout(0)); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("New: %v", err)
	}
}
