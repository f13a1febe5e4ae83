package awssm_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// actions returns the actions that a policy file allows.
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

// recorder records a client's operations with a middleware of the SDK.
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

// used returns the actions of the calls that were made.
func (r *recorder) used() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.calls))
}

func newRole(t *testing.T, name string, service *awssmtest.Service, clock *awssmtest.Clock) *adaptertest.Role {
	t.Helper()
	calls := &recorder{calls: map[string]int{}}
	r := &adaptertest.Role{T: t, Allowed: actions(t, name), Used: calls.used}
	store, err := awssm.New(service.As(r.Allowed...).Client(calls.watch), awssm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	r.Store = store
	return r
}

func TestEachRoleMakesExactlyTheCallsOfItsPolicy(t *testing.T) {
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)

	writer := newRole(t, "writer", service, clock)
	writer.Save("ada", "bob", "eve")
	renewed := adaptertest.Token("ada")
	renewed.AccessToken, renewed.RefreshToken = "1000.access.2", "1000.refresh.2"
	writer.Must(writer.Store.SaveToken(t.Context(), renewed))
	writer.Remove("bob")
	writer.Save("bob")
	writer.Must(writer.Store.GetTokens(t.Context()))
	writer.Check("secretsmanager:TagResource") // Needed to create a secret with tags.

	reader := newRole(t, "reader", service, clock)
	reader.Reads("ada", "1000.refresh.2", "1000.access.eve", 3)
	reader.Check()

	operator := newRole(t, "operator", service, clock)
	operator.Must(operator.Store.Check(t.Context()))
	operator.Must(operator.Store.Reindex(t.Context(), secretstore.ReindexOptions{}))
	operator.Save("zoe")
	operator.Must(nil, operator.Store.DeleteTokens(t.Context()))
	operator.Save("zoe")
	operator.Must(operator.Store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "zoe", AccessToken: "1000.access.9"}))
	operator.Check("secretsmanager:TagResource")
}

// TestDiagnosisOfEachRole: each role finds that it may do what it is for, by the shipped
// policy, and the diagnosis of a greater role says what is missing. Nothing is left.
func TestDiagnosisOfEachRole(t *testing.T) {
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	roles := map[tokenstore.Role]*secretstore.Store{}
	for _, name := range []tokenstore.Role{tokenstore.RoleReader, tokenstore.RoleWriter, tokenstore.RoleOperator} {
		roles[name] = newRole(t, string(name), service, clock).Store
	}
	if _, err := roles[tokenstore.RoleWriter].SaveToken(t.Context(), adaptertest.Token("ada")); err != nil {
		t.Fatal(err)
	}
	for name, store := range roles {
		clock.Advance(time.Minute) // The quota of one secret.
		adaptertest.Diagnosed(t, store, name)
	}
	adaptertest.Diagnosed(t, roles[tokenstore.RoleReader], tokenstore.RoleWriter, "denied-create")
	adaptertest.Diagnosed(t, roles[tokenstore.RoleReader], tokenstore.RoleOperator, "check-failed")
	adaptertest.Diagnosed(t, roles[tokenstore.RoleWriter], tokenstore.RoleOperator, "check-failed")
}
