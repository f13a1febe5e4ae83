package awssm_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
	"example.com/tokenstore/internal/adaptertest"
)

// noConfiguration hides any AWS configuration of the machine.
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
	adaptertest.Opens(t,
		"awssm://?region=eu-central-1",
		"awssm://crm?region=eu-central-1",
		"awssm://crm/prod/?region=eu-central-1&kms_key=alias/tokens&recovery_days=30&fanout=16&rotating=true",
		"awssm://crm?region=eu-central-1&recovery_days=0&endpoint=http://127.0.0.1:4566",
		"awssm://crm?region=eu-central-1&endpoint=http://localhost:4566&insecure=false",
		"awssm://crm?region=eu-central-1&endpoint=http://[::1]:4566",
		"awssm://crm?region=eu-central-1&endpoint=https://10.0.0.1",
		"awssm://crm?region=eu-central-1&endpoint=http://10.0.0.1:4566&insecure=true",
		"awssm://crm?region=us-gov-west-1", "awssm://crm?region=eusc-de-east-1", "awssm://crm?region=us-iso-east-1",
	)
}

func TestOpenRefuses(t *testing.T) {
	noConfiguration(t)
	adaptertest.Refuses(t, map[string]string{
		"awssm://crm": "region",
		"awssm://crm?region=eu-central-1&secret=hush":              "known are",
		"awssm://crm?region=eu-central-1&recovery_days=3":          "7 to 30",
		"awssm://crm?region=eu-central-1&recovery_days=x":          "must be a number",
		"awssm://crm?region=eu-central-1&fanout=0":                 "between 1 and 4096",
		"awssm://crm?region=eu-central-1&fanout=x":                 "must be a number",
		"awssm://crm?region=eu-central-1&rotating=yes":             "must be true or false",
		"awssm://crm?region=eu-central-1&profile=hush":             "the profile is not in the shared configuration files",
		"awssm://crm?region=hush":                                  "invalid region",
		"awssm://crm?region=eu%0Acentral-1":                        "invalid region",
		"awssm://crm?region=eu-central-1&endpoint=http://10.0.0.1": "insecure=true",
		"awssm://crm?region=eu-central-1&endpoint=http://hush:80":  "insecure=true",
		"awssm://crm?region=eu-central-1&insecure=yes":             "true or false",
		"awssm://crm?region=eu-central-1&endpoint=localhost":       "endpoint",
		"awssm://crm?region=eu-central-1&endpoint=http://u:p@host": "endpoint",
		"awssm:crm?region=eu-central-1":                            "awssm://",
		"awssm://crm/../x?region=eu-central-1":                     "segment",
		"awssm://user:hush@crm?region=eu-central-1":                "password",
	})
}

// TestConfigurationIsNotQuoted uses faulty SDK configurations, parts of which the SDK's
// errors quote.
func TestConfigurationIsNotQuoted(t *testing.T) {
	noConfiguration(t)
	for name, c := range map[string]struct{ variable, file, says string }{
		"profile":    {"AWS_PROFILE", "", "the profile is not"},
		"a folder":   {"AWS_CONFIG_FILE", ".", "shared configuration file"},
		"role":       {"AWS_CONFIG_FILE", "[default]\nregion=eu-central-1\nrole_arn=arn:hush\nsource_profile=hush", "the profile"},
		"endpoint":   {"AWS_ENDPOINT_URL", "", "endpoint"},
		"own use":    {"AWS_ENDPOINT_URL_SECRETS_MANAGER", "", "endpoint"},
		"in general": {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "", "AWS_ variables"},
	} {
		t.Run(name, func(t *testing.T) {
			noConfiguration(t)
			value := "hush"
			switch c.file {
			case "":
			case ".":
				value = t.TempDir()
			default:
				value = t.TempDir() + "/config"
				if err := os.WriteFile(value, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv(c.variable, value)
			_, err := tokenstore.Open(t.Context(), "awssm://crm?region=eu-central-1")
			if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
				t.Error(err)
			}
			if tokenstore.Retryable(err) {
				t.Error("it counts as one that passes")
			}
		})
	}
}

// TestOpenReaches looks up a user without a token on a server that has no secrets: it is
// asked for the name that the URL's prefix and pepper give.
func TestOpenReaches(t *testing.T) {
	noConfiguration(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "fake-id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "fake-secret")
	var mu sync.Mutex
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked += string(body)
		mu.Unlock()
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ResourceNotFoundException"}`)
	}))
	defer server.Close()
	pepper, id := adaptertest.Pepper(t, "ada")
	store, err := tokenstore.Open(t.Context(), "awssm://crm?region=eu-central-1&endpoint="+server.URL+"&pepper_file="+pepper)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}); err == nil {
		t.Error("a token was found")
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(asked, "crm/tokens/"+id) {
		t.Errorf("the server was asked for %s", asked)
	}
}
