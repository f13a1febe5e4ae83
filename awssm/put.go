// A write takes two calls: a version is stored under a candidate label, and
// AWSCURRENT is moved to it. Here is how the second becomes a compare-and-swap, and
// how a write whose reply was lost is told from one that never happened.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore/driver"
)

const (
	// looks is how often a lost reply is looked for, with a pause that doubles:
	// what DescribeSecret says may be outdated for a moment.
	looks    = 5
	lookWait = 100 * time.Millisecond
	// turns is how often a creator tries to get hold of a name that others
	// delete and create at the same time.
	turns = 12
)

// errGone says of a conflict that the secret to be replaced is not there.
var errGone = errors.New("the secret is gone")

// Put creates the secret, or replaces its current version.
func (s *secrets) Put(ctx context.Context, secret driver.Secret) (string, error) {
	encoded, full, err := encodeName(secret.Name)
	if err != nil {
		return "", err
	}
	if err := driver.CheckData(secret.Data, maxSize); err != nil {
		return "", err
	}
	release, err := s.acquire(ctx, encoded)
	if err != nil {
		return "", err
	}
	defer release()
	if s.outdated(encoded, secret.Revision) {
		return "", fmt.Errorf("%w: this process has written over the revision", driver.ErrConflict)
	}
	started := s.set.now()
	var revision string
	if secret.Revision == "" || secret.Revision == noCurrent {
		// Where a current version is missing, a creator mends the secret.
		revision, err = s.create(ctx, target{encoded, full, secret.Data})
	} else {
		revision, err = s.replace(ctx, encoded, secret.Revision, secret.Data)
	}
	if err != nil {
		return "", err
	}
	s.remember(encoded, secret.Revision, revision, started)
	return revision, nil
}

// replace stores data as a candidate and moves AWSCURRENT from base to it.
func (s *secrets) replace(ctx context.Context, encoded, base string, data []byte) (string, error) {
	s.cleanUp(ctx, encoded)
	id, err := s.exchange(ctx, encoded, base, data)
	if err == nil && s.private {
		s.takeOff(ctx, encoded, id, s.candidate)
	}
	return id, err
}

func (s *secrets) exchange(ctx context.Context, encoded, base string, data []byte) (string, error) {
	id := newVersion()
	out, f := call(ctx, "PutSecretValue", s.api.PutSecretValue, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(encoded), ClientRequestToken: aws.String(id),
		SecretString: aws.String(string(data)), VersionStages: []string{s.candidate},
	})
	switch {
	case f == nil:
		if slices.Contains(out.VersionStages, current) {
			return id, nil // The secret had no version: its first one becomes current.
		}
	case errors.Is(f.kind, driver.ErrNotFound), f.isRequest() && s.scheduled(ctx, encoded, f):
		return "", fmt.Errorf("%w: %w", errGone, f.as(driver.ErrConflict))
	case f.lost && s.stored(ctx, encoded, id):
	case f.lost && base == "":
		// As the first version it would be the current one.
		return "", f.unknown(f)
	default:
		return "", f.give()
	}
	if base == "" {
		return s.fill(ctx, encoded, id)
	}
	return s.promote(ctx, encoded, id, base)
}

// stored reports whether a candidate whose reply was lost is there.
func (s *secrets) stored(ctx context.Context, encoded, id string) bool {
	d, f := s.describe(ctx, encoded)
	return f == nil && d.stages[id] != nil
}

// fill makes a candidate current where no version is. The secret is there, so a
// description without it is outdated.
func (s *secrets) fill(ctx context.Context, encoded, id string) (string, error) {
	wait := lookWait
	for range looks {
		d, f := s.describe(ctx, encoded)
		switch {
		case f != nil && !errors.Is(f.kind, driver.ErrNotFound):
			return "", f.give()
		case d.current == id && f == nil:
			return id, nil
		case d.current != "" || d.deleted:
			return "", fmt.Errorf("%w: the secret exists", driver.ErrConflict)
		case d.stages[id] != nil:
			return s.promote(ctx, encoded, id, "")
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return "", err
		}
		wait *= 2
	}
	return "", fmt.Errorf("%w: the secret exists", driver.ErrConflict)
}

// promote moves AWSCURRENT from base to the candidate. If base is not the
// current version any more, the service refuses. An outcome that is unknown is
// looked up.
func (s *secrets) promote(ctx context.Context, encoded, id, base string) (string, error) {
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String(encoded), VersionStage: aws.String(current), MoveToVersionId: aws.String(id),
	}
	if base != "" {
		in.RemoveFromVersionId = aws.String(base)
	}
	wait, lost, move := lookWait, false, true
	var last *fault
	for range looks {
		if move {
			_, f := call(ctx, "UpdateSecretVersionStage", s.api.UpdateSecretVersionStage, in)
			if f == nil {
				return id, nil
			}
			last, lost = f, lost || f.lost
			if !lost {
				if err, ok := s.refusal(ctx, encoded, f); ok {
					return "", err
				}
			}
		}
		switch s.outcome(ctx, encoded, id, base, lost) {
		case moved:
			return id, nil
		case refused:
			return "", last.as(driver.ErrConflict)
		case untouched:
			// Moving again is safe: it succeeds only from base.
			move = true
		case unknown:
			move = false
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return "", err
		}
		wait *= 2
	}
	return "", last.as(driver.ErrUnavailable)
}

