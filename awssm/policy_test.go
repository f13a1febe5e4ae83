package awssm_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

const (
	policyURL     = "awssm://crm?region=eu-central-1&kms_key=alias/crm-tokens"
	policyAccount = "123456789012"
)

func init() { tokenstore.RegisterPolicy("awssm", awssm.Policy) }

func policyOf(t *testing.T, url string, role tokenstore.Role, account string) tokenstore.Policy {
	t.Helper()
	p, err := tokenstore.PolicyFor(t.Context(), url, tokenstore.PolicyRequest{Role: role, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// guard lets through what a policy allows, and denies the rest, as IAM does.
type guard struct {
	mu     sync.Mutex
	policy *adaptertest.IAM
	denied []string
}

// watch adds the guard to a client.
func (g *guard) watch(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("guard", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			op := awsmiddleware.GetOperationName(ctx)
			g.mu.Lock()
			refused := false
			for _, r := range requests(op, in.Parameters) {
				if !g.policy.Allows(r) {
					g.denied = append(g.denied, r.Action+" on "+r.Resource)
					refused = true
				}
			}
			g.mu.Unlock()
			if refused {
				return middleware.InitializeOutput{}, middleware.Metadata{}, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized"}
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
}

// take returns what was denied since, and forgets it.
func (g *guard) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	denied := g.denied
	g.denied = nil
	return denied
}

// requests returns what a call asks of IAM.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
// and, for the key, https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func requests(op string, parameters any) []adaptertest.IAMRequest {
	on := func(action, name string, conditions map[string][]string) adaptertest.IAMRequest {
		return adaptertest.IAMRequest{Action: "secretsmanager:" + action, Context: conditions,
			Resource: "arn:aws:secretsmanager:eu-central-1:" + policyAccount + ":secret:" + name + "-AbCdEf"}
	}
	key := func(action string) adaptertest.IAMRequest {
		return adaptertest.IAMRequest{Action: "kms:" + action, Resource: "arn:aws:kms:eu-central-1:" + policyAccount + ":key/0b0b0b0b", Context: map[string][]string{
			"kms:ViaService": {"secretsmanager.eu-central-1.amazonaws.com"}, "kms:ResourceAliases": {"alias/crm-tokens", "alias/other"},
		}}
	}
	switch in := parameters.(type) {
	case *secretsmanager.CreateSecretInput:
		all := []adaptertest.IAMRequest{on(op, *in.Name, nil), key("GenerateDataKey"), key("Decrypt")}
		if len(in.Tags) > 0 {
			all = append(all, on("TagResource", *in.Name, nil))
		}
		return all
	case *secretsmanager.GetSecretValueInput:
		conditions := map[string][]string{}
		if in.VersionId != nil {
			conditions["secretsmanager:VersionId"] = []string{*in.VersionId}
		}
		if in.VersionStage != nil {
			conditions["secretsmanager:VersionStage"] = []string{*in.VersionStage}
		}
		return []adaptertest.IAMRequest{on(op, *in.SecretId, conditions), key("Decrypt")}
	case *secretsmanager.BatchGetSecretValueInput:
		all := []adaptertest.IAMRequest{{Action: "secretsmanager:" + op, Resource: "*"}, key("Decrypt")}
		for _, id := range in.SecretIdList {
			all = append(all, on("GetSecretValue", id, nil))
		}
		return all
	case *secretsmanager.ListSecretsInput:
		return []adaptertest.IAMRequest{{Action: "secretsmanager:" + op, Resource: "*"}}
	case *secretsmanager.PutSecretValueInput:
		return []adaptertest.IAMRequest{on(op, *in.SecretId, nil), key("GenerateDataKey"), key("Decrypt")}
	case *secretsmanager.DescribeSecretInput:
		return []adaptertest.IAMRequest{on(op, *in.SecretId, nil)}
	case *secretsmanager.UpdateSecretVersionStageInput:
		return []adaptertest.IAMRequest{on(op, *in.SecretId, nil)}
	case *secretsmanager.DeleteSecretInput:
		return []adaptertest.IAMRequest{on(op, *in.SecretId, nil)}
	case *secretsmanager.RestoreSecretInput:
		return []adaptertest.IAMRequest{on(op, *in.SecretId, nil)}
	}
	return []adaptertest.IAMRequest{{Action: "secretsmanager:" + op, Resource: "unknown"}}
}

// newRole returns a store for a role, and its guard.
func newRole(t *testing.T, role tokenstore.Role, service *awssmtest.Service, clock *awssmtest.Clock) (*adaptertest.Role, *guard) {
	t.Helper()
	p, err := adaptertest.ParseIAM(policyOf(t, policyURL, role, policyAccount).Text)
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{policy: p}
	store, err := awssm.New(service.As(p.Actions()...).Client(g.watch), awssm.WithPrefix("crm/"), awssm.WithKMSKey("alias/crm-tokens"), awssm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		t.Fatal(err)
	}
	return &adaptertest.Role{T: t, Store: store}, g
}

// complete fails if something was denied, or if the policy allows what was not needed.
func (g *guard) complete(t *testing.T) {
	t.Helper()
	if denied := g.take(); len(denied) > 0 {
		t.Errorf("denied: %s", strings.Join(denied, ", "))
	}
	if unused := g.policy.Unused(); len(unused) > 0 {
		t.Errorf("allowed in vain: %s", strings.Join(unused, ", "))
	}
}

// refuses fails unless the last operation was denied because of one of these calls.
func (g *guard) refuses(t *testing.T, what string, err error, action string) {
	t.Helper()
	denied := strings.Join(g.take(), ", ")
	if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) || !strings.Contains(denied, action) {
		t.Errorf("%s: %v, denied: %q, want %s", what, err, denied, action)
	}
}

// TestEachRoleMakesExactlyTheCallsOfItsPolicy runs the operations of each role, each call of
// which must be allowed with its resource and its conditions, and everything that the policy
// allows must be needed.
func TestEachRoleMakesExactlyTheCallsOfItsPolicy(t *testing.T) {
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	ctx := t.Context()

	writer, calls := newRole(t, tokenstore.RoleWriter, service, clock)
	writer.Save("ada", "bob", "eve")
	renewed := adaptertest.Token("ada")
	renewed.AccessToken, renewed.RefreshToken = "1000.access.2", "1000.refresh.2"
	writer.Must(writer.Store.SaveToken(ctx, renewed))
	gone, err := writer.Store.FindToken(ctx, tokenstore.OAuthToken{UserName: "bob"})
	writer.Must(gone, err)
	writer.Must(nil, writer.Store.DeleteToken(ctx, gone.ID))
	writer.Must(writer.Store.UndeleteToken(ctx, gone.ID))
	writer.Remove("bob")
	writer.Save("bob")
	writer.Must(writer.Store.SaveTokens(ctx, []tokenstore.OAuthToken{adaptertest.Token("fay"), adaptertest.Token("gil")}))
	writer.Swaps("fay")
	writer.Must(writer.Store.GetTokens(ctx))
	writer.Must(nil, writer.Store.Ping(ctx))
	writer.Must(writer.Store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "gil", AccessToken: "1000.access.good", Expiry: time.Now().Add(time.Hour)}))
	writer.Uses("gil", true)
	calls.complete(t)
	_, err = writer.Store.Check(ctx)
	calls.refuses(t, "a writer checks", err, "secretsmanager:ListSecrets")
	_, err = writer.Store.Reindex(ctx, secretstore.ReindexOptions{})
	calls.refuses(t, "a writer repairs", err, "secretsmanager:ListSecrets")

	reader, calls := newRole(t, tokenstore.RoleReader, service, clock)
	reader.Reads("ada", "1000.refresh.2", "1000.access.eve", 5)
	reader.Must(reader.Store.FindNoted(ctx, tokenstore.OAuthToken{UserName: "ada"}))
	reader.Must(reader.Store.FindTokens(ctx, []tokenstore.OAuthToken{{UserName: "ada"}, {UserName: "bob"}}))
	reader.Uses("gil", false)
	reader.Must(nil, reader.Store.Ping(ctx))
	reader.Must(reader.Store.Exists(ctx))
	calls.complete(t)
	_, err = reader.Store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "ada", AccessToken: "1000.access.3"})
	calls.refuses(t, "a reader saves", err, "secretsmanager:PutSecretValue")
	_, err = reader.Store.SaveToken(ctx, adaptertest.Token("hal"))
	calls.refuses(t, "a reader inserts", err, "secretsmanager:PutSecretValue")
	found, err := reader.Store.FindToken(ctx, tokenstore.OAuthToken{UserName: "eve"})
	reader.Must(found, err)
	calls.refuses(t, "a reader deletes", reader.Store.DeleteToken(ctx, found.ID), "secretsmanager:PutSecretValue")

	operator, calls := newRole(t, tokenstore.RoleOperator, service, clock)
	operator.Must(operator.Store.Check(ctx))
	operator.Must(operator.Store.Reindex(ctx, secretstore.ReindexOptions{Fanout: 2}))
	clock.Advance(25 * time.Hour)
	operator.Must(operator.Store.Reindex(ctx, secretstore.ReindexOptions{}))
	operator.Save("zoe")
	operator.Must(nil, operator.Store.DeleteTokens(ctx))
	operator.Save("zoe")
	operator.Must(operator.Store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "zoe", AccessToken: "1000.access.9"}))
	calls.complete(t)
}

