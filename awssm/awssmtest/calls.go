// The methods that write, and what every call passes through: rates, permissions and lost
// replies apply to all methods alike.

package awssmtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// Principal is a caller of the service. It implements awssm.API.
type Principal struct {
	service *Service
	actions []string // nil: everything is allowed
}

// As returns a principal that is allowed the given actions, such as
// "secretsmanager:GetSecretValue", and nothing else.
func (s *Service) As(actions ...string) *Principal {
	return &Principal{service: s, actions: append([]string{}, actions...)}
}

// may reports whether the principal is allowed an operation.
func (p *Principal) may(op string) bool {
	return p.actions == nil || slices.Contains(p.actions, "secretsmanager:"+op)
}

// rates are the service's limits of calls per second, by operation. Operations of one
// class count together.
var rates = map[string]struct {
	class string
	limit int
}{
	"PutSecretValue":           {"write", 50},
	"UpdateSecretVersionStage": {"write", 50},
	"CreateSecret":             {"create", 50},
	"DeleteSecret":             {"delete", 50},
	"RestoreSecret":            {"restore", 50},
	"ListSecrets":              {"list", 100},
	"BatchGetSecretValue":      {"batch", 100},
	"GetSecretValue":           {"get", 10000},
	"DescribeSecret":           {"describe", 40000},
}

// second counts the calls of one class in one second.
type second struct {
	at    int64
	calls int
}

// lostReply is the error that a caller gets when the connection breaks.
func lostReply() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
}

// begin admits a call: it counts it, moves the clock and applies the rates.
func (p *Principal) begin(ctx context.Context, op, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	s.calls[op]++
	before, observe := s.before, s.observe
	s.before = nil // The function's own calls are not reported.
	s.mu.Unlock()
	if observe != nil {
		observe(op, id)
	}
	s.clock.Advance(s.config.Latency)
	if before != nil {
		before(op, id)
		s.mu.Lock()
		if s.before == nil {
			s.before = before
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.config.LoseRequests > 0 && s.random.Float64() < s.config.LoseRequests:
		return lostReply()
	case !p.may(op):
		return denied(op)
	case s.config.Rates && !s.admit(op):
		return &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded", Fault: smithy.FaultClient}
	}
	return nil
}

func denied(op string) error {
	return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform secretsmanager:" + op, Fault: smithy.FaultClient}
}

// admit counts a call and reports whether it is within the rate.
func (s *Service) admit(op string) bool {
	rate, now := rates[op], s.clock.Now().Unix()
	c := s.seconds[rate.class]
	if c.at != now {
		c = second{at: now}
	}
	c.calls++
	s.seconds[rate.class] = c
	return c.calls <= rate.limit
}

// end sometimes loses the reply of a write.
func end[T any](s *Service, out *T, err error) (*T, error) {
	if err == nil && s.config.LoseReplies > 0 && s.random.Float64() < s.config.LoseReplies {
		return nil, lostReply()
	}
	return out, err
}

// text returns the string at a pointer of the SDK, or "".
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func ptr[T any](v T) *T { return &v }

// nameOf returns the name in a secret's ID, which may be an ARN.
func nameOf(id *string) string {
	name := text(id)
	if rest, ok := strings.CutPrefix(name, arnPrefix); ok && len(rest) > len("-000000") {
		return rest[:len(rest)-len("-000000")]
	}
	return name
}

const arnPrefix = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
	arnEnd   = regexp.MustCompile(`-.{6}$`)
)

func (s *Service) checkName(name string) error {
	if !nameForm.MatchString(name) || len(name) > 256 {
		return invalidParameter("Invalid name.")
	}
	if s.config.StrictNames && arnEnd.MatchString(name) {
		return invalidParameter("The name ends in a hyphen and six characters.")
	}
	return nil
}

func (s *Service) checkValue(value *string, binary []byte) error {
	n := len(binary)
	if value != nil {
		n = len(*value)
	}
	switch {
	case value == nil && binary == nil:
		return nil
	case n == 0 || s.config.Size > 0 && n > s.config.Size:
		// The real message sometimes quotes the value; no client may show it.
		return &smithy.GenericAPIError{Code: "ValidationException", Fault: smithy.FaultClient,
			Message: fmt.Sprintf("Value '%s' at 'secretString' failed to satisfy constraint", text(value))}
	}
	return nil
}

// checkToken refuses a token that cannot be a version ID.
func (s *Service) checkToken(token *string) error {
	if n := len(text(token)); s.config.RequestTokens && token != nil && (n < 32 || n > 64) {
		return invalidParameter("ClientRequestToken must be 32-64 characters long.")
	}
	return nil
}

func notFound(message string) error {
	return &types.ResourceNotFoundException{Message: &message}
}

func invalidRequest(message string) error {
	return &types.InvalidRequestException{Message: &message}
}

func invalidParameter(message string) error {
	return &types.InvalidParameterException{Message: &message}
}

