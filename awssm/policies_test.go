package awssm_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// actions returns what a policy file allows.
func actions(t *testing.T, role string) []string {
	t.Helper()
	data, err := os.ReadFile("policies/" + role + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Statement []struct {
			Effect   string
			Action   []string
			Resource string
		}
	}
	if err := json.Unmarshal(data, &policy); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range policy.Statement {
		if s.Effect != "Allow" {
			t.Fatalf("%s has a statement of effect %s", role, s.Effect)
		}
		all = append(all, s.Action...)
	}
	return all
}

// recorder notes the operations of a client, by a middleware of the SDK.
type recorder struct {
	mu    sync.Mutex
	calls map[string]int
}

func (r *recorder) watch(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("record", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			r.mu.Lock()
			r.calls["secretsmanager:"+awsmiddleware.GetOperationName(ctx)]++
			r.mu.Unlock()
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
}

// role is a store that a policy's principal uses.
type role struct {
	*testing.T
	store    *secretstore.Store
	recorder *recorder
	allowed  []string
}

func newRole(t *testing.T, name string, service *awssmtest.Service, clock *awssmtest.Clock) *role {
	t.Helper()
	r := &role{T: t, recorder: &recorder{calls: map[string]int{}}, allowed: actions(t, name)}
	client := service.As(r.allowed...).Client(r.recorder.watch)
	store, err := awssm.New(client, awssm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	r.store = store
	return r
}

// check compares the calls that were made with the policy.
func (r *role) check(without ...string) {
	r.Helper()
	want := slices.DeleteFunc(slices.Clone(r.allowed), func(a string) bool { return slices.Contains(without, a) })
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(r.recorder.calls)); !slices.Equal(got, want) {
		r.Errorf("calls   %s\npolicy  %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

func (r *role) must(_ any, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func TestEachRoleMakesExactlyTheCallsOfItsPolicy(t *testing.T) {
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)

	writer := newRole(t, "writer", service, clock)
	for _, user := range []string{"ada", "bob", "eve"} {
		writer.must(writer.store.SaveToken(t.Context(), adaptertest.Token(user)))
	}
	renewed := adaptertest.Token("ada")
	renewed.AccessToken, renewed.RefreshToken = "1000.access.2", "1000.refresh.2"
	writer.must(writer.store.SaveToken(t.Context(), renewed))
	bob, err := writer.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "bob"})
	writer.must(bob, err)
	writer.must(nil, writer.store.DeleteToken(t.Context(), bob.ID))
	writer.must(writer.store.SaveToken(t.Context(), adaptertest.Token("bob")))
	writer.must(writer.store.GetTokens(t.Context()))
	writer.check("secretsmanager:TagResource") // It is needed to create a secret with tags.

	reader := newRole(t, "reader", service, clock)
	reader.must(reader.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}))
	byRefresh := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: "1000.refresh.2"}
	reader.must(reader.store.FindToken(t.Context(), byRefresh))
	reader.must(reader.store.FindToken(t.Context(), tokenstore.OAuthToken{AccessToken: "1000.access.eve"}))
	all, err := reader.store.GetTokens(t.Context())
	reader.must(all, err)
	if len(all) != 3 {
		t.Errorf("the reader sees %d tokens", len(all))
	}
	reader.check()

	operator := newRole(t, "operator", service, clock)
	operator.must(operator.store.Check(t.Context()))
	operator.must(operator.store.Reindex(t.Context(), secretstore.ReindexOptions{}))
	operator.must(operator.store.SaveToken(t.Context(), adaptertest.Token("zoe")))
	operator.must(nil, operator.store.DeleteTokens(t.Context()))
	operator.must(operator.store.SaveToken(t.Context(), adaptertest.Token("zoe")))
	operator.must(operator.store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "zoe", AccessToken: "1000.access.9"}))
	operator.check("secretsmanager:TagResource")
}