// TestAPolicyEndsAtItsStore: another prefix, region, account or key, and an older version for a
// reader, are denied.
func TestAPolicyEndsAtItsStore(t *testing.T) {
	for _, role := range tokenstore.Roles() {
		p, err := adaptertest.ParseIAM(policyOf(t, policyURL, role, policyAccount).Text)
		if err != nil {
			t.Fatal(err)
		}
		name := "crm/tokens/a"
		request := func(change func(*adaptertest.IAMRequest)) bool {
			r := requests("GetSecretValue", &secretsmanager.GetSecretValueInput{SecretId: &name})[0]
			change(&r)
			return p.Allows(r)
		}
		replaced := func(old, with string) func(*adaptertest.IAMRequest) {
			return func(r *adaptertest.IAMRequest) { r.Resource = strings.Replace(r.Resource, old, with, 1) }
		}
		older := func(r *adaptertest.IAMRequest) {
			r.Context = map[string][]string{"secretsmanager:VersionStage": {"AWSPREVIOUS"}}
		}
		byID := func(r *adaptertest.IAMRequest) { r.Context = map[string][]string{"secretsmanager:VersionId": {"1"}} }
		if !request(func(*adaptertest.IAMRequest) {}) {
			t.Errorf("%s may not read a token", role)
		}
		for what, change := range map[string]func(*adaptertest.IAMRequest){
			"another prefix": replaced("crm/", "crm2/"), "the prefix above": replaced("secret:crm/", "secret:"), "another region": replaced("eu-central-1", "eu-west-1"),
			"another account": replaced(policyAccount, "999999999999"), "another partition": replaced("arn:aws:", "arn:aws-cn:"),
		} {
			if request(change) {
				t.Errorf("%s may read a secret of %s", role, what)
			}
		}
		if may := role != tokenstore.RoleReader; request(older) != may || request(byID) != may {
			t.Errorf("%s may read older versions: %v", role, !may)
		}
		used := requests("GetSecretValue", &secretsmanager.GetSecretValueInput{SecretId: &name})[1]
		for key, value := range map[string]string{"kms:ViaService": "ec2.eu-central-1.amazonaws.com", "kms:ResourceAliases": "alias/other"} {
			other := used
			other.Context = map[string][]string{"kms:ViaService": used.Context["kms:ViaService"], "kms:ResourceAliases": used.Context["kms:ResourceAliases"]}
			other.Context[key] = []string{value}
			if p.Allows(other) || !p.Allows(used) {
				t.Errorf("%s may use a key with another %s", role, key)
			}
		}
	}
}

