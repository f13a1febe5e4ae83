package awssm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

func TestBinaryIsGivenBackAsItStands(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	in := &secretsmanager.CreateSecretInput{Name: aws.String("a/x"), SecretBinary: []byte{1, 2, 3}, ClientRequestToken: aws.String("0123456789012345678901234567890123")}
	if _, err := b.service.CreateSecret(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	b.wantData("a/x", "\x01\x02\x03")
}

func TestBatch(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	var names []string
	for i := range 45 {
		name := fmt.Sprintf("a/%d", i)
		b.put(name, `{"n":"1"}`, "")
		names = append(names, name)
	}
	r := b.get("a/7").Revision
	if err := b.secrets.Delete(t.Context(), "a/7", r); err != nil {
		t.Fatal(err)
	}
	before := b.service.Calls()["BatchGetSecretValue"]
	got, err := b.secrets.GetBatch(t.Context(), append(names, "a/none", "a/3"))
	if err != nil || len(got) != 44 {
		t.Fatalf("%d secrets, %v", len(got), err)
	}
	if calls := b.service.Calls()["BatchGetSecretValue"] - before; calls != 3 {
		t.Errorf("%d batch calls", calls)
	}
	// A role without the permission reads one by one, and tries only once.
	single := b.another(b.service.As("secretsmanager:GetSecretValue"))
	before = b.service.Calls()["BatchGetSecretValue"]
	for range 3 {
		if got, err = single.GetBatch(t.Context(), names[:20]); err != nil || len(got) != 19 {
			t.Fatalf("%d secrets, %v", len(got), err)
		}
	}
	if calls := b.service.Calls()["BatchGetSecretValue"] - before; calls != 1 {
		t.Errorf("%d batch calls without the permission", calls)
	}
	// One that may read in batches only gets an error for each name.
	none := b.another(b.service.As("secretsmanager:BatchGetSecretValue"))
	_, err = none.GetBatch(t.Context(), names[:2])
	var ne *driver.NameError
	if !errors.As(err, &ne) || !errors.Is(err, driver.ErrDenied) {
		t.Fatal(err)
	}
}

// Batches are given up for the lack of the permission only, and not for good.
func TestBatchesComeBack(t *testing.T) {
	for _, c := range []struct {
		code  string
		calls []int // of batches, in each of three reads
	}{
		{"ExpiredTokenException", []int{1, 1, 1}},
		{"DecryptionFailure", []int{1, 1, 1}},
		{"AccessDeniedException", []int{1, 0, 1}},
	} {
		b := newBench(t, awssmtest.Real())
		b.put("a/x", `{"n":"1"}`, "")
		b.put("a/y", `{"n":"1"}`, "")
		s := b.script("BatchGetSecretValue", c.code)
		api := &counting{API: s.api}
		s.api = api
		for i, want := range c.calls {
			if i == 2 {
				b.clock.Advance(batchAgain)
			}
			api.batches = 0
			got, err := s.GetBatch(t.Context(), []string{"a/x", "a/y"})
			if err != nil || len(got) != 2 || api.batches != want {
				t.Errorf("%s: read %d: %d secrets, %v, %d batches", c.code, i, len(got), err, api.batches)
			}
		}
	}
}

// counting counts the batches.
type counting struct {
	API
	batches int
}

func (c *counting) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	c.batches++
	return c.API.BatchGetSecretValue(ctx, in, options...)
}

func TestList(t *testing.T) {
	b := newBench(t, awssmtest.Real(), WithDescription("tokens"))
	want := []string{"a/" + strings.Repeat("é", 100), "a/x-abcdef", "a/y", "a/z w"}
	for _, name := range want {
		b.put(name, `{}`, "")
	}
	for i := range 150 {
		b.put(fmt.Sprintf("b/%d", i), `{}`, "")
	}
	foreign := &secretsmanager.CreateSecretInput{Name: aws.String("a/=zz"), SecretString: aws.String("x"), ClientRequestToken: aws.String("0123456789012345678901234567890123")}
	if _, err := b.service.CreateSecret(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	for prefix, n := range map[string]int{"a/": 4, "a/x-": 1, "a/z ": 1, "b/": 150, "": 154, "c": 0} {
		var got []string
		for name, err := range b.secrets.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if len(got) != n || prefix == "a/" && !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%q: %d names: %.9q", prefix, len(got), got)
		}
	}
}
