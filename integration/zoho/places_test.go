package zoho_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/integration/internal/need"
	_ "example.com/tokenstore/sqlstore" // opens sqlite:, and registers the driver
	"example.com/tokenstore/vault"
)

func TestMain(m *testing.M) { os.Exit(need.Main(m)) }

// place is where tokens are kept.
type place struct {
	// open opens the store, as every process does for itself.
	open func(context.Context) (tokenstore.OpenStore, error)
	// edit changes a field of a stored token as a person does, with the service's own client.
	edit func(ctx context.Context, id, field, value string) error
}

// places are the stores on which the whole way is gone.
func places() map[string]func(*testing.T) place {
	return map[string]func(*testing.T) place{"sqlite": sqlite, "vault": onVault, "localstack": onLocalStack}
}

func sqlite(t *testing.T) place {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return place{
		open: func(ctx context.Context) (tokenstore.OpenStore, error) { return tokenstore.Open(ctx, "sqlite://"+path) },
		edit: func(ctx context.Context, id, field, value string) error {
			_, err := db.ExecContext(ctx, "UPDATE oauthtoken SET "+field+" = ? WHERE id = ?", value, id) // #nosec G202 -- A column's name.
			return err
		},
	}
}

// onVault is Vault or OpenBao, whichever the environment names.
func onVault(t *testing.T) place {
	address, token := need.Vault(t)
	config := api.DefaultConfig()
	if config.Error != nil {
		t.Fatal(config.Error)
	}
	config.Address = address
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	prefix := need.Prefix(t)
	return place{
		open: func(context.Context) (tokenstore.OpenStore, error) {
			return vault.New(client, vault.WithPrefix(prefix))
		},
		edit: func(ctx context.Context, id, field, value string) error {
			_, err := client.KVv2("secret").Patch(ctx, prefix+"tokens/"+id, map[string]any{field: value}, api.WithMergeMethod(api.KVMergeMethodPatch))
			return err
		},
	}
}

func onLocalStack(t *testing.T) place {
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(need.AWS(t)),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	prefix := need.Prefix(t)
	return place{
		open: func(context.Context) (tokenstore.OpenStore, error) {
			return awssm.New(client, awssm.WithPrefix(prefix))
		},
		edit: func(ctx context.Context, id, field, value string) error {
			name := aws.String(prefix + "tokens/" + id)
			got, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: name})
			if err != nil {
				return err
			}
			fields := map[string]string{} // The console's key/value form.
			if err := json.Unmarshal([]byte(aws.ToString(got.SecretString)), &fields); err != nil {
				return errors.New("the secret is not a flat object of strings")
			}
			fields[field] = value
			data, err := json.Marshal(fields)
			if err != nil {
				return err
			}
			_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: aws.String(string(data))})
			return err
		},
	}
}
