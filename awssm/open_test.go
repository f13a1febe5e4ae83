package awssm_test

import (
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
)

// noConfiguration takes what the machine may have set.
func noConfiguration(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
}

func TestOpen(t *testing.T) {
	noConfiguration(t)
	for _, good := range []string{
		"awssm://?region=eu-central-1",
		"awssm://crm?region=eu-central-1",
		"awssm://crm/prod/?region=eu-central-1&kms_key=alias/tokens&recovery_days=30&fanout=16",
		"awssm://crm?region=eu-central-1&recovery_days=0&endpoint=http://127.0.0.1:4566",
	} {
		store, err := tokenstore.Open(t.Context(), good)
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	noConfiguration(t)
	for bad, says := range map[string]string{
		"awssm://crm": "region",
		"awssm://crm?region=eu-central-1&secret=hush":              "known are",
		"awssm://crm?region=eu-central-1&recovery_days=3":          "7 to 30",
		"awssm://crm?region=eu-central-1&recovery_days=x":          "not a number",
		"awssm://crm?region=eu-central-1&fanout=0":                 "1 to 1024",
		"awssm://crm?region=eu-central-1&fanout=x":                 "not a number",
		"awssm://crm?region=eu-central-1&profile=no-such-profile":  "configuration",
		"awssm://crm?region=eu-central-1&endpoint=localhost":       "endpoint",
		"awssm://crm?region=eu-central-1&endpoint=http://u:p@host": "endpoint",
		"awssm:crm?region=eu-central-1":                            "awssm://",
		"awssm://crm/../x?region=eu-central-1":                     "segment",
		"awssm://user:hush@crm?region=eu-central-1":                "password",
	} {
		_, err := tokenstore.Open(t.Context(), bad)
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", bad, err)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error quotes the URL", bad)
		}
	}
}
