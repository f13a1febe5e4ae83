// The driver, and its reads of one secret. Only an answer about a secret itself means that
// it is absent.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/keylock"
	"example.com/tokenstore/internal/recent"
)

const (
	// current is the label of the version that counts; previous follows it to the
	// one before.
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"

	// writesPerDay is how many writes a secret accepts: about 100 versions are kept,
	// and none younger than 24 hours is dropped.
	writesPerDay = 96
	// createsPerSecond and updatesPerSecond are what an account sustains in a region: 50
	// CreateSecret a second, and 50 PutSecretValue and UpdateSecretVersionStage together,
	// of which a write of an existing secret makes one each.
	createsPerSecond, updatesPerSecond = 50, 25

	// noCurrent is the revision of a secret without a current version.
	noCurrent = "no-current-version"
)

// secrets is the driver.
type secrets struct {
	api     API
	set     *settings
	label   string       // under which this process stores candidates
	private bool         // no other process writes under it
	noBatch atomic.Int64 // nanoseconds: do not read in batches until then, as the role may not

	mu      sync.Mutex
	locks   keylock.Locks
	recent  map[string]write
	crowded int // how many recent writes are looked through next
	sighted recent.Map[sighting]
	swept   recent.Map[time.Time] // when labels were last cleaned up, by secret
}

// String returns the driver's name, and nothing of its client or options.
func (s *secrets) String() string { return "awssm driver" }

// Format writes what String returns, whatever the verb.
func (s *secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns what String returns.
func (s *secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

var (
	_ driver.Secrets     = (*secrets)(nil)
	_ driver.BatchGetter = (*secrets)(nil)
	_ driver.Limited     = (*secrets)(nil)
	_ driver.Retirer     = (*secrets)(nil)
	_ driver.Dated       = (*secrets)(nil)
)

func newSecrets(api API, set *settings) *secrets {
	s := &secrets{api: api, set: set, recent: map[string]write{}}
	s.label, s.private = labelFor(api)
	return s
}

// Limits returns the maximum size of a secret's data, the writes that a secret accepts per
// day, and those that an account makes per second.
func (s *secrets) Limits() driver.Limits {
	return driver.Limits{MaxSize: maxSize, WritesPerDay: writesPerDay, CreatesPerSecond: createsPerSecond, UpdatesPerSecond: updatesPerSecond}
}

// Get reads the current version. A secret that is scheduled for deletion, or marked as
// deleted, is not found.
func (s *secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	encoded, _, err := encodeName(name)
	if err != nil {
		return driver.Secret{}, err
	}
	v, f := s.read(ctx, encoded)
	switch {
	case f != nil && f.isRequest() && s.scheduled(ctx, encoded, f):
		return driver.Secret{}, f.as(driver.ErrNotFound)
	case f != nil && f.saysNoVersion():
		return s.withoutCurrent(ctx, name, encoded, f)
	case f != nil:
		return driver.Secret{}, f.give()
	case v.marked():
		return driver.Secret{}, fmt.Errorf("%w: the secret is being deleted", driver.ErrNotFound)
	}
	return s.secret(name, encoded, v), nil
}

// Written returns when the version was created, unless a stale read shows another one.
func (s *secrets) Written(ctx context.Context, name, revision string) (time.Time, error) {
	encoded, _, err := encodeName(name)
	if err != nil {
		return time.Time{}, err
	}
	switch v, f := s.read(ctx, encoded); {
	case f != nil:
		return time.Time{}, f.give()
	case v.id == revision:
		return v.created, nil
	}
	return time.Time{}, nil
}

// secret returns a secret with the version that was read.
func (s *secrets) secret(name, encoded string, v version) driver.Secret {
	return driver.Secret{Name: name, Data: decode(v.data), Revision: v.id, Restored: s.sight(encoded, v)}
}

// withoutCurrent decides what an existing secret without a current version is. One that
// never had a version, as from a template, is not found. One that has lost it is damaged:
// it has no data, but a revision with which it can be written again. This happens on
// LocalStack, not on AWS.
func (s *secrets) withoutCurrent(ctx context.Context, name, encoded string, cause *fault) (driver.Secret, error) {
	d, f := s.describe(ctx, encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrDenied):
		return driver.Secret{}, fmt.Errorf("%w: the secret has no current version; save the token again, or run reindex if it belongs to the index", cause.as(driver.ErrUnreadable))
	case f != nil:
		return driver.Secret{}, f.give()
	case d.deleted, !d.damaged() && d.current == "":
		return driver.Secret{}, cause.as(driver.ErrNotFound)
	case d.current == "":
		return driver.Secret{Name: name, Revision: noCurrent}, nil
	}
	v, f := s.readVersion(ctx, encoded, d.current) // The first read was stale.
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return driver.Secret{}, f.as(driver.ErrUnavailable)
	case f != nil:
		return driver.Secret{}, f.give()
	case v.marked():
		return driver.Secret{}, fmt.Errorf("%w: the secret is being deleted", driver.ErrNotFound)
	}
	return s.secret(name, encoded, v), nil
}

