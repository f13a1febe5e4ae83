package vault_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/vault"
)

// roleClient returns a client with the permissions of a role on the given mount, and what
// they are.
func roleClient(t *testing.T, root *api.Client, mount string, role tokenstore.Role) (*api.Client, *rules) {
	t.Helper()
	name := strings.ReplaceAll(mount, "/", "-") + string(role)
	text := policyFor(t, mount, "", role)
	must(t, root.Sys().PutPolicyWithContext(t.Context(), name, text))
	t.Cleanup(func() {
		if err := root.Sys().DeletePolicyWithContext(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	made, err := root.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{name}, TTL: "1h"})
	must(t, err)
	r := parseRules(text)
	return r.watched(t, clientFor(t, root.Address(), made.Auth.ClientToken)), r
}

// noProvider is for tokens that are good.
type noProvider struct{}

func (noProvider) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{}, errors.New("no provider")
}

// TestPolicies has each role do its work, and nothing more, with the policies that the command
// prints; and all that they allow is needed.
func TestPolicies(t *testing.T) {
	root := newClient(t)
	mount := newMount(t, root, "2")
	clients := map[tokenstore.Role]*api.Client{}
	policies := map[tokenstore.Role]*rules{}
	stores := map[tokenstore.Role]*secretstore.Store{}
	var ahead atomic.Int64 // hours
	ahead.Store(25)
	dayAhead := func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Hour) }
	for _, role := range tokenstore.Roles() {
		clients[role], policies[role] = roleClient(t, root, mount, role)
		options := []vault.Option{vault.WithMount(mount)}
		if role == tokenstore.RoleOperator {
			options = append(options, vault.WithClock(dayAhead), vault.WithStoreOptions(secretstore.WithClock(dayAhead)))
		}
		stores[role] = newStore(t, clients[role], options...)
	}
	ctx := t.Context()
	kv := root.KVv2(mount)
	_, err := kv.Put(ctx, "elsewhere", map[string]any{"note": "not the store's"})
	must(t, err)

	// A reader of an empty store, and a writer.
	if _, err := stores["reader"].FindToken(ctx, tokenstore.OAuthToken{UserName: "nobody"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("reader, empty store: %v", err)
	}
	saved, err := stores["writer"].SaveToken(ctx, fakeToken("mail@example.com:1"))
	must(t, err)
	for n := range 4 { // Changing keys take entries to the version at which they are pruned.
		changed := tokenstore.OAuthToken{UserName: saved.UserName, RefreshToken: []string{"fake-refresh-a", "fake-refresh-b"}[n%2]}
		_, err = stores["writer"].SaveToken(ctx, changed)
		must(t, err)
	}
	doomed, err := stores["writer"].SaveToken(ctx, fakeToken("mail@example.com:2"))
	must(t, err)
	for n := range 102 { // Of more versions than can be named, a deletion asks which there are.
		doomed, err = stores["writer"].SaveToken(ctx, tokenstore.OAuthToken{ID: doomed.ID, RefreshToken: []string{"fake-refresh-c", "fake-refresh-d"}[n%2]})
		must(t, err)
	}
	must(t, stores["writer"].DeleteToken(ctx, doomed.ID))

	for _, query := range []tokenstore.OAuthToken{
		{ID: saved.ID}, {UserName: saved.UserName}, {AccessToken: saved.AccessToken},
		{ClientID: saved.ClientID, ClientSecret: saved.ClientSecret, RefreshToken: "fake-refresh-b"},
	} {
		if _, err := stores["reader"].FindToken(ctx, query); err != nil {
			t.Errorf("reader: %v", err)
		}
	}
	good, err := stores["writer"].SaveToken(ctx, tokenstore.OAuthToken{UserName: saved.UserName, AccessToken: saved.AccessToken, Expiry: time.Now().Add(time.Hour)})
	must(t, err)
	source, err := tokensource.New(stores["reader"], noProvider{})
	must(t, err)
	if token, err := source.Token(ctx, tokenstore.OAuthToken{UserName: saved.UserName}); err != nil || token.AccessToken != good.AccessToken {
		t.Errorf("a reader's token source returns %v, %v", token, err)
	}
	must(t, source.Close(ctx))
	if all, err := stores["reader"].GetTokens(ctx); err != nil || len(all) != 1 {
		t.Errorf("reader: %d tokens, %v", len(all), err)
	}

	for role, store := range stores {
		if err := store.Ping(ctx); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}

	// Each role finds that it may do what it is for, and a reader what it lacks to write.
	diagnosed := func(store *secretstore.Store, role tokenstore.Role, want string) {
		t.Helper()
		findings, err := store.Diagnose(ctx, role)
		must(t, err)
		var codes []string
		for _, f := range findings {
			if f.Severity != tokenstore.SeverityNote && f.Code != secretstore.CodeClockSkew { // The operator's clock is a day ahead.
				codes = append(codes, f.Code)
			}
		}
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("a diagnosis for a %s: %+v, want %q", role, findings, want)
		}
	}
	for role, store := range stores {
		diagnosed(newStore(t, clients[role], vault.WithMount(mount)), role, "")
		if findings, err := store.Diagnose(ctx, role); role == tokenstore.RoleOperator && (err != nil || !slices.ContainsFunc(findings, func(f tokenstore.Finding) bool { return f.Code == secretstore.CodeClockSkew })) {
			t.Errorf("a clock that is a day ahead: %+v, %v", findings, err)
		}
	}
	diagnosed(stores["reader"], tokenstore.RoleWriter, "denied-create")

	// The operator also saves, and repairs: what is over is marked at first, and some of the
	// names are removed at later deletions.
	for n := range 5 {
		saved, err = stores["operator"].SaveToken(ctx, tokenstore.OAuthToken{UserName: saved.UserName, RefreshToken: []string{"fake-refresh-e", "fake-refresh-f"}[n%2]})
		must(t, err)
		doomed, err = stores["writer"].SaveToken(ctx, fakeToken("mail@example.com:"+strconv.Itoa(10+n)))
		must(t, err)
		must(t, stores["writer"].DeleteToken(ctx, doomed.ID))
		_, err := stores["operator"].Reindex(ctx, secretstore.ReindexOptions{})
		must(t, err)
		ahead.Add(25)
	}
	_, err = clients["operator"].KVv2(mount).Patch(ctx, "tokenstore/tokens/"+saved.ID, map[string]any{"refresh_token": "fake-refresh-rotated"}, api.WithMergeMethod(api.KVMergeMethodPatch))
	must(t, err)

	denied := func(role tokenstore.Role, what string, err error) {
		t.Helper()
		var reply *api.ResponseError
		if !errors.Is(err, tokenstore.ErrDenied) && !(errors.As(err, &reply) && reply.StatusCode == http.StatusForbidden) {
			t.Errorf("%s may %s: %v", role, what, err)
		}
		if errors.Is(err, tokenstore.ErrDenied) && tokenstore.Retryable(err) {
			t.Errorf("%s: a denied call counts as retryable", role)
		}
	}
	_, err = stores["reader"].SaveToken(ctx, tokenstore.OAuthToken{UserName: saved.UserName, AccessToken: "fake-access-of-reader"})
	denied("reader", "save", err)
	_, err = stores["reader"].SaveToken(ctx, fakeToken("mail@example.com:3"))
	denied("reader", "insert", err)
	denied("reader", "delete", stores["reader"].DeleteToken(ctx, saved.ID))
	denied("reader", "destroy", clients["reader"].KVv2(mount).Destroy(ctx, "tokenstore/tokens/"+saved.ID, []int{1}))
	_, err = clients["reader"].KVv2(mount).GetVersion(ctx, "tokenstore/tokens/"+saved.ID, 1)
	denied("reader", "read older versions", err)
	_, err = kv.Put(ctx, "tokenstore/tokens/by-hand", map[string]any{"note": "a person's"})
	must(t, err)
	must(t, kv.Delete(ctx, "tokenstore/tokens/by-hand"))
	for role, client := range clients {
		secrets := newSecrets(t, client, vault.WithMount(mount))
		advisor, ok := driver.As[driver.Advisor](secrets)
		if !ok {
			t.Fatal("no Advisor")
		}
		if _, err := advisor.Advice(ctx); role == "operator" && err != nil || role != "operator" && !errors.Is(err, driver.ErrDenied) {
			t.Errorf("%s asks for advice: %v", role, err)
		}
		for name, err := range secrets.List(ctx, "tokenstore/tokens/") {
			if err != nil || strings.HasSuffix(name, "by-hand") {
				t.Errorf("%s lists %q, which a person has deleted: %v", role, name, err)
			}
		}
	}
	for _, role := range []tokenstore.Role{tokenstore.RoleReader, tokenstore.RoleWriter} {
		denied(role, "undo a deletion", clients[role].KVv2(mount).Undelete(ctx, "tokenstore/tokens/by-hand", []int{1}))
	}
	must(t, clients["operator"].KVv2(mount).Undelete(ctx, "tokenstore/tokens/by-hand", []int{1}))
	must(t, kv.Delete(ctx, "tokenstore/tokens/by-hand"))
	denied("writer", "remove a name", clients["writer"].KVv2(mount).DeleteMetadata(ctx, "tokenstore/tokens/"+saved.ID))
	denied("writer", "change what is kept of a token", clients["writer"].KVv2(mount).PutMetadata(ctx, "tokenstore/tokens/"+saved.ID, api.KVMetadataPutInput{MaxVersions: 1}))
	for role, client := range clients {
		_, err := client.KVv2(mount).Get(ctx, "elsewhere")
		denied(role, "read elsewhere", err)
		_, err = client.KVv2(mount).Put(ctx, "elsewhere", map[string]any{"note": "changed"})
		denied(role, "write elsewhere", err)
		_, err = client.Logical().ListWithContext(ctx, strings.TrimSuffix(mount, "/")+"/metadata/")
		denied(role, "list elsewhere", err)
		_, err = client.Logical().ReadWithContext(ctx, "sys/policies/acl/"+string(role))
		denied(role, "read policies", err)
	}

	got, err := stores["writer"].FindTokenByID(ctx, saved.ID)
	if err != nil || got.RefreshToken != "fake-refresh-rotated" || got.AccessToken != saved.AccessToken {
		t.Errorf("the token has changed: %v", err)
	}
	must(t, stores["writer"].DeleteTokens(ctx))
	for role, p := range policies {
		unused := p.unused()
		if !isOpenBao(t, root) { // Vault has no such list.
			unused = slices.DeleteFunc(unused, func(u string) bool { return strings.Contains(u, "/detailed-metadata/") })
		}
		if len(unused) > 0 {
			t.Errorf("%s: allowed in vain: %q", role, unused)
		}
	}
}