func resourceExists(message string) error {
	return &types.ResourceExistsException{Message: &message}
}

func internalError() error {
	return &smithy.GenericAPIError{Code: "InternalError", Message: "exception while calling secretsmanager", Fault: smithy.FaultServer}
}

func limitExceeded(message string) error {
	return &types.LimitExceededException{Message: &message}
}

var (
	errMissing = "Secrets Manager can't find the specified secret."
	errMarked  = "You can't perform this operation on the secret because it was marked for deletion."
	errNoStage = "Secrets Manager can't find the specified secret value for staging label: "
	errReserve = "You can't create this secret because a secret with this name is already scheduled for deletion."
)

// CreateSecret creates a secret; its first version, if it has a value, is current.
func (p *Principal) CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	if err := p.begin(ctx, "CreateSecret", text(in.Name)); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.create(in)
	return end(s, out, err)
}

func (s *Service) create(in *secretsmanager.CreateSecretInput) (*secretsmanager.CreateSecretOutput, error) {
	name, token := text(in.Name), text(in.ClientRequestToken)
	if err := errors.Join(s.checkName(name), s.checkValue(in.SecretString, in.SecretBinary), s.checkToken(in.ClientRequestToken)); err != nil {
		return nil, err
	}
	sec := s.lookup(name)
	switch {
	case sec.state.exists && !sec.state.deletion.IsZero():
		if s.config.ReserveNames {
			return nil, invalidRequest(errReserve)
		}
		s.write(sec, state{})
	case sec.state.exists:
		v := sec.state.find(token)
		if s.config.RequestTokens && v != nil && same(v, in.SecretString, in.SecretBinary) {
			return &secretsmanager.CreateSecretOutput{ARN: ptr(sec.state.arn), Name: &name, VersionId: &token}, nil
		}
		return nil, resourceExists("The operation failed because the secret " + name + " already exists.")
	}
	s.serial++
	now := s.clock.Now()
	next := state{
		exists: true, arn: fmt.Sprintf("%s%s-%06d", arnPrefix, name, s.serial), created: now,
		description: text(in.Description), kmsKey: text(in.KmsKeyId),
		tags: map[string]string{}, labels: map[string]*version{},
	}
	for _, tag := range in.Tags {
		next.tags[text(tag.Key)] = text(tag.Value)
	}
	out := &secretsmanager.CreateSecretOutput{ARN: &next.arn, Name: &name}
	if in.SecretString != nil || in.SecretBinary != nil {
		v := &version{token, in.SecretString, in.SecretBinary, now}
		next.versions = []*version{v}
		next.move(current, v)
		out.VersionId = &token
	}
	s.write(sec, next)
	return out, nil
}

func same(v *version, value *string, binary []byte) bool {
	return text(v.text) == text(value) && slices.Equal(v.binary, binary)
}

// PutSecretValue adds a version under the given labels, by default AWSCURRENT.
func (p *Principal) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	if err := p.begin(ctx, "PutSecretValue", nameOf(in.SecretId)); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.put(in)
	return end(s, out, err)
}

func (s *Service) put(in *secretsmanager.PutSecretValueInput) (*secretsmanager.PutSecretValueOutput, error) {
	name, token := nameOf(in.SecretId), text(in.ClientRequestToken)
	sec := s.lookup(name)
	if err := writable(sec); err != nil && !s.writesScheduled(sec) {
		return nil, err
	}
	if err := errors.Join(s.checkValue(in.SecretString, in.SecretBinary), s.checkToken(in.ClientRequestToken)); err != nil {
		return nil, err
	}
	out := &secretsmanager.PutSecretValueOutput{ARN: ptr(sec.state.arn), Name: &name, VersionId: &token}
	if v := sec.state.find(token); v != nil {
		if s.config.RequestTokens && same(v, in.SecretString, in.SecretBinary) {
			out.VersionStages = sec.state.labelsOf(v)
			return out, nil
		}
		return nil, resourceExists("You can't use ClientRequestToken " + token + " because that value is already in use for a version of secret " + sec.state.arn + ".")
	}
	next := sec.state.clone()
	labels := in.VersionStages
	if len(labels) == 0 || len(next.versions) == 0 {
		labels = append([]string{current}, labels...)
	}
	if s.config.LocalStack && next.stuck() && slices.Contains(labels, current) {
		return nil, internalError()
	}
	v := &version{token, in.SecretString, in.SecretBinary, s.clock.Now()}
	if err := next.add(v, s.config.Versions); err != nil {
		return nil, err
	}
	for _, label := range labels {
		next.move(label, v)
	}
	if s.config.Labels > 0 && len(next.labels) > s.config.Labels {
		return nil, limitExceeded("You exceeded the maximum number of staging labels allowed on a secret.")
	}
	if s.config.LocalStack {
		next.purge()
	}
	s.write(sec, next)
	out.VersionStages = next.labelsOf(v)
	return out, nil
}