// refusal returns the error for a move that was certainly not carried out. It
// is false for a version that the service does not see yet.
func (s *secrets) refusal(ctx context.Context, encoded string, f *fault) (error, bool) {
	switch {
	case f.isParameter(), f.isRequest() && s.scheduled(ctx, encoded, f):
		return f.as(driver.ErrConflict), true
	case errors.Is(f.kind, driver.ErrNotFound):
		return nil, false
	}
	return f.give(), true
}

// result is what became of a move that did not succeed at once.
type result int

const (
	unknown   result = iota
	moved            // it was applied
	untouched        // base is still current, as far as one can see
	refused          // another version took the place of base
	compare          // the ages of the versions decide: see between
)

// sight is what a description shows of a move from base to a candidate.
type sight int

const (
	nothing   sight = iota // the secret could not be described
	ours                   // the candidate is current, or was until the latest move
	gone                   // the secret is gone or scheduled for deletion
	before                 // base is current, and the candidate is there
	tooEarly               // base is current, and the candidate is not there
	displaced              // another version was put in the place of base itself
	another                // another version is current
)

// outcomes is the decision: what became of a move, by what is seen afterwards, if a
// reply was lost so that the move may have been applied, and if it was certainly
// refused.
//
// AWSPREVIOUS goes to the version from which AWSCURRENT is taken; so it tells one
// step of what came after the move. A secret that is gone tells nothing if the move
// may have come before. A description without the candidate, which is stored, is
// outdated.
var outcomes = [...]struct{ lost, certain result }{
	nothing:   {lost: unknown, certain: unknown},
	ours:      {lost: moved, certain: moved},
	gone:      {lost: unknown, certain: refused},
	before:    {lost: untouched, certain: untouched},
	tooEarly:  {lost: unknown, certain: unknown},
	displaced: {lost: refused, certain: refused},
	another:   {lost: compare, certain: refused},
}

// see returns what a description says about a move from base to the candidate id.
func see(d description, f *fault, id, base string) sight {
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return gone
	case f != nil:
		return nothing
	case d.current == id, d.previous == id:
		return ours
	case d.deleted:
		return gone
	case d.current == base && d.stages[id] != nil:
		return before
	case d.current == base:
		return tooEarly
	case d.previous == base && base != "":
		return displaced
	}
	return another
}

// outcome looks up what became of a move.
func (s *secrets) outcome(ctx context.Context, encoded, id, base string, lost bool) result {
	d, f := s.describe(ctx, encoded)
	o := outcomes[see(d, f, id, base)]
	if !lost {
		return o.certain
	}
	if o.lost != compare {
		return o.lost
	}
	if s.between(ctx, encoded, base, id) {
		return refused
	}
	return unknown
}

// between reports whether the current version was stored after base and before
// the candidate: then the candidate never was current, since whoever writes over
// a version stores his own later. One that is older than base tells nothing: the
// read is outdated, or somebody has put an old version back.
func (s *secrets) between(ctx context.Context, encoded, base, id string) bool {
	now, f := s.read(ctx, encoded)
	if f != nil || now.id == id {
		return false
	}
	ours, f := s.readVersion(ctx, encoded, id)
	if f != nil || !now.created.Before(ours.created) {
		return false
	}
	if base == "" {
		return true
	}
	old, f := s.readVersion(ctx, encoded, base)
	return f == nil && old.created.Before(now.created)
}

// target is a secret that is to be created.
type target struct {
	encoded string // its name
	full    string // the encoded name if encoded holds a hash of it
	data    []byte
}

// Format shows the name and nothing of the data.
func (t target) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "target "+t.encoded) }

// create creates the secret, or takes over a name that is not in use: one that
// is scheduled for deletion, or a secret without a version.
func (s *secrets) create(ctx context.Context, t target) (string, error) {
	id := newVersion()
	var last *fault
	lost := false // One of the calls may have been carried out.
	for turn := range turns {
		out, f := call(ctx, "CreateSecret", s.api.CreateSecret, s.newSecret(t, id))
		if f == nil {
			return aws.ToString(out.VersionId), nil
		}
		f.lost = f.lost || lost
		last, lost = f, f.lost
		var revision string
		var err error
		var again bool
		switch {
		case f.isRequest():
			revision, again, err = s.takeBack(ctx, t, f)
		case errors.Is(f.kind, driver.ErrConflict), f.lost:
			revision, again, err = s.occupied(ctx, t, id, f)
		default:
			return "", f.container()
		}
		if !again {
			return revision, err
		}
		if err := s.set.sleep(ctx, min(lookWait<<turn, 5*time.Second)); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%w, and yet no read shows the secret, in %d attempts; retry later, and if that does not help, delete the secret in the service",
		last.as(driver.ErrUnavailable), turns)
}

// newSecret is the request for a new secret.
func (s *secrets) newSecret(t target, id string) *secretsmanager.CreateSecretInput {
	in := &secretsmanager.CreateSecretInput{
		Name: aws.String(t.encoded), ClientRequestToken: aws.String(id), SecretString: aws.String(string(t.data)),
	}
	if s.set.kmsKey != "" {
		in.KmsKeyId = aws.String(s.set.kmsKey)
	}
	if s.set.description != "" {
		in.Description = aws.String(s.set.description)
	}
	if t.full != "" {
		in.Description = aws.String(nameLabel + t.full)
	}
	for k, v := range s.set.tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	slices.SortFunc(in.Tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return in
}
