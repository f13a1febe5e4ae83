// The methods that read, which may be stale, and what a person does in the console.

package awssmtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// GetSecretValue reads a version: by its ID, by label, or the current one.
func (p *Principal) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if err := p.begin(ctx, "GetSecretValue", nameOf(in.SecretId)); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value(nameOf(in.SecretId), in)
}

func (s *Service) value(name string, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
	state := s.seen(s.lookup(name), s.config.Stale)
	switch {
	case !state.exists:
		return nil, notFound(errMissing)
	case !state.deletion.IsZero():
		return nil, invalidRequest(errMarked)
	}
	label := text(in.VersionStage)
	if label == "" {
		label = current
	}
	v := state.labels[label]
	if in.VersionId != nil {
		v = state.find(*in.VersionId)
	}
	if v == nil {
		return nil, notFound(errNoStage + label)
	}
	return &secretsmanager.GetSecretValueOutput{
		ARN: &state.arn, Name: &name, CreatedDate: &v.created, VersionId: &v.id,
		VersionStages: state.labelsOf(v), SecretString: v.text, SecretBinary: v.binary,
	}, nil
}

// BatchGetSecretValue reads up to 20 secrets by name. Secrets that cannot be read are in
// the reply's errors.
func (p *Principal) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	if err := p.begin(ctx, "BatchGetSecretValue", strings.Join(in.SecretIdList, " ")); err != nil {
		return nil, err
	}
	if len(in.SecretIdList) == 0 || len(in.SecretIdList) > 20 {
		return nil, invalidParameter("SecretIdList has 1 to 20 members.")
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &secretsmanager.BatchGetSecretValueOutput{}
	for _, id := range in.SecretIdList {
		v, err := s.value(nameOf(&id), &secretsmanager.GetSecretValueInput{SecretId: &id})
		if state := s.lookup(nameOf(&id)).state; state.charged() && state.labels[current] == nil && (s.config.WholeBatch || s.config.LocalStack) {
			if !s.config.LocalStack || !slices.Contains(state.versions, state.latest) {
				return nil, err // An answer about one of them, for all.
			}
			v, err = s.value(nameOf(&id), &secretsmanager.GetSecretValueInput{SecretId: &id, VersionId: &state.latest.id})
		}
		if !p.may("GetSecretValue") {
			err = denied("GetSecretValue")
		}
		if err != nil {
			var api smithy.APIError
			errors.As(err, &api)
			out.Errors = append(out.Errors, types.APIErrorType{SecretId: &id, ErrorCode: ptr(api.ErrorCode()), Message: ptr(api.ErrorMessage())})
			continue
		}
		out.SecretValues = append(out.SecretValues, types.SecretValueEntry{
			ARN: v.ARN, Name: v.Name, CreatedDate: v.CreatedDate, VersionId: v.VersionId,
			VersionStages: v.VersionStages, SecretString: v.SecretString, SecretBinary: v.SecretBinary,
		})
	}
	return out, nil
}

// DescribeSecret returns everything but the value; versions without a label are left out.
func (p *Principal) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	name := nameOf(in.SecretId)
	if err := p.begin(ctx, "DescribeSecret", name); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.seen(s.lookup(name), s.config.Stale)
	if !state.exists {
		return nil, notFound(errMissing)
	}
	out := &secretsmanager.DescribeSecretOutput{
		ARN: &state.arn, Name: &name, Description: &state.description, CreatedDate: &state.created,
		VersionIdsToStages: map[string][]string{}, Tags: tagsOf(state),
	}
	if state.kmsKey != "" {
		out.KmsKeyId = &state.kmsKey
	}
	if !state.deletion.IsZero() {
		out.DeletedDate = &state.deletedAt
	}
	for _, v := range state.versions {
		if labels := state.labelsOf(v); len(labels) > 0 {
			out.VersionIdsToStages[v.id] = labels
		}
	}
	return out, nil
}

func tagsOf(s state) []types.Tag {
	var tags []types.Tag
	for _, k := range slices.Sorted(maps.Keys(s.tags)) {
		tags = append(tags, types.Tag{Key: ptr(k), Value: ptr(s.tags[k])})
	}
	return tags
}