// writable returns an error for a secret that cannot be written.
func writable(sec *secret) error {
	switch {
	case !sec.state.exists:
		return notFound(errMissing)
	case !sec.state.deletion.IsZero():
		return invalidRequest(errMarked)
	}
	return nil
}

// writesScheduled reports whether the service writes into a secret all the same, because it is
// LocalStack and the secret is only scheduled for deletion.
func (s *Service) writesScheduled(sec *secret) bool {
	return s.config.LocalStack && sec.state.exists && !sec.state.deletion.IsZero()
}

// UpdateSecretVersionStage moves a label. If a version has it, that version must be named.
func (p *Principal) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	if err := p.begin(ctx, "UpdateSecretVersionStage", nameOf(in.SecretId)); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.stage(in)
	return end(s, out, err)
}

func (s *Service) stage(in *secretsmanager.UpdateSecretVersionStageInput) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	sec, label := s.lookup(nameOf(in.SecretId)), text(in.VersionStage)
	if err := writable(sec); err != nil && !s.writesScheduled(sec) {
		return nil, err
	}
	next := sec.state.clone()
	to, from := next.find(text(in.MoveToVersionId)), next.labels[label]
	if s.config.LocalStack && label == current {
		switch {
		case in.RemoveFromVersionId == nil && from == nil:
			return nil, internalError()
		case to == nil && from != nil && from.id == text(in.RemoveFromVersionId):
			delete(next.labels, current)
			s.write(sec, next)
			return nil, invalidParameter("Not a valid version: " + text(in.MoveToVersionId))
		}
	}
	switch {
	case in.MoveToVersionId != nil && to == nil:
		return nil, notFound("Secrets Manager can't find the specified secret version.")
	case from != nil && in.RemoveFromVersionId == nil:
		return nil, invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label " + label + " is currently attached to version " + from.id + ", so you must explicitly reference that version in RemoveFromVersionId.")
	case in.RemoveFromVersionId != nil && (from == nil || from.id != *in.RemoveFromVersionId):
		return nil, invalidParameter("If you specify RemoveFromVersionId, it must be set to the version that currently has the staging label " + label + ".")
	case to == nil && label == current:
		return nil, invalidParameter("You can only move staging label AWSCURRENT to a different secret version.")
	case to == nil:
		delete(next.labels, label)
	default:
		next.move(label, to)
	}
	if s.config.Labels > 0 && len(next.labels) > s.config.Labels {
		return nil, limitExceeded("You exceeded the maximum number of staging labels allowed on a secret.")
	}
	if s.config.LocalStack {
		next.purge()
	}
	s.write(sec, next)
	return &secretsmanager.UpdateSecretVersionStageOutput{ARN: ptr(sec.state.arn), Name: &sec.name}, nil
}

// DeleteSecret schedules a secret for deletion.
func (p *Principal) DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	if err := p.begin(ctx, "DeleteSecret", nameOf(in.SecretId)); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.remove(in)
	return end(s, out, err)
}

func (s *Service) remove(in *secretsmanager.DeleteSecretInput) (*secretsmanager.DeleteSecretOutput, error) {
	sec := s.lookup(nameOf(in.SecretId))
	force := in.ForceDeleteWithoutRecovery != nil && *in.ForceDeleteWithoutRecovery
	if force && (!sec.state.exists || sec.state.forced) {
		return &secretsmanager.DeleteSecretOutput{Name: &sec.name}, nil // Seen: no error.
	}
	if !force {
		if err := writable(sec); err != nil {
			return nil, err
		}
	}
	now := s.clock.Now()
	next := sec.state.clone()
	next.deletedAt, next.forced = now, force
	switch {
	case force:
		next.deletion = now.Add(s.config.ForceDelete)
	default:
		days := int64(30)
		if in.RecoveryWindowInDays != nil {
			days = *in.RecoveryWindowInDays
		}
		if days < 7 || days > 30 {
			return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
		}
		next.deletion = now.Add(time.Duration(days) * 24 * time.Hour)
	}
	s.write(sec, next)
	return &secretsmanager.DeleteSecretOutput{ARN: &next.arn, Name: &sec.name, DeletionDate: &next.deletion}, nil
}

// RestoreSecret cancels a scheduled deletion; for any other secret it does nothing.
func (p *Principal) RestoreSecret(ctx context.Context, in *secretsmanager.RestoreSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.RestoreSecretOutput, error) {
	if err := p.begin(ctx, "RestoreSecret", nameOf(in.SecretId)); err != nil {
		return nil, err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := s.lookup(nameOf(in.SecretId))
	switch {
	case !sec.state.exists:
		return nil, notFound(errMissing)
	case sec.state.forced:
		return nil, invalidRequest(errMarked)
	case !sec.state.deletion.IsZero():
		next := sec.state.clone()
		next.deletion, next.deletedAt = time.Time{}, time.Time{}
		s.write(sec, next)
	}
	return end(s, &secretsmanager.RestoreSecretOutput{ARN: ptr(sec.state.arn), Name: &sec.name}, nil)
}