// TestResourcesOfAPolicy: the forms of a prefix, a region and a key.
func TestResourcesOfAPolicy(t *testing.T) {
	t.Setenv("AWS_REGION", "us-west-2")
	for url, wants := range map[string][]string{
		"awssm:":                             {`"arn:aws:secretsmanager:us-west-2:*:secret:tokenstore/*"`},
		"awssm://a/b%20c*?region=cn-north-1": {`"arn:aws-cn:secretsmanager:cn-north-1:*:secret:a/b=20c=2A/*"`},
		"awssm://crm?region=us-gov-west-1&kms_key=1234-abcd":  {`:secretsmanager:us-gov-west-1:`, `"arn:aws-us-gov:kms:us-gov-west-1:*:key/1234-abcd"`},
		"awssm://crm?kms_key=arn:aws:kms:us-west-2:1:key/k1":  {`"arn:aws:kms:us-west-2:1:key/k1"`, `"secretsmanager.us-west-2.amazonaws.com"`},
		"awssm://crm?kms_key=arn:aws:kms:us-west-2:1:alias/k": {`"arn:aws:kms:us-west-2:1:key/*"`, `"kms:ResourceAliases": "alias/k"`},
		"awssm://crm?region=cn-north-1&kms_key=alias/k":       {`"secretsmanager.cn-north-1.amazonaws.com.cn"`},
	} {
		p := policyOf(t, url, tokenstore.RoleWriter, "")
		for _, want := range wants {
			if !strings.Contains(p.Text, want) {
				t.Errorf("%s: no %s in\n%s", url, want, p.Text)
			}
		}
		if len(p.Remarks) != 1 || !strings.Contains(p.Remarks[0], "--account") {
			t.Errorf("%s: the remarks are %q", url, p.Remarks)
		}
	}
	adaptertest.NoPolicy(t, map[string]string{"awssm://crm": "crm", "awssm://crm?kms_key=*": policyAccount, "awssm://crm?fake=x": policyAccount, "awssm://crm?region=x": policyAccount})
}

// TestDiagnosisOfEachRole: by the policy that is printed for it.
func TestDiagnosisOfEachRole(t *testing.T) {
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	stores := map[tokenstore.Role]*secretstore.Store{}
	for _, role := range tokenstore.Roles() {
		of, _ := newRole(t, role, service, clock)
		stores[role] = of.Store
	}
	adaptertest.DiagnosedByRoles(t, stores, clock.Advance)
}
