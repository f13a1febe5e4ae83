// The IAM policies of the roles, for the secrets of one store: prefix, region, account and
// key come from its URL. policy_test.go compares them with the calls that each role makes.

package awssm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// statement is a statement of a policy.
type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]any `json:",omitempty"`
}

// anyAccount matches every account: a role can use secrets of its own account by name only.
const anyAccount = "*"

const (
	accountForm = `^[0-9]{12}$`
	// keyForm matches the IDs, aliases and ARNs of keys, and nothing that is a wildcard in a
	// policy.
	keyForm = `^[A-Za-z0-9:/_-]+$`
)

// Policy is a tokenstore.PolicyFunc: it returns the policy of a role for the store that a URL
// names. Package command/stores registers it; programs that only use a store do not link it.
func Policy(ctx context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	if err := tokenstore.CheckParams(u, parameters...); err != nil {
		return tokenstore.Policy{}, err
	}
	options, err := urlOptions(u)
	if err != nil {
		return tokenstore.Policy{}, invalidURL(err)
	}
	client, err := urlClient(ctx, u.Query())
	if err != nil {
		return tokenstore.Policy{}, err
	}
	set, err := configure(client, options)
	if err != nil {
		return tokenstore.Policy{}, invalidURL(err)
	}
	p := place{region: client.Options().Region, account: request.Account}
	p.partition, p.suffixes = partitionOf(p.region)
	var remarks []string
	switch {
	case p.account == "":
		p.account = anyAccount
		remarks = append(remarks, "the policy does not name the account; give --account with its number, of 12 digits")
	case !regexp.MustCompile(accountForm).MatchString(p.account):
		return tokenstore.Policy{}, invalidURL(errors.New("an AWS account is a number of 12 digits"))
	}
	if set.prefix == "" {
		set.prefix = secretstore.DefaultPrefix
	}
	statements := p.statements(request.Role, set.prefix)
	if set.kmsKey != "" {
		if !regexp.MustCompile(keyForm).MatchString(set.kmsKey) {
			return tokenstore.Policy{}, invalidURL(errors.New("kms_key must be the ID, alias or ARN of a key"))
		}
		statements = append(statements, p.useKey(request.Role, set.kmsKey))
	}
	text, err := document(statements)
	return tokenstore.Policy{Text: text, Remarks: remarks}, err
}

// document returns a policy as JSON.
func document(statements []statement) (string, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
	return text.String(), err
}

// place is where the secrets are.
type place struct {
	partition, region, account string
	suffixes                   []string // of the host names in the partition
}

// partitions are the parts of AWS that have accounts and names of their own, by how the names
// of their regions begin. The last one is what the others are not.
var partitions = []struct {
	region, name string
	suffixes     []string
}{
	// Which of its two suffixes kms:ViaService has in China is not documented.
	{"cn-", "aws-cn", []string{"amazonaws.com.cn", "amazonaws.com"}},
	{"us-gov-", "aws-us-gov", []string{"amazonaws.com"}},
	{"us-iso-", "aws-iso", []string{"c2s.ic.gov"}},
	{"us-isob-", "aws-iso-b", []string{"sc2s.sgov.gov"}},
	{"eu-isoe-", "aws-iso-e", []string{"cloud.adc-e.uk"}},
	{"us-isof-", "aws-iso-f", []string{"csp.hci.ic.gov"}},
	{"eusc-", "aws-eusc", []string{"amazonaws.eu"}},
	{"", "aws", []string{"amazonaws.com"}},
}

func partitionOf(region string) (name string, suffixes []string) {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			return p.name, p.suffixes
		}
	}
	return "", nil
}

// statements returns what a role may do with the secrets below a prefix.
func (p place) statements(role tokenstore.Role, prefix string) []statement {
	below := names.Escape(prefix)
	below = below[:min(len(below), keptLen)] // What follows may be a hash.
	own := statement{
		Sid: "KeepTokens", Effect: "Allow",
		Action: []string{
			"secretsmanager:CreateSecret",
			"secretsmanager:DeleteSecret",
			"secretsmanager:DescribeSecret",
			"secretsmanager:GetSecretValue",
			"secretsmanager:PutSecretValue",
			"secretsmanager:RestoreSecret",
			"secretsmanager:TagResource",
			"secretsmanager:UpdateSecretVersionStage",
		},
		Resource: "arn:" + p.partition + ":secretsmanager:" + p.region + ":" + p.account + ":secret:" + below + "*",
	}
	// These two take no resource: what a batch returns needs GetSecretValue for each secret.
	all := statement{Sid: "ReadInBatches", Effect: "Allow", Action: []string{"secretsmanager:BatchGetSecretValue"}, Resource: "*"}
	switch role {
	case tokenstore.RoleReader:
		own.Sid, own.Action = "ReadTokens", []string{"secretsmanager:GetSecretValue"}
		// An older version may hold a refresh token that still works.
		own.Condition = map[string]map[string]any{
			"StringEqualsIfExists": {"secretsmanager:VersionStage": current},
			"Null":                 {"secretsmanager:VersionId": "true"},
		}
	case tokenstore.RoleOperator:
		all.Sid, all.Action = "ReadInBatchesAndList", append(all.Action, "secretsmanager:ListSecrets")
	}
	return []statement{own, all}
}

// useKey returns what a role may do with the key that encrypts the secrets, through Secrets
// Manager only.
func (p place) useKey(role tokenstore.Role, key string) statement {
	s := statement{Sid: "UseKey", Effect: "Allow", Action: []string{"kms:Decrypt"}, Condition: map[string]map[string]any{}}
	if role != tokenstore.RoleReader {
		s.Action = append(s.Action, "kms:GenerateDataKey")
	}
	var via []string
	for _, suffix := range p.suffixes {
		via = append(via, "secretsmanager."+p.region+"."+suffix)
	}
	s.Condition["StringEquals"] = map[string]any{"kms:ViaService": via}
	keys := "arn:" + p.partition + ":kms:" + p.region + ":" + p.account + ":"
	if strings.HasPrefix(key, "arn:") {
		at := strings.LastIndex(key, ":") + 1
		keys, key = key[:at], key[at:]
	}
	switch {
	case strings.HasPrefix(key, "alias/"): // A policy cannot name an alias as its resource.
		s.Condition["ForAnyValue:StringEquals"] = map[string]any{"kms:ResourceAliases": key}
		key = "key/*"
	case !strings.HasPrefix(key, "key/"):
		key = "key/" + key
	}
	s.Resource = keys + key
	return s
}
