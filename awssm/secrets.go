// The driver and its reads: one secret, many with one call, and the list of names. Only an
// answer about a secret itself means that it is absent.

package awssm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/keylock"
	"example.com/tokenstore/internal/recent"
)

const (
	// current is the label of the version that counts; previous follows it to the
	// one before.
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"

	// maxSize is the largest secret value, in bytes.
	maxSize = 65536
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

const (
	batchSize = 20  // secrets in one BatchGetSecretValue
	pageSize  = 100 // secrets in one page of ListSecrets
	// parallel is how many calls one GetBatch makes at a time; the service allows 100
	// batch reads a second.
	parallel = 4
	// batchAgain is when to try again for a role that was not allowed to read in
	// batches: it may have got the permission.
	batchAgain = 10 * time.Minute
)

// secrets is the driver.
type secrets struct {
	api       API
	set       *settings
	candidate string       // the label under which this process writes
	private   bool         // no other process writes under it
	noBatch   atomic.Int64 // nanoseconds: do not read in batches until then, as the role may not

	mu      sync.Mutex
	locks   keylock.Locks
	recent  map[string]write
	sighted recent.Map[sighting]
	swept   recent.Map[time.Time] // when labels were last cleaned up, by secret
}

// String returns the driver's name, and nothing of its client or options.
func (s *secrets) String() string { return "awssm driver" }

// Format writes what String returns, whatever the verb.
func (s *secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns what String returns.
func (s *secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

// recentFor is how long this process remembers its own writes.
const recentFor = time.Minute

// outdatedFor is how long a revision that this process has replaced is refused without a
// call. After that a person may have made it current again.
const outdatedFor = 5 * time.Second

// write is this process's last write to a secret.
type write struct {
	revision string
	at       time.Time
	replaced []string // the revisions that it has replaced since
}

var (
	_ driver.Secrets     = (*secrets)(nil)
	_ driver.BatchGetter = (*secrets)(nil)
	_ driver.Limited     = (*secrets)(nil)
	_ driver.Retirer     = (*secrets)(nil)
)

func newSecrets(api API, set *settings) *secrets {
	s := &secrets{api: api, set: set, recent: map[string]write{}}
	s.candidate, s.private = candidateFor(api, set.slot)
	return s
}

// Limits returns the maximum size of a secret value, the writes that a secret accepts per
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

// secret returns a secret with the version that was read.
func (s *secrets) secret(name, encoded string, v version) driver.Secret {
	return driver.Secret{Name: name, Data: v.data, Revision: v.id, Restored: s.sight(encoded, v)}
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

// sighting is the latest current version of a secret that this process knows.
type sighting struct {
	id      string
	created time.Time // by the service's clock, its own or an earlier version's
	over    string    // the version that this process replaced with it
	at      time.Time // when it was last seen, by our clock
}

// settled is how long a read may be stale.
const settled = 5 * time.Second

// sight records a version that was read, and reports whether somebody has put it back:
// this process saw a later one, too long ago for a stale read.
func (s *secrets) sight(encoded string, v version) (restored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.set.now()
	last, known := s.sighted.Get(encoded)
	if known && v.id != last.id && (v.id == last.over || v.created.Before(last.created)) {
		return now.Sub(last.at) >= settled
	}
	next := sighting{id: v.id, created: v.created, at: now}
	if v.id == last.id {
		next.over = last.over
	}
	s.sighted.Put(encoded, next)
	return false
}

// version is one version of a secret.
type version struct {
	id      string
	data    []byte
	created time.Time // by the service's clock
}

// Format writes the version's ID and none of its data.
func (v version) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "version "+v.id) }

// read reads the current version of a secret. It names the label, since emulators differ
// in what they return without one.
func (s *secrets) read(ctx context.Context, encoded string) (version, *fault) {
	return s.value(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(encoded), VersionStage: aws.String(current)})
}

// readVersion reads a version by its ID, whether current or not.
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

// newVersion returns an ID, a random UUID, for a new version. It is sent as the request's
// token, which makes the SDK's retries harmless.
func newVersion() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// acquire waits until this process has no other write to the secret in progress. Writers
// of one process share a candidate label, and would take it from each other.
func (s *secrets) acquire(ctx context.Context, encoded string) (release func(), err error) {
	return s.locks.Lock(ctx, encoded)
}

// remember records a write.
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
	last, _ := s.sighted.Get(encoded)
	s.sighted.Put(encoded, sighting{id: revision, created: last.created, over: base, at: s.set.now()})
}

// wrote returns this process's last write to a secret.
func (s *secrets) wrote(encoded string) write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent[encoded]
}

// outdated reports whether this process itself has just replaced a revision: then its
// other writers need not store a version to learn that from the service.
func (s *secrets) outdated(encoded, revision string) bool {
	w := s.wrote(encoded)
	return revision != "" && s.set.now().Sub(w.at) < outdatedFor && slices.Contains(w.replaced, revision)
}

