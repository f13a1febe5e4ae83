package gcpsm_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	_ "example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
)

// noCredentials hides any credentials of the machine.
func noCredentials(t *testing.T) {
	t.Helper()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("CLOUDSDK_CONFIG", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
}

func TestOpen(t *testing.T) {
	noCredentials(t)
	adaptertest.Opens(t,
		"gcpsm://my-project?endpoint=127.0.0.1:9090",
		"gcpsm://my-project/crm?endpoint=127.0.0.1:9090&transport=rest",
		"gcpsm://my-project/crm/prod/?location=europe-west3&kms_key=projects/p/locations/l/keyRings/r/cryptoKeys/k&fanout=16&rotating=true&endpoint=127.0.0.1:9090",
		"gcpsm://my-project?endpoint=localhost:9090&insecure=false",
		"gcpsm://my-project?endpoint=emulator.test:9090&insecure=true",
		"gcpsm://my-project?endpoint=192.0.2.1:9090&insecure=true&transport=rest",
		"gcpsm://my-project/crm?replicas=europe-west3,europe-west4&transport=grpc&endpoint=[::1]:9090",
	)
}

func TestOpenRefuses(t *testing.T) {
	noCredentials(t)
	adaptertest.Refuses(t, map[string]string{
		"gcpsm:///crm":                                                                    "gcpsm://project",
		"gcpsm:my-project":                                                                "gcpsm://",
		"gcpsm://My_Project":                                                              "project",
		"gcpsm://my-project/crm?secret=hush":                                              "known are",
		"gcpsm://my-project/crm?fanout=0":                                                 "between 1 and 4096",
		"gcpsm://my-project/crm?fanout=x":                                                 "must be a number",
		"gcpsm://my-project/crm?rotating=yes":                                             "must be true or false",
		"gcpsm://my-project/crm?transport=carrier":                                        "grpc or rest",
		"gcpsm://my-project/crm?location=evil.example.com/":                               "location",
		"gcpsm://my-project/crm?location=europe-west3&replicas=europe-west3":              "no replicas",
		"gcpsm://my-project/crm?replicas=europe-west3&kms_key=k":                          "key of its own",
		"gcpsm://my-project/crm?replicas=a,,b":                                            "location",
		"gcpsm://my-project/crm?endpoint=localhost":                                       "host:port",
		"gcpsm://my-project/crm?endpoint=" + url.QueryEscape("http://u:hush@localhost:1"): "host:port",
		"gcpsm://my-project/crm?endpoint=emulator.test:9090":                              "insecure=true",
		"gcpsm://my-project/crm?endpoint=192.0.2.1:9090&insecure=false":                   "insecure=true",
		"gcpsm://my-project/crm?endpoint=localhost.evil.test:9090&transport=rest":         "insecure=true",
		"gcpsm://my-project/crm?endpoint=[2001:db8::1]:9090":                              "insecure=true",
		"gcpsm://my-project/crm?endpoint=127.0.0.1:9090&insecure=yes":                     "true or false",
		"gcpsm://my-project/crm?insecure=true":                                            "needs an endpoint",
		"gcpsm://my-project/crm/../x":                                                     "segment",
		"gcpsm://user:hush@my-project/crm":                                                "password",
	})
}

// TestOpenWithoutCredentials opens a store without credentials, and with a damaged
// credentials file, whose content is not quoted.
func TestOpenWithoutCredentials(t *testing.T) {
	noCredentials(t)
	t.Setenv("GCE_METADATA_HOST", "")
	t.Setenv("NO_GCE_CHECK", "true")
	file := filepath.Join(t.TempDir(), "hush.json")
	for name, content := range map[string]string{
		"none": "", "no JSON": `{"client_id":"hush" "refresh_token":"hush"}`, "an unknown type": `{"type":"hush"}`, "no file": "",
	} {
		path := file
		switch {
		case name == "none":
			path = ""
		case content == "":
			path += ".missing"
		default:
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
		_, err := tokenstore.Open(t.Context(), "gcpsm://my-project/crm")
		if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) || !strings.Contains(err.Error(), "gcloud auth") {
			t.Errorf("%s: %v", name, err)
		} else if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "hush") {
			t.Errorf("%s: the error quotes the file: %s", name, text)
		}
	}
}

// TestOpenReaches saves and finds over the network, with both of Google's
// clients, global and regional.
func TestOpenReaches(t *testing.T) {
	noCredentials(t)
	for _, location := range []string{"", "europe-west3"} {
		for _, transport := range []string{"grpc", "rest"} {
			t.Run(transport+location, func(t *testing.T) {
				config := gcpsmtest.Real()
				config.Location = location
				service := gcpsmtest.New(config, nil)
				endpoint, stop, err := service.Listen(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = stop() }()
				pepper, id := adaptertest.Pepper(t, "ada")
				store, err := tokenstore.Open(t.Context(), "gcpsm://"+project+"/crm?transport="+transport+"&location="+location+"&endpoint="+endpoint+"&pepper_file="+pepper)
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				saved, err := store.SaveToken(t.Context(), adaptertest.Token("ada"))
				if err != nil {
					t.Fatal(err)
				}
				if saved.ID != id {
					t.Error("the pepper that the URL names was not used")
				}
				found, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"})
				if err != nil || found != saved {
					t.Errorf("what was saved is not found: %v", err)
				}
				if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "bob"}); !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("what was not saved: %v", err)
				}
			})
		}
	}
}