// version is one version of a secret.
type version struct {
	id      string
	data    []byte    // the stored form
	created time.Time // by the service's clock
}

// Format writes the version's ID and none of its data.
func (v version) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "version "+v.id) }

// read reads the current version of a secret. It names the label, since emulators differ
// in what they return without one.
func (s *secrets) read(ctx context.Context, encoded string) (version, *fault) {
	var in struct { // One piece of memory, as each find needs it.
		secretsmanager.GetSecretValueInput
		name, label string
	}
	in.name, in.label = encoded, current
	in.SecretId, in.VersionStage = &in.name, &in.label
	return s.value(ctx, &in.GetSecretValueInput)
}

// readVersion reads a version by its ID, whether current or not.
func (s *secrets) readVersion(ctx context.Context, encoded, id string) (version, *fault) {
	return s.value(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(encoded), VersionId: aws.String(id)})
}

func (s *secrets) value(ctx context.Context, in *secretsmanager.GetSecretValueInput) (version, *fault) {
	out, f := callRead(ctx, "GetSecretValue", s.api.GetSecretValue, in)
	if f != nil {
		return version{}, f
	}
	return version{aws.ToString(out.VersionId), valueOf(out.SecretString, out.SecretBinary), aws.ToTime(out.CreatedDate)}, nil
}

// description is a secret's metadata.
type description struct {
	current, previous string              // version IDs, empty if there is none
	stages            map[string][]string // the labelled versions
	deleted           bool                // scheduled for deletion
	ours              bool                // this package has created it
}

// damaged reports whether a secret has lost its current version: it has other versions,
// or this package created it, which never leaves one without.
func (d description) damaged() bool { return d.current == "" && (len(d.stages) > 0 || d.ours) }

func (s *secrets) describe(ctx context.Context, encoded string) (description, *fault) {
	out, f := call(ctx, "DescribeSecret", s.api.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: aws.String(encoded)})
	if f != nil {
		return description{}, f
	}
	d := description{stages: out.VersionIdsToStages, deleted: out.DeletedDate != nil}
	for _, tag := range out.Tags {
		d.ours = d.ours || aws.ToString(tag.Key) == managedByKey && aws.ToString(tag.Value) == managedByValue
	}
	for id, labels := range out.VersionIdsToStages {
		for _, label := range labels {
			switch label {
			case current:
				d.current = id
			case previous:
				d.previous = id
			}
		}
	}
	return d, nil
}

// scheduled reports whether a call was refused because the secret is scheduled for
// deletion.
func (s *secrets) scheduled(ctx context.Context, encoded string, f *fault) bool {
	if f.saysDeleted() {
		return true
	}
	d, df := s.describe(ctx, encoded)
	return df == nil && d.deleted
}
