package awssm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
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
	// A role without the permission reads one at a time, and tries only once.
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
	// A role that may only read in batches gets an error for each name.
	none := b.another(b.service.As("secretsmanager:BatchGetSecretValue"))
	_, err = none.GetBatch(t.Context(), names[:2])
	var ne *driver.NameError
	if !errors.As(err, &ne) || !errors.Is(err, driver.ErrDenied) {
		t.Fatal(err)
	}
}

// Only a missing permission turns batches off, and only for a while.
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

// back moves AWSCURRENT to an older version, as a person does.
func (b *bench) back(name, to string) {
	b.Helper()
	from := b.get(name).Revision
	if _, err := b.service.UpdateSecretVersionStage(b.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &name, VersionStage: aws.String(current), MoveToVersionId: &to, RemoveFromVersionId: &from,
	}); err != nil {
		b.Fatal(err)
	}
}

// A process reports that an older version came back if it has seen the later one, its own
// or another process's. One that never saw it cannot.
func TestOlderVersionThatCameBack(t *testing.T) {
	for _, batch := range []bool{false, true} {
		b := newBench(t, awssmtest.Real())
		read := func(s *secrets) driver.Secret {
			t.Helper()
			if !batch {
				secret, err := s.Get(t.Context(), "a/x")
				if err != nil {
					t.Fatal(err)
				}
				return secret
			}
			all, err := s.GetBatch(t.Context(), []string{"a/x", "a/y"})
			if err != nil || len(all) != 1 {
				t.Fatal(len(all), err)
			}
			return all[0]
		}
		reader, stranger := b.another(b.service), b.another(b.service)
		first := b.put("a/x", `{"n":"1"}`, "")
		b.clock.Advance(time.Minute)
		b.put("a/x", `{"n":"2"}`, first)
		for name, s := range map[string]*secrets{"writer": b.secrets, "reader": reader} {
			if read(s).Restored {
				t.Errorf("the %s says that the latest version came back", name)
			}
		}
		b.back("a/x", first)
		if read(b.secrets).Restored || read(reader).Restored {
			t.Error("what may be an outdated read counts as restored")
		}
		b.clock.Advance(settled)
		if !read(b.secrets).Restored || !read(reader).Restored || !read(reader).Restored {
			t.Error("the older version is not said to have come back")
		}
		if read(stranger).Restored {
			t.Error("a process that has seen nothing knows what happened before")
		}
		b.clock.Advance(time.Minute)
		b.put("a/x", `{"n":"3"}`, first)
		b.clock.Advance(settled)
		if read(b.secrets).Restored || read(reader).Restored {
			t.Error("the save of a restored version counts as restored")
		}
	}
}

// A list whose pages never end stops.
func TestListThatGoesRoundEnds(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	b.put("a/x", `{}`, "")
	s := b.another(circling{b.service})
	var last error
	for _, err := range s.List(t.Context(), "a/") {
		last = err
	}
	if !errors.Is(last, driver.ErrUnavailable) {
		t.Error(last)
	}
}

// circling returns the same page every time.
type circling struct{ API }

func (c circling) ListSecrets(ctx context.Context, in *secretsmanager.ListSecretsInput, options ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	first := *in
	first.NextToken = nil
	out, err := c.API.ListSecrets(ctx, &first, options...)
	if err == nil {
		out.NextToken = aws.String("next")
	}
	return out, err
}

// The driver shows no credential, however it is printed.
func TestNothingIsPrinted(t *testing.T) {
	b := newBench(t, awssmtest.Real(), WithStoreOptions(secretstore.WithPepper([]byte("hush"))))
	// A client by value, since a pointer would hide its content.
	b.secrets.api = struct {
		API
		credentials string
	}{b.service, "hush"}
	values := []any{
		b.secrets, b.secrets.set, *b.secrets.set, version{id: "1", data: []byte("hush")}, target{encoded: "a/x", value: []byte("hush")},
		WithStoreOptions(secretstore.WithPepper([]byte("hush"))),
	}
	bytes := fmt.Sprint([]byte("hush"))
	for _, v := range values {
		for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(form, v)
			for _, hush := range []string{"hush", bytes[1 : len(bytes)-1], "68757368", "0x68, 0x75"} {
				if strings.Contains(text, hush) {
					t.Errorf("%s of a %T shows %s", form, v, text)
				}
			}
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		if strings.Contains(log.String(), "hush") {
			t.Errorf("a log of a %T shows %s", v, log.String())
		}
	}
}
