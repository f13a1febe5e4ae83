package awssm

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/keylock"
)

const (
	// current is the label of the version that counts; previous goes with it to
	// the version that counted before.
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"

	// maxSize is the size of the largest secret value, in bytes.
	maxSize = 65536
	// writesPerDay is what one secret bears: about 100 versions are kept, and
	// none that is younger than 24 hours is dropped.
	writesPerDay = 96

	// candidates is how many candidate labels there are. A secret has 20 labels
	// at most; two are the service's own, and ten are left to people.
	candidates     = 8
	candidateLabel = "tokenstore-candidate-"
)

// secrets is the driver.
type secrets struct {
	api       API
	set       *settings
	candidate string       // the label under which this process writes
	noBatch   atomic.Int64 // until when the role may not read in batches, in nanoseconds

	mu     sync.Mutex
	locks  keylock.Locks
	recent map[string]write
}

// recentFor is how long what this process wrote is remembered.
const recentFor = time.Minute

// outdatedFor is how long a revision that this process has written over is
// refused without a call. A person may make it the current one again.
const outdatedFor = 5 * time.Second

// write is what this process wrote last to a secret, and over what.
type write struct {
	revision string
	at       time.Time
	replaced []string // the revisions that it has written over since
}

var (
	_ driver.Secrets     = (*secrets)(nil)
	_ driver.BatchGetter = (*secrets)(nil)
	_ driver.Limited     = (*secrets)(nil)
	_ driver.Retirer     = (*secrets)(nil)
)

func newSecrets(api API, set *settings) *secrets {
	return &secrets{
		api: api, set: set, candidate: candidateLabel + strconv.Itoa(set.slot),
		recent: map[string]write{},
	}
}

// Limits returns the size of a secret value and the writes that a secret bears
// in a day.
func (s *secrets) Limits() driver.Limits {
	return driver.Limits{MaxSize: maxSize, WritesPerDay: writesPerDay}
}

// Get reads the current version. A secret that is scheduled for deletion, has
// no version, or holds the mark of a deletion is not found.
func (s *secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	encoded, _, err := encodeName(name)
	if err != nil {
		return driver.Secret{}, err
	}
	v, f := s.read(ctx, encoded)
	switch {
	case f != nil && f.isRequest() && s.scheduled(ctx, encoded, f):
		return driver.Secret{}, f.as(driver.ErrNotFound)
	case f != nil:
		return driver.Secret{}, f.give()
	case v.marked():
		return driver.Secret{}, fmt.Errorf("%w: it is being deleted", driver.ErrNotFound)
	}
	return driver.Secret{Name: name, Data: v.data, Revision: v.id}, nil
}

// version is one version of a secret.
type version struct {
	id      string
	data    []byte
	created time.Time // by the service's clock
}

// read reads the current version of a secret. It names the label, since
// emulators do not agree on what is read without one.
func (s *secrets) read(ctx context.Context, encoded string) (version, *fault) {
	return s.value(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(encoded), VersionStage: aws.String(current)})
}

// readVersion reads a version by its ID, current or not.
func (s *secrets) readVersion(ctx context.Context, encoded, id string) (version, *fault) {
	return s.value(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(encoded), VersionId: aws.String(id)})
}

func (s *secrets) value(ctx context.Context, in *secretsmanager.GetSecretValueInput) (version, *fault) {
	out, f := call(ctx, "GetSecretValue", s.api.GetSecretValue, in)
	if f != nil {
		return version{}, f
	}
	return version{aws.ToString(out.VersionId), valueOf(out.SecretString, out.SecretBinary), aws.ToTime(out.CreatedDate)}, nil
}

// valueOf returns a secret's value; a person may have stored it as binary.
func valueOf(text *string, binary []byte) []byte {
	if text == nil {
		return binary
	}
	return []byte(*text)
}

// description is what is known of a secret without its value.
type description struct {
	current, previous string              // version IDs, empty if there is none
	stages            map[string][]string // the labelled versions
	deleted           bool                // scheduled for deletion
}

func (s *secrets) describe(ctx context.Context, encoded string) (description, *fault) {
	out, f := call(ctx, "DescribeSecret", s.api.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: aws.String(encoded)})
	if f != nil {
		return description{}, f
	}
	d := description{stages: out.VersionIdsToStages, deleted: out.DeletedDate != nil}
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

// scheduled reports whether a call was refused because the secret is scheduled
// for deletion.
func (s *secrets) scheduled(ctx context.Context, encoded string, f *fault) bool {
	if f.saysDeleted() {
		return true
	}
	d, df := s.describe(ctx, encoded)
	return df == nil && d.deleted
}

// newVersion returns an ID, a random UUID, for a version that is to be written. The service
// takes the request's token for it, which also makes the SDK's retries
// harmless.
func newVersion() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// acquire waits until this process writes nothing else to the secret. Writers
// of one process share a candidate label: one would take it from the other.
func (s *secrets) acquire(ctx context.Context, encoded string) (release func(), err error) {
	return s.locks.Lock(ctx, encoded)
}

// remember notes a write.
func (s *secrets) remember(encoded, base, revision string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.recent) >= 1024 {
		for name, w := range s.recent {
			if at.Sub(w.at) > recentFor {
				delete(s.recent, name)
			}
		}
	}
	w := s.recent[encoded]
	if at.Sub(w.at) > outdatedFor || len(w.replaced) >= 64 {
		w.replaced = nil
	}
	s.recent[encoded] = write{revision, at, append(w.replaced, base)}
}

// wrote returns what this process wrote last to a secret.
func (s *secrets) wrote(encoded string) write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent[encoded]
}

// outdated reports whether this process has just written over a revision
// itself: those who waited for that need not store a version to hear it from
// the service.
func (s *secrets) outdated(encoded, revision string) bool {
	w := s.wrote(encoded)
	return revision != "" && s.set.now().Sub(w.at) < outdatedFor && slices.Contains(w.replaced, revision)
}
