package aws

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

func init() { tokenstore.RegisterPolicy("awssm", awssm.Policy) }

// allowed returns the actions of a role's policy, sorted.
func allowed(t *testing.T, role tokenstore.Role, without ...string) []string {
	t.Helper()
	printed, err := tokenstore.PolicyFor(t.Context(), "awssm://crm?region=eu-central-1", tokenstore.PolicyRequest{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := adaptertest.ParseIAM(printed.Text)
	if err != nil {
		t.Fatal(err)
	}
	actions := slices.DeleteFunc(policy.Actions(), func(a string) bool { return slices.Contains(without, a) })
	slices.Sort(actions)
	return actions
}

// recorder records a client's operations with a middleware of the SDK.
type recorder struct {
	mu    sync.Mutex
	calls map[string]bool
}

func (r *recorder) watch(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("record", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			r.mu.Lock()
			r.calls["secretsmanager:"+awsmiddleware.GetOperationName(ctx)] = true
			r.mu.Unlock()
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
}

// role returns a store whose calls are recorded.
func role(t *testing.T, prefix string) (*secretstore.Store, *recorder) {
	t.Helper()
	r := &recorder{calls: map[string]bool{}}
	s, err := awssm.New(newClient(need.AWS(t), r.watch), awssm.WithPrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func fakeToken(user string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "1000.CLIENT", ClientSecret: "fake-secret",
		RefreshToken: "1000.refresh." + user, AccessToken: "1000.access." + user, GrantToken: "1000.grant." + user,
	}
}

// TestRoles compares each role's calls with its policy. LocalStack allows everything to
// everybody; whether each role's policy suffices is tested on the fake.
func TestRoles(t *testing.T) {
	ctx, prefix := t.Context(), need.Prefix(t)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(name tokenstore.Role, r *recorder, without ...string) {
		t.Helper()
		if got, want := slices.Sorted(maps.Keys(r.calls)), allowed(t, name, without...); !slices.Equal(got, want) {
			t.Errorf("%s calls   %v\nits policy %v", name, got, want)
		}
	}
	writer, calls := role(t, prefix)
	for _, user := range []string{"ada", "bob"} {
		must(writer.SaveToken(ctx, fakeToken(user)))
	}
	must(writer.SaveToken(ctx, tokenstore.OAuthToken{UserName: "ada", RefreshToken: "1000.refresh.2"}))
	bob, err := writer.FindToken(ctx, tokenstore.OAuthToken{UserName: "bob"})
	must(bob, err)
	must(nil, writer.DeleteToken(ctx, bob.ID))
	must(writer.SaveToken(ctx, fakeToken("bob")))
	must(writer.GetTokens(ctx))
	check("writer", calls, "secretsmanager:TagResource") // Needed to create a secret with tags.

	reader, calls := role(t, prefix)
	must(reader.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada"}))
	must(reader.FindToken(ctx, tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: "1000.refresh.2"}))
	must(reader.GetTokens(ctx))
	check("reader", calls)

	operator, calls := role(t, prefix)
	must(operator.Check(ctx))
	must(operator.Reindex(ctx, secretstore.ReindexOptions{}))
	must(operator.SaveToken(ctx, fakeToken("zoe")))
	must(nil, operator.DeleteTokens(ctx))
	must(operator.SaveToken(ctx, fakeToken("zoe")))
	must(operator.SaveToken(ctx, tokenstore.OAuthToken{UserName: "zoe", AccessToken: "1000.access.9"}))
	must(operator.SaveToken(ctx, fakeToken("ada")))
	must(operator.GetTokens(ctx))
	check("operator", calls, "secretsmanager:TagResource")
}
