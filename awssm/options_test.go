package awssm

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

func TestTagsKeyAndDescription(t *testing.T) {
	b := newBench(t, awssmtest.Real(), WithTags(map[string]string{"team": "crm"}), WithKMSKey("alias/tokens"), WithDescription("a token"))
	b.put("a/x", `{}`, "")
	out, err := b.service.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("a/x")})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range out.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if len(tags) != 2 || tags["team"] != "crm" || tags["managed-by"] != "tokenstore" || *out.KmsKeyId != "alias/tokens" || *out.Description != "a token" {
		t.Fatalf("%v %v %v", tags, out.KmsKeyId, out.Description)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	service := awssmtest.New(awssmtest.Real(), nil)
	for name, o := range map[string]Option{
		"recovery": WithRecoveryWindow(3), "prefix": WithPrefix("a//"), "tags": WithTags(map[string]string{"aws:x": "y"}), "clock": WithClock(nil, nil),
		"description": WithDescription(strings.Repeat("x", 3000)),
	} {
		if _, err := NewSecrets(service, o); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewSecrets(nil); !errors.Is(err, driver.ErrInvalid) {
		t.Error(err)
	}
	if _, err := New(service, WithFanout(0)); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a fan-out of zero: %v", err)
	}
}
