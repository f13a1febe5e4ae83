package awssmtest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"example.com/tokenstore/awssm/awssmtest"
)

const (
	tokenA = "aaaaaaaa-0000-4000-8000-000000000000"
	tokenB = "bbbbbbbb-0000-4000-8000-000000000000"
)

// service is the fake with one secret, "x".
type service struct {
	*testing.T
	*awssmtest.Service
}

func newService(t *testing.T, config awssmtest.Config) service {
	t.Helper()
	s := service{t, awssmtest.New(config, nil)}
	if err := s.create("x", tokenA, "1"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s service) create(name, token, value string) error {
	_, err := s.CreateSecret(s.Context(), &secretsmanager.CreateSecretInput{Name: &name, ClientRequestToken: &token, SecretString: &value})
	return err
}

func (s service) putValue(token, value string, labels ...string) ([]string, error) {
	name := "x"
	out, err := s.PutSecretValue(s.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &name, ClientRequestToken: &token, SecretString: &value, VersionStages: labels,
	})
	if err != nil {
		return nil, err
	}
	return out.VersionStages, nil
}

func (s service) move(from, to string) error {
	name, label := "x", "AWSCURRENT"
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &name, VersionStage: &label, MoveToVersionId: &to}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	_, err := s.UpdateSecretVersionStage(s.Context(), in)
	return err
}

func (s service) wantCode(what string, err error, want string) {
	s.Helper()
	var api smithy.APIError
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	if code != want {
		s.Errorf("%s: %v, want %q", what, err, want)
	}
}

// A token that was used before: the request is ignored, or refused if its value differs.
func TestRequestTokens(t *testing.T) {
	s := newService(t, awssmtest.Real())
	s.wantCode("creating again", s.create("x", tokenA, "1"), "")
	s.wantCode("creating another value", s.create("x", tokenA, "2"), "ResourceExistsException")
	s.wantCode("creating under another token", s.create("x", tokenB, "1"), "ResourceExistsException")
	if _, err := s.putValue(tokenB, "2"); err != nil {
		t.Fatal(err)
	}
	labels, err := s.putValue(tokenA, "1", "AWSCURRENT")
	if err != nil || len(labels) != 1 || labels[0] != "AWSPREVIOUS" {
		t.Errorf("putting again: %v, %v: the request is not ignored", labels, err)
	}
	if value, _ := s.Value("x"); value != "2" || s.Versions("x") != 2 {
		t.Errorf("%d versions, and %s is current", s.Versions("x"), value)
	}
	_, err = s.putValue(tokenA, "3")
	s.wantCode("putting another value", err, "ResourceExistsException")
	_, err = s.putValue("short", "3")
	s.wantCode("a short token", err, "InvalidParameterException")
}

func TestWholeBatch(t *testing.T) {
	for _, whole := range []bool{false, true} {
		config := awssmtest.Real()
		config.WholeBatch = whole
		s := newService(t, config)
		if err := s.create("y", tokenA, "1"); err != nil {
			t.Fatal(err)
		}
		s.Damage("x")
		out, err := s.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"x", "y", "none"}})
		var missing *types.ResourceNotFoundException
		switch {
		case whole && !errors.As(err, &missing):
			t.Error(err)
		case !whole && (err != nil || len(out.SecretValues) != 1 || len(out.Errors) != 2):
			t.Error(out, err)
		case !whole && !strings.Contains(*out.Errors[0].Message, "staging label"):
			t.Error(*out.Errors[0].Message)
		}
		out, err = s.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"y", "none"}})
		if err != nil || len(out.SecretValues) != 1 || len(out.Errors) != 1 {
			t.Error(out, err)
		}
	}
}

// LocalStack loses a current version permanently, where AWS refuses.
func TestLocalStack(t *testing.T) {
	for _, emulated := range []bool{false, true} {
		config := awssmtest.Real()
		config.LocalStack = emulated
		s := newService(t, config)
		if _, err := s.putValue(tokenB, "2", "candidate"); err != nil {
			t.Fatal(err)
		}
		tokenC := strings.Replace(tokenB, "b", "c", 8)
		if _, err := s.putValue(tokenC, "3", "candidate"); err != nil {
			t.Fatal(err)
		}
		if n := map[bool]int{false: 3, true: 2}[emulated]; s.Versions("x") != n {
			t.Errorf("%d versions, want %d", s.Versions("x"), n)
		}
		if !emulated {
			s.wantCode("the move", s.move(tokenA, tokenB), "")
			continue
		}
		s.wantCode("the move", s.move(tokenA, tokenB), "InvalidParameterException")
		if _, ok := s.Value("x"); ok {
			t.Error("it has a current version")
		}
		s.wantCode("a move from it", s.move(tokenA, tokenC), "InvalidParameterException")
		s.wantCode("a move from nowhere", s.move("", tokenC), "InternalError")
		if _, err := s.putValue(strings.Replace(tokenB, "b", "d", 8), "4", "other"); err != nil {
			t.Error(err)
		}
		_, err := s.putValue(strings.Replace(tokenB, "b", "e", 8), "5")
		s.wantCode("a new current version", err, "InternalError")
	}
}

// TestLocalStackWritesWhatIsScheduled: AWS refuses both writes.
func TestLocalStackWritesWhatIsScheduled(t *testing.T) {
	for _, emulated := range []bool{false, true} {
		config := awssmtest.Real()
		config.LocalStack = emulated
		s := newService(t, config)
		if _, err := s.putValue(tokenB, "2", "candidate"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("x")}); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{false: "InvalidRequestException", true: ""}[emulated]
		_, err := s.putValue(strings.Replace(tokenB, "b", "c", 8), "3", "other")
		s.wantCode("a version", err, want)
		s.wantCode("a move", s.move(tokenA, tokenB), want)
		if _, ok := s.Scheduled("x"); !ok {
			t.Error("it is no longer scheduled for deletion")
		}
	}
}