// ListSecrets lists by name. It supports one filter, "name", a prefix.
func (p *Principal) ListSecrets(ctx context.Context, in *secretsmanager.ListSecretsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	if err := p.begin(ctx, "ListSecrets", ""); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := s.listed(in)
	if err != nil {
		return nil, err
	}
	size := 100
	if in.MaxResults != nil {
		size = int(*in.MaxResults)
	}
	if size < 1 || size > 100 {
		return nil, invalidParameter("MaxResults is 1 to 100.")
	}
	// The token is the first name of the next page, so that additions and removals in
	// between shift no other secret.
	from := slices.IndexFunc(entries, func(e types.SecretListEntry) bool { return text(e.Name) >= text(in.NextToken) })
	if from < 0 {
		from = len(entries)
	}
	out := &secretsmanager.ListSecretsOutput{SecretList: entries[from:min(from+size, len(entries))]}
	if from+size < len(entries) {
		out.NextToken = entries[from+size].Name
	}
	return out, nil
}

func (s *Service) listed(in *secretsmanager.ListSecretsInput) ([]types.SecretListEntry, error) {
	var entries []types.SecretListEntry
	names := slices.Collect(maps.Keys(s.secrets))
	sort.Strings(names)
	for _, name := range names {
		state := s.seen(s.lookup(name), s.config.ListLate)
		if !state.exists || !state.deletion.IsZero() && (in.IncludePlannedDeletion == nil || !*in.IncludePlannedDeletion) {
			continue
		}
		ok := true
		for _, f := range in.Filters {
			if f.Key != types.FilterNameStringTypeName {
				return nil, invalidParameter("The fake supports only the filter name.")
			}
			ok = ok && slices.ContainsFunc(f.Values, func(v string) bool { return strings.HasPrefix(name, v) })
		}
		if !ok {
			continue
		}
		entry := types.SecretListEntry{ARN: ptr(state.arn), Name: ptr(name), Description: ptr(state.description), CreatedDate: ptr(state.created), Tags: tagsOf(state)}
		if !state.deletion.IsZero() {
			entry.DeletedDate = ptr(state.deletedAt)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// Edit stores a new current version, or creates the secret, as a person does in the
// console, at once and without chance failures.
func (s *Service) Edit(name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	token := fmt.Sprintf("by-hand-%032d", s.serial)
	if !s.lookup(name).state.exists {
		_, err := s.create(&secretsmanager.CreateSecretInput{Name: &name, SecretString: &value, ClientRequestToken: &token})
		return err
	}
	_, err := s.put(&secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value, ClientRequestToken: &token})
	return err
}

// Damage takes AWSCURRENT off a secret, as LocalStack does when it moves the label to a
// version that it has dropped, and drops the version that had it.
func (s *Service) Damage(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := s.lookup(name)
	next := sec.state.clone()
	lost := next.labels[current]
	maps.DeleteFunc(next.labels, func(_ string, on *version) bool { return on == lost })
	next.versions = slices.DeleteFunc(next.versions, func(v *version) bool { return v == lost })
	s.write(sec, next)
}

// PutBack moves AWSCURRENT back to the version labelled AWSPREVIOUS, as a person does, at
// once and without chance failures.
func (s *Service) PutBack(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	label, state := current, s.lookup(name).state
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &name, VersionStage: &label}
	if from, to := state.labels[current], state.labels[previous]; from != nil && to != nil {
		in.RemoveFromVersionId, in.MoveToVersionId = &from.id, &to.id
	}
	_, err := s.stage(in)
	return err
}

// Remove schedules a secret for deletion, as a person does in the console, at once and
// without chance failures.
func (s *Service) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.remove(&secretsmanager.DeleteSecretInput{SecretId: &name})
	return err
}

// Scheduled reports whether a secret is scheduled for deletion, and until when it can be
// restored.
func (s *Service) Scheduled(name string) (until time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := s.lookup(name)
	return sec.state.deletion, sec.state.exists && !sec.state.deletion.IsZero()
}

// Value returns the current value of a secret as the console would show it, never stale.
// It is false if the secret does not exist or is scheduled for deletion.
func (s *Service) Value(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.lookup(name).state
	v := state.labels[current]
	if !state.charged() || v == nil {
		return "", false
	}
	return text(v.text), true
}

// Versions returns how many versions a secret has.
func (s *Service) Versions(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lookup(name).state.versions)
}

// Labels returns how many labels the versions of a secret have in total.
func (s *Service) Labels(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lookup(name).state.labels)
}