// List pages through ListSecrets. Secrets created or deleted in the last five minutes may
// be missing or still listed.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(pageSize)}
		if filter := filterFor(prefix); filter != "" {
			in.Filters = []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{filter}}}
		}
		seen := map[string]bool{}
		for {
			out, f := call(ctx, "ListSecrets", s.api.ListSecrets, in)
			if f == nil && in.NextToken != nil && aws.ToString(out.NextToken) == *in.NextToken {
				yield("", fmt.Errorf("%w: ListSecrets keeps returning the same page; retry later", driver.ErrUnavailable))
				return
			}
			if f != nil {
				yield("", f.container())
				return
			}
			for _, entry := range out.SecretList {
				name, ok := decodeName(aws.ToString(entry.Name), aws.ToString(entry.Description))
				if !ok || seen[name] || entry.DeletedDate != nil || !strings.HasPrefix(name, prefix) {
					continue
				}
				seen[name] = true
				if err := ctx.Err(); err != nil {
					yield("", err)
					return
				}
				if !yield(name, nil) {
					return
				}
			}
			if aws.ToString(out.NextToken) == "" {
				if err := ctx.Err(); err != nil {
					yield("", err)
				}
				return
			}
			in.NextToken = out.NextToken
		}
	}
}

// GetBatch reads 20 secrets per call. Without that permission, secrets are read one at a
// time.
func (s *secrets) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	b := &batch{s: s, names: map[string]string{}}
	var encoded []string
	for _, name := range names {
		e, _, err := encodeName(name)
		if err != nil {
			b.fail(name, err)
			continue
		}
		if _, twice := b.names[e]; !twice {
			b.names[e] = name
			encoded = append(encoded, e)
		}
	}
	chunks := slices.Collect(slices.Chunk(encoded, batchSize))
	each(chunks, func(chunk []string) { b.read(ctx, chunk) })
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.secrets, errors.Join(b.errs...)
}

// batch is the result of one GetBatch so far.
type batch struct {
	s     *secrets
	names map[string]string // logical names by the secrets' names

	mu      sync.Mutex
	secrets []driver.Secret
	errs    []error
}

func (b *batch) add(secret driver.Secret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets = append(b.secrets, secret)
}

func (b *batch) fail(name string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errs = append(b.errs, &driver.NameError{Name: name, Err: err})
}

// read reads one chunk, and then, one at a time, the secrets that the batch did not return.
func (b *batch) read(ctx context.Context, chunk []string) {
	rest, forbidden := chunk, false
	if len(chunk) > 1 && b.s.set.now().UnixNano() >= b.s.noBatch.Load() {
		var f *fault
		if rest, f = b.together(ctx, chunk); f != nil {
			switch {
			case errors.Is(f.kind, driver.ErrDenied):
				// Expired credentials or a broken key are temporary.
				forbidden = forbiddenCodes[f.code]
			case errors.Is(f.kind, driver.ErrInvalid), errors.Is(f.kind, driver.ErrNotFound):
				// It is about one secret, without saying which.
			default:
				for _, encoded := range chunk {
					b.fail(b.names[encoded], f.give())
				}
				return
			}
			rest = chunk
		}
	}
	for _, encoded := range rest {
		if ctx.Err() != nil {
			return
		}
		if b.single(ctx, encoded) && forbidden {
			// The credentials work, so only that permission is missing.
			b.s.noBatch.Store(b.s.set.now().Add(batchAgain).UnixNano())
		}
	}
}

// together reads a chunk with one call and returns the names for which it had no definite
// answer.
func (b *batch) together(ctx context.Context, chunk []string) (rest []string, f *fault) {
	out, f := call(ctx, "BatchGetSecretValue", b.s.api.BatchGetSecretValue, &secretsmanager.BatchGetSecretValueInput{SecretIdList: chunk})
	if f != nil {
		return nil, f
	}
	definite := map[string]bool{}
	for _, entry := range out.SecretValues {
		encoded := aws.ToString(entry.Name)
		name, asked := b.names[encoded]
		if !asked || !slices.Contains(entry.VersionStages, current) { // LocalStack returns versions that are not current.
			continue
		}
		definite[encoded] = true
		v := version{aws.ToString(entry.VersionId), valueOf(entry.SecretString, entry.SecretBinary), aws.ToTime(entry.CreatedDate)}
		if !v.marked() {
			b.add(b.s.secret(name, encoded, v))
		}
	}
	for _, e := range out.Errors {
		// A read of its own gives a clearer error for all but absence.
		missing := &types.ResourceNotFoundException{Message: e.Message}
		if aws.ToString(e.ErrorCode) == missing.ErrorCode() && !noVersion(missing) {
			definite[aws.ToString(e.SecretId)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(chunk), func(encoded string) bool { return definite[encoded] }), nil
}

// single reads one secret, and reports whether the role may do that.
func (b *batch) single(ctx context.Context, encoded string) bool {
	name := b.names[encoded]
	secret, err := b.s.Get(ctx, name)
	switch {
	case errors.Is(err, driver.ErrNotFound):
	case err != nil:
		b.fail(name, err)
	default:
		b.add(secret)
	}
	return err == nil || errors.Is(err, driver.ErrNotFound)
}

// each calls f for every chunk, a few at a time.
func each(chunks [][]string, f func([]string)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, chunk := range chunks {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(chunk)
		})
	}
	wg.Wait()
}
